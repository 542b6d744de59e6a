"""A logged model says what it takes and gives, and how its output is to be read."""

from __future__ import annotations

from typing import Any

import mlflow
import mlflow.keras
import numpy as np
import pytest

from pipeline.data.scaling import Scaling
from pipeline.knobs.table import complete
from pipeline.model.architecture import make_architecture
from pipeline.model.network import build_network
from pipeline.tracking.model_log import log_network
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun

READINGS = {
    "softmax": (2, {"class_names": ["cat", "dog"], "output": "softmax"}),
    "sigmoid": (1, {"class_names": ["cat", "dog"], "output": "sigmoid", "positive_class": "dog"}),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """Return a run in a store of its own."""
    folder = tmp_path_factory.mktemp("store")
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = store.client.create_experiment("some", artifact_location=str(folder / "artifacts"))
    return TrainingRun.start(store, experiment_id=experiment, parent_run_id="none", name="some", tags={}, parameters={})


def network_of(output: str) -> Any:
    architecture = make_architecture(
        complete({"blocks": 1, "filters": 2, "output": output}), input_shape=(8, 8, 1), n_classes=2,
        pixel_scaling=Scaling((1 / 255,), (0.0,)),
    )  # fmt: skip
    return build_network(architecture)


@pytest.mark.parametrize("output", READINGS)
def test_logged_model_states_its_outputs_width_and_how_to_read_it(run: TrainingRun, output: str) -> None:
    width, metadata = READINGS[output]
    network = network_of(output)

    model_id = log_network(run, network, ("cat", "dog"), provenance={})

    info = mlflow.models.get_model_info(f"models:/{model_id}")
    assert info.signature.outputs.inputs[0].shape == (-1, width)
    assert info.signature.inputs.inputs[0].shape == (-1, 8, 8, 1)
    assert info.metadata == metadata
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.float32)
    loaded = mlflow.keras.load_model(f"models:/{model_id}")
    np.testing.assert_allclose(np.asarray(loaded(images)), np.asarray(network(images)), rtol=1e-5)
