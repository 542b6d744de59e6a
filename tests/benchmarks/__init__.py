"""Benchmarks, one command each: a table and a figure out. Their small forms run with the tests.

Each is run from the repository root, and writes to ``benchmarks/NAME`` unless ``--out`` says otherwise:

    python -m tests.benchmarks.search       our search, other search libraries and a fixed configuration in equal time
    python -m tests.benchmarks.ranks        the ranks of configurations in short trainings and in long ones
    python -m tests.benchmarks.throughput   training speed of a plain Keras script and of the trainer
    python -m tests.benchmarks.gpu          training speed on a GPU and on the CPU, and how many workers a GPU carries
    python -m tests.benchmarks.overhead     where a trial's seconds beyond its training go
    python -m tests.benchmarks.scale        what coordinating a trial costs with few and with many trials before it
    python -m tests.benchmarks.soak         a study of which something is killed every few seconds: nothing is lost
"""
