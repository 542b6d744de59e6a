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
_CUDA_CONTEXT_MB = 800  # an allowance: context, and the code of cuDNN's and cuBLAS's kernels


def visible_gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs that this process may use, without importing TensorFlow."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(gpu for gpu in chosen.replace(" ", "").split(",") if gpu not in ("", "-1"))
    return tuple(_ask_nvidia_smi("--query-gpu=index"))


def gpu_memory_mb() -> int | None:
    """Return the memory of the first GPU that this process may use; None where it is not known."""
    gpus = visible_gpus()
    found = _ask_nvidia_smi(f"--id={gpus[0]}", "--query-gpu=memory.total") if gpus else []
    return int(found[0]) if found and found[0].isdecimal() else None


def _ask_nvidia_smi(*query: str) -> list[str]:
    """Return what it answers, word by word; nothing where it is missing or fails."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", *query, "--format=csv,noheader,nounits"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.split() if answer.returncode == 0 else []


def configure_device(*, threads: int, n_on_gpu: int = 1) -> None:
    """Let GPU memory grow as needed and give TensorFlow ``threads`` threads; call before the first tensor.

    Where ``n_on_gpu`` processes share a GPU, it grows up to this one's share of the memory. Without a GPU graphs are
    not rewritten: that lengthens the start of each training, and makes its steps no faster on a CPU.
    """
    import tensorflow as tf

    most = gpu_memory_mb() if n_on_gpu > 1 else None
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    for gpu in gpus:
        if most is None:
            tf.config.experimental.set_memory_growth(gpu, True)
        else:  # excludes the setting above, whose place the environment takes: prepare_environment
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=memory_share_mb(most, n_on_gpu))
            tf.config.set_logical_device_configuration(gpu, [limit])
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def memory_share_mb(total_mb: int, n_on_gpu: int) -> int:
    """Return how much TensorFlow may allocate in each of several processes on a GPU of ``total_mb``.

    What CUDA takes beside, for each process that uses a GPU, is left free.
    """
    share = total_mb // n_on_gpu
    return max(share - _CUDA_CONTEXT_MB, share // 2)


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
