"""The linear probe: a network that says what logistic regression on a backbone's features says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pipeline.data.cache import ArrayCache
from pipeline.data.image_set import make_image_set
from pipeline.data.image_source import make_array_source
from pipeline.data.partition import make_partition
from pipeline.data.source import TrainingData
from pipeline.model.weights_packages import PACKAGES
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.linear_probe import BACKBONE, PROBE, fit_probe


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probe_gives_the_probabilities_of_logistic_regression_fitted_on_training_images(
    tmp_path: Path, n_classes: int
) -> None:
    if PACKAGES[BACKBONE].path() is None:
        pytest.skip(f"{PACKAGES[BACKBONE].distribution} is not installed")
    labels = np.arange(30) % n_classes
    noise = np.random.default_rng(0).integers(0, 60, (30, 32, 32, 3))
    images = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
    source = make_array_source(make_image_set(name="made", source="made", images=images, labels=labels))
    bound = PROBE.bind(
        TrainingData(source, make_partition(source, seed=0)).at(0), BackboneCache(tmp_path, ArrayCache(tmp_path))
    )

    network = fit_probe(bound)

    seen, unseen = bound.split.train, bound.split.validation
    regression = LogisticRegression(C=0.1, max_iter=2000).fit(seen.images, seen.labels)
    expected = regression.predict_proba(unseen.images)
    np.testing.assert_allclose(np.asarray(network(unseen.images)), expected, atol=1e-4)
    whole = bound.finish(network)
    np.testing.assert_allclose(np.asarray(whole(bound.images.validation.images)), expected, atol=1e-3)
