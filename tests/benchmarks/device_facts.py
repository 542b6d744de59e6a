"""What TensorFlow finds to train on; run as a module, it prints JSON."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.process import count_cpus
from pipeline.training.device import gpu_memory_mb, resolve_precision


@dataclass(frozen=True)
class DeviceFacts:
    """The device of a process; ``gpu`` is the name of its first GPU, or empty. ``precision`` is that of ``auto``."""

    gpu: str
    compute_capability: str
    memory_mb: int | None
    cpu: str
    n_cpus: int
    precision: str
    tensorflow: str

    def __str__(self) -> str:
        if not self.gpu:
            return f"{self.cpu}, {self.n_cpus} CPUs; precision {self.precision}"
        memory = "" if self.memory_mb is None else f", {self.memory_mb:,} MiB"
        return f"{self.gpu}, compute capability {self.compute_capability}{memory}; precision {self.precision}"


def read_facts() -> DeviceFacts:
    """Return the facts of this process."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    capability = ".".join(map(str, details.get("compute_capability", ())))
    return DeviceFacts(
        gpu=details.get("device_name", "GPU") if gpus else "",
        compute_capability=capability or "unknown" if gpus else "",
        memory_mb=gpu_memory_mb() if gpus else None,
        cpu=_cpu_name(),
        n_cpus=count_cpus(),
        precision=resolve_precision("auto"),
        tensorflow=tf.__version__,
    )


def _cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


if __name__ == "__main__":
    print(json.dumps(asdict(read_facts())))
