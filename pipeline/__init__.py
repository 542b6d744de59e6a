"""Search the knobs of a Keras image classifier with Optuna, and keep every trial in MLflow.

The folders tell the way of the data:

command line (``cli``) -> files (``paths``) -> ``settings`` -> search space (``knobs``) -> images (``data``)
-> network (``model``) -> ``training`` -> ``evaluation`` -> ``tracking`` (MLflow) -> ``workers`` (processes)
-> ``study`` (Optuna) -> ``baselines`` (trainings outside a study) -> ``promotion`` (the test images, the registry)

A room may import from those before it and from none behind it; ``errors`` and ``locks`` (between processes) serve all
of them, and nothing imports the command line. TensorFlow is imported inside functions alone, so that ``--help`` answers
at once.
"""

__version__ = "0.1.0"
