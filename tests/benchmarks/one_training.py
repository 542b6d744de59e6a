"""One training of a document's model, by a plain Keras script or by the trainer; run as a module, it prints JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from pipeline.paths import DOCUMENTS_DIR, default_data_dir
from pipeline.training.ending import Cause, Ending

from .options import CLOCKS

N_CLASSES = 10


@dataclass(frozen=True)
class Request:
    """A training to be measured: ``precision`` None is that of the plain script.

    It has the ``place``-th of ``n_together`` shares of the machine, counted from 0, and after its first epoch waits in
    the folder ``meeting`` until all of them are there. It ends after ``seconds`` from then on, if they are given.
    """

    model: str
    precision: str | None
    n_images: int
    n_validation: int
    epochs: int
    seed: int
    cores: int
    images: str = "cifar10"
    clock: str = "wall"
    seconds: float | None = None
    place: int = 0
    n_together: int = 1
    meeting: str = ""

    @property
    def length(self) -> dict[str, int]:
        """The knobs that have the trainer train so many epochs."""
        return {"epochs": self.epochs, "early_stopping_patience": 0}


@dataclass(frozen=True)
class Measured:
    """What a training took: ``images_per_second`` of all epochs but the first, ``seconds`` from building to the end.

    With the clock ``cpu`` both are of processor time, which tells more on a machine that has other work.
    """

    images_per_second: float
    seconds: float
    accuracy: float
    val_accuracy: float


def measure(request: Request) -> Measured:
    """Train in this process, on ``cores`` cores of its own, and measure it; validation is part of an epoch."""
    usable, first = sorted(os.sched_getaffinity(0)), request.place * request.cores
    os.sched_setaffinity(0, usable[first : first + request.cores] or usable)
    pixels, labels = load_images(request)
    train = train_by_script if request.precision is None else train_by_pipeline
    epochs = Epochs(CLOCKS[request.clock], seconds=request.seconds, meet=lambda: meet(request))
    accuracy, val_accuracy = train(request, pixels, labels, epochs)
    speed = request.n_images / median(epochs.seconds[1:] or epochs.seconds)
    return Measured(speed, epochs.total, accuracy, val_accuracy)


def meet(request: Request) -> None:
    """Wait until all trainings that are measured together have come here; who starts them ends those that wait."""
    if request.n_together > 1:
        folder = Path(request.meeting)
        (folder / f"{request.place}.ready").touch()
        while len(list(folder.glob("*.ready"))) < request.n_together:
            time.sleep(0.01)


class Epochs:
    """Takes the time from the start of a training to the end of each epoch; the second begins after ``meet``."""

    def __init__(self, clock: Callable[[], float], *, seconds: float | None, meet: Callable[[], None]) -> None:
        self._clock, self._seconds, self._meet, self._ends = clock, seconds, meet, [0.0]

    def start(self) -> None:
        """Start, when all is imported."""
        self._ends = [self._clock()]

    def end(self, *ignored: Any) -> Ending | None:
        """Take the end of an epoch, and say whether the training ends with it."""
        self._ends.append(self._clock())
        if len(self._ends) == 2:
            self._meet()
            self._ends[-1] = self._clock()
            return None
        is_over = self._seconds is not None and self._ends[-1] - self._ends[1] >= self._seconds
        return Ending(Cause.TIME_UP) if is_over else None

    @property
    def seconds(self) -> list[float]:
        """The seconds of each epoch; building the network is part of the first."""
        return [end - begin for begin, end in pairwise(self._ends)]

    @property
    def total(self) -> float:
        """The seconds of all."""
        return self._ends[-1] - self._ends[0]


def load_images(request: Request) -> tuple[Any, Any]:
    """Return the training images followed by the validation images, and their labels."""
    n_all = request.n_images + request.n_validation
    if request.images == "random":
        noise = np.random.default_rng(0)
        return noise.integers(0, 256, (n_all, 32, 32, 3), np.uint8), noise.integers(0, N_CLASSES, n_all)
    with np.load(default_data_dir() / "cifar10.npz") as arrays:
        return arrays["x_train"][:n_all], arrays["y_train"][:n_all].reshape(-1)


def train_by_script(request: Request, pixels: Any, labels: Any, epochs: Epochs) -> tuple[float, float]:
    """Train as the documents' scripts do: arrays of floats into ``fit``."""
    import keras

    model = yaml.safe_load((DOCUMENTS_DIR / f"{request.model}.yaml").read_text())
    epochs.start()
    keras.utils.set_random_seed(request.seed)
    x, y = pixels.astype("float32") / 255, keras.utils.to_categorical(labels, N_CLASSES)
    network = keras.Sequential([keras.Input((32, 32, 3)), *map(make_layer, model["layers"])])
    network.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    n = request.n_images
    history = network.fit(
        x[:n], y[:n], batch_size=model["training"]["batch_size"], epochs=request.epochs,
        validation_data=(x[n:], y[n:]), verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=epochs.end)],
    ).history  # fmt: skip
    return history["accuracy"][-1], history["val_accuracy"][-1]


def make_layer(listed: Any) -> Any:
    """Return the Keras layer that a line of a model file names."""
    import keras

    ((kind, arguments),) = listed.items() if isinstance(listed, dict) else ((listed, {}),)
    return getattr(keras.layers, kind)(**arguments)


def train_by_pipeline(request: Request, pixels: Any, labels: Any, epochs: Epochs) -> tuple[float, float]:
    """Train the same model by the trainer that every command uses."""
    import keras  # noqa: F401 - so that the clock starts after it

    from pipeline.data.image_set import make_image_set
    from pipeline.data.partition import Partition
    from pipeline.data.source import Split
    from pipeline.model.model_file import read_model_file
    from pipeline.training.configuration import model_file_configuration
    from pipeline.training.device import configure_device, resolve_precision
    from pipeline.training.image_device import choose_image_device
    from pipeline.training.metric import get_metric
    from pipeline.training.trainer import train

    assert request.precision is not None
    epochs.start()
    configure_device(threads=request.cores, n_on_gpu=request.n_together)
    images = make_image_set(name="cifar10", source="benchmark", images=pixels, labels=labels)
    places = np.arange(len(labels))
    split = Split(images, Partition(places[: request.n_images], places[request.n_images :]), "benchmark")
    model = read_model_file(DOCUMENTS_DIR / f"{request.model}.yaml")
    configuration = model_file_configuration(model)
    configuration = replace(configuration, knobs={**configuration.knobs, **request.length})
    result = train(
        build=configuration.bind(split).build, plan=configuration.plan, data=split, metric=get_metric("val_accuracy"),
        seed=request.seed, precision=resolve_precision(request.precision), on_epoch=epochs.end,
        image_device=choose_image_device(split),
    )  # fmt: skip
    last = result.epochs[-1]
    return last.accuracy, last.val_accuracy


if __name__ == "__main__":
    import sys

    print(json.dumps(asdict(measure(Request(**json.loads(sys.argv[1]))))))
