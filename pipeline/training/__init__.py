"""Train one network: ``train(...)`` gives a :class:`~pipeline.training.result.TrainingResult`."""
