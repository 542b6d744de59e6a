"""What this machine has for trainings, and what it lacks."""

from __future__ import annotations

import shutil
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from pipeline.act import describe_bytes
from pipeline.errors import PipelineError
from pipeline.process import call_in_fresh_process
from pipeline.training.device import visible_gpus

_LEAST_DISK, _LEAST_MEMORY = 2 * 10**9, 2 * 10**9  # bytes: a study's models; TensorFlow and a data set


def describe_machine(folder: Path) -> Iterator[str]:
    """Yield a line for each thing that trainings need; ``folder`` is where studies are kept.

    TensorFlow is asked for GPUs only where the system has some, in a process of its own.
    """
    yield _disk(folder)
    yield _memory()
    yield _gpus()
    yield _browser()


def _disk(folder: Path) -> str:
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    advice = f"lacking: a study may need {describe_bytes(_LEAST_DISK)}; free some space, " if free < _LEAST_DISK else ""
    return f"disk: {advice}{describe_bytes(free)} free in {there}"


def _memory() -> str:
    memory = psutil.virtual_memory()
    advice = "lacking: a worker needs about 1 GB, " if memory.available < _LEAST_MEMORY else ""
    return f"memory: {advice}{describe_bytes(memory.available)} of {describe_bytes(memory.total)} available"


def _gpus() -> str:
    if not visible_gpus():
        return "GPU: none"
    n_listed = len(visible_gpus())
    with TemporaryDirectory() as folder:
        try:
            found = call_in_fresh_process(names_of_gpus, log=Path(folder) / "log")
        except PipelineError as error:
            return f"GPU: lacking: nvidia-smi lists {n_listed}, but TensorFlow fails ({error})"
    return describe_gpus(n_listed, found)


def describe_gpus(n_listed: int, found: list[str]) -> str:
    """Return the line for GPUs of which the driver lists ``n_listed`` and TensorFlow has ``found`` some, by name."""
    if len(found) < n_listed:
        advice = "install its CUDA libraries with pip install 'knobsearch[gpu]'"
        return f"GPU: lacking: nvidia-smi lists {n_listed}, but TensorFlow finds {len(found)}; {advice}"
    return f"GPU: {len(found)} ({', '.join(sorted(set(found)))})"


def names_of_gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow finds; imports TensorFlow."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in gpus]


def _browser() -> str:
    try:
        name = str(getattr(webbrowser.get(), "name", "found"))
    except webbrowser.Error:
        return (
            "browser: lacking: there is none for the MLflow UI; open it from another machine: ssh -L "
            "5000:127.0.0.1:5000 and this one's name"
        )
    return f"browser: {Path(name).name}"
