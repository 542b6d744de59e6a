"""From a study's best trials to a champion in the model registry.

``promote`` is the whole way: ``preparation`` (check everything) -> ``finalists`` (train the best over several seeds,
refit the winner on all images) -> ``evaluation`` (the sealed test images, opened in that module alone) -> ``gate``
(champion or not) -> ``registration``. ``rollback`` and ``prediction`` work with registered models.
"""
