"""From a study's best trials to a champion in the model registry.

``finalists`` (which, trained over seeds) -> ``refit`` (the winner on all images) -> ``evaluation`` (the sealed test
images, opened here alone) -> ``gate`` (champion or not) -> ``registration``; ``promote`` joins them.
``rollback`` and ``prediction`` work with what is registered.
"""
