"""Training in processes: a source chooses jobs, a pool places them, ``train_job`` trains one, events flow back.

``job`` -> ``events`` -> ``source`` and ``job_list`` (what to train) -> ``executor`` (where) -> ``pool``;
``worker`` and ``train_job`` run in the worker's process.
"""
