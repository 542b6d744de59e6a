"""A logged model says what it takes and gives, and how its output is to be read."""

from __future__ import annotations

from typing import Any

import mlflow
import mlflow.keras
import numpy as np
import pytest

from pipeline.data.image_set import make_image_set
from pipeline.data.scaling import Scaling
from pipeline.errors import PipelineError
from pipeline.knobs.table import complete
from pipeline.model.architecture import make_architecture
from pipeline.model.mirrored import with_mirrored_prediction
from pipeline.model.network import build_network
from pipeline.tracking.loaded_model import load_model
from pipeline.tracking.model_log import log_network, log_served_model
from pipeline.tracking.parent_run import ParentRun
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
    run_id = ParentRun(store, "none", experiment).start_run("some", tags={}, parameters={}, files={})
    return TrainingRun.resume(store, run_id)


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


@pytest.mark.filterwarnings("ignore:.*An input example was not provided")  # its signature is written by hand
@pytest.mark.parametrize("output", READINGS)
def test_served_model_answers_with_a_table_whatever_its_output(run: TrainingRun, output: str) -> None:
    network = network_of(output)
    images = np.random.default_rng(0).integers(0, 256, (600, 8, 8, 1)).astype(np.uint8)
    known = make_image_set(name="some", source="some", images=images, labels=np.arange(600) % 2,
                           class_names=("cat", "dog"))  # fmt: skip

    loaded = load_model(run.store, f"models:/{log_served_model(run, network, known)}")

    outputs = np.asarray(network(images.astype(np.float32)), np.float64)
    expected = outputs if output == "softmax" else np.hstack([1 - outputs, outputs])
    table = loaded.table(images)
    assert list(table.columns) == ["class", "probability", "probability_cat", "probability_dog"]
    np.testing.assert_allclose(table[["probability_cat", "probability_dog"]], expected, atol=1e-5)
    assert table["class"].tolist() == ["dog" if dog > cat else "cat" for cat, dog in loaded.probabilities(images)]
    np.testing.assert_array_equal(table["probability"], loaded.probabilities(images).max(axis=1))
    assert (loaded.class_names, loaded.input_shape, loaded.pixel_range) == (("cat", "dog"), (8, 8, 1), (0, 255))
    assert loaded.latency_ms(images[:3]) > 0
    with pytest.raises(Exception, match=r"images must have the shape \(n, 8, 8, 1\), got \(2, 8, 8, 3\)"):
        loaded.table(images[:2].repeat(3, axis=-1))


@pytest.mark.filterwarnings("ignore:.*An input example was not provided")
def test_mirrored_prediction_is_part_of_the_logged_and_of_the_served_model(run: TrainingRun) -> None:
    network = with_mirrored_prediction(network_of("softmax"))
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)
    known = make_image_set(name="some", source="some", images=images, labels=np.arange(20) % 2)

    logged = mlflow.keras.load_model(f"models:/{log_network(run, network, ('0', '1'), provenance={})}")
    served = load_model(run.store, f"models:/{log_served_model(run, network, known)}")

    expected = np.asarray(network(images))
    np.testing.assert_allclose(np.asarray(logged(images)), expected, atol=1e-5)
    np.testing.assert_allclose(served.probabilities(images), expected, atol=1e-5)
    np.testing.assert_allclose(served.probabilities(images[:, :, ::-1]), expected, atol=1e-5)


def test_model_of_another_origin_is_told_apart(run: TrainingRun) -> None:
    model_id = log_network(run, network_of("softmax"), ("cat", "dog"), provenance={})

    with pytest.raises(PipelineError, match="no model of this project: its metadata lack input_shape, pixel_range"):
        load_model(run.store, f"models:/{model_id}")


def test_model_that_a_killed_worker_had_begun_to_log_is_gone_when_its_training_has_logged_another(
    run: TrainingRun,
) -> None:
    client = run.store.client
    whole = log_network(run, network_of("softmax"), ("cat", "dog"), provenance={})
    begun = client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    run.log_epoch(1, {"loss": 0.5})
    run.flush()
    again = TrainingRun.resume(run.store, run.run_id)

    last = log_network(again, network_of("softmax"), ("cat", "dog"), provenance={})

    found = {str(model.model_id) for model in client.search_logged_models([run.experiment_id])}
    assert {whole, last} <= found
    assert begun.model_id not in found
