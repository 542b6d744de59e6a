"""The classical model: kernel discriminant analysis on flattened images, a matter of seconds for 50,000 of them."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from pipeline.data.image_set import Array, ImageSet
from pipeline.data.pixels import in_parts
from pipeline.data.source import Split
from pipeline.evaluation.assessment import Assessment, Fold
from pipeline.evaluation.scores import Predictions
from pipeline.tracking import names
from pipeline.tracking.model_log import log_classical
from pipeline.tracking.training_artifacts import log_judgement
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.ending import Cause, Ending
from pipeline.training.result import Epoch, TrainingResult

_PRINCIPAL_COMPONENTS = 60
_LANDMARKS = 2000
_KERNEL_WIDTH = 0.7  # of the radial kernel, in units of 1 / variance of the images
_SHRINKAGE = 1e-4
_MOST_IMAGES = 60_000  # more change little, and would not fit into memory as kernel features
_IMAGES_FOR_COMPONENTS = 5_000


def train_classical(split: Split, *, run: TrainingRun, seed: int) -> Epoch:
    """Fit the classical model, log it in its run as a training of one epoch, and return that."""
    start = time.perf_counter()
    model = fit_classical(split.train, seed=seed)
    seconds = time.perf_counter() - start
    fitted, judged = _judge(model, split.train), _judge(model, split.validation)
    epoch = Epoch(
        1, _loss(fitted), _accuracy(fitted), _loss(judged), _accuracy(judged), learning_rate=0.0, epoch_seconds=seconds
    )
    run.log_epoch(1, epoch.metrics())
    assessment = _assess(split, epoch, judged)
    log_judgement(run, judged, assessment.images)
    run.log_text(f"{model}\n", names.ARCHITECTURE_FILE)
    model_id = log_classical(run, model, split.input_shape, split.class_names)
    run.log_summary({**assessment.figures(), "n_parameters": _n_parameters(model)}, model_id=model_id)
    return epoch


def _assess(split: Split, epoch: Epoch, judged: Predictions) -> Assessment:
    n_images = min(len(split.train.labels), _MOST_IMAGES)
    result = TrainingResult(
        network=None, epochs=(epoch,), best_epoch=epoch, ending=Ending(Cause.COMPLETE),
        train_seconds=epoch.epoch_seconds,
        images_per_second=n_images / epoch.epoch_seconds,
    )  # fmt: skip
    return Assessment((Fold(1, result, epoch, judged, split.validation.images),), n_folds=1, best_fold=1)


def fit_classical(images: ImageSet, *, seed: int) -> Any:
    """Return a fitted scikit-learn pipeline that takes raw images of shape (n, ...).

    Principal components, the radial kernel by the Nystroem method (Williams and Seeger 2001), linear discriminant
    analysis with shrinkage: every step is solved in closed form.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.kernel_approximation import Nystroem
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    sample = images.subset(_sample(images, seed))
    n_pixels = int(np.prod(images.input_shape))
    flatten = FunctionTransformer(np.reshape, kw_args={"shape": (-1, n_pixels)})
    n_components = min(_PRINCIPAL_COMPONENTS, n_pixels, len(sample.labels))
    flat = flatten.transform(sample.images[:_IMAGES_FOR_COMPONENTS]).astype(np.float32)
    components = PCA(n_components, random_state=seed).fit(flat)
    parts = (flatten.transform(part).astype(np.float32) for part in in_parts(sample.images))
    reduced = np.concatenate([components.transform(part) for part in parts])
    width = _KERNEL_WIDTH / max(float(reduced.var(axis=0).sum()), 1e-12)
    kernel = Nystroem(gamma=width, n_components=min(_LANDMARKS, len(reduced)), random_state=seed).fit(reduced)
    classes = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE)
    classes.fit(kernel.transform(reduced).astype(np.float32), sample.labels)
    return Pipeline([("flatten", flatten), ("components", components), ("kernel", kernel), ("classes", classes)])


def _sample(images: ImageSet, seed: int) -> Array:
    """Return the indices of all images in random order, or of as many as can be had."""
    return np.random.default_rng(seed).permutation(len(images.labels))[:_MOST_IMAGES]


def _judge(model: Any, images: ImageSet) -> Predictions:
    parts = [model.predict_proba(part) for part in in_parts(images.images)]
    return Predictions(np.concatenate(parts), images.labels, images.class_names)


def _accuracy(predictions: Predictions) -> float:
    return float((predictions.predicted == predictions.labels).mean())


def _loss(predictions: Predictions) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(predictions.labels, predictions.probabilities, labels=range(len(predictions.class_names))))


def _n_parameters(model: Any) -> int:
    parts = model.named_steps
    fitted = (parts["components"].components_, parts["kernel"].components_, parts["kernel"].normalization_)
    return sum(array.size for array in (*fitted, parts["classes"].coef_, parts["classes"].intercept_))
