"""The device that a process trains on: precision, threads, GPU memory; set before the first tensor."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import SettingError, did_you_mean

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
_BFLOAT16_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}


def visible_gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs that this process may use, without importing TensorFlow."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(gpu for gpu in chosen.replace(" ", "").split(",") if gpu not in ("", "-1"))
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, check=False)
    return tuple(listed.stdout.split()) if listed.returncode == 0 else ()


def configure_device(*, threads: int) -> None:
    """Let GPU memory grow as needed and give TensorFlow ``threads`` threads; call before the first tensor."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def resolve_precision(setting: str) -> str:
    """Return the Keras dtype policy for the setting ``precision``.

    ``auto`` takes the fastest type that the hardware computes in: bfloat16 on GPUs of compute capability 8 and on CPUs
    with avx512_bf16 or AMX, float16 on GPUs of capability 7, else float32.

    Raises:
        SettingError: there is no such precision.
    """
    if setting == "auto":
        return PRECISIONS[fastest_precision(_gpu_capabilities(), _cpu_flags())]
    if setting not in PRECISIONS:
        raise SettingError(f"precision must be known, got '{setting}'; {did_you_mean(setting, ('auto', *PRECISIONS))}")
    return PRECISIONS[setting]


def fastest_precision(capabilities: Sequence[tuple[int, int]], cpu_flags: set[str]) -> str:
    """Return the setting that is fastest on GPUs of these compute capabilities, or without any on such a CPU."""
    if capabilities:
        return "bfloat16" if capabilities[0] >= (8, 0) else "float16" if capabilities[0] >= (7, 0) else "float32"
    return "bfloat16" if cpu_flags & _BFLOAT16_CPU_FLAGS else "float32"


def _gpu_capabilities() -> list[tuple[int, int]]:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return [detail.get("compute_capability", (0, 0)) for detail in details]


def _cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Return the flags of the first CPU, or none on systems without ``/proc``."""
    if not cpuinfo.exists():
        return set()
    flags = (line for line in cpuinfo.read_text().splitlines() if line.startswith("flags"))
    return set(next(flags, "").split())
