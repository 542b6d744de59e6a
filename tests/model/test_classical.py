"""The classical model on real digits."""

from __future__ import annotations

import numpy as np

from pipeline.data.image_set import make_image_set
from pipeline.data.source import Split
from pipeline.model.classical import fit_classical


def test_classical_model_tells_digits_apart_from_raw_pixels(digits: Split) -> None:
    model = fit_classical(digits.train, seed=0)

    probabilities = model.predict_proba(digits.validation.images)

    assert probabilities.shape == (len(digits.validation.labels), 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (probabilities.argmax(axis=1) == digits.validation.labels).mean() > 0.97


def test_classical_model_repeats_with_its_seed(digits: Split) -> None:
    few = digits.train.subset(np.arange(200))

    one, again = (fit_classical(few, seed=3).predict_proba(few.images) for _ in range(2))

    np.testing.assert_array_equal(one, again)


def test_classical_model_fits_a_handful_of_sequences() -> None:
    images = np.random.default_rng(0).normal(size=(8, 40, 2)) + np.arange(8)[:, np.newaxis, np.newaxis] % 2 * 9
    few = make_image_set(name="few", source="few", images=images, labels=np.arange(8) % 2)

    assert fit_classical(few, seed=0).predict(few.images).tolist() == few.labels.tolist()
