"""What a process finds to train on, from the environment and files that the hardware's makers provide."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import SettingError
from pipeline.process import prepare_environment
from pipeline.training.device import (
    _cpu_flags,
    fastest_precision,
    gpu_memory_mb,
    memory_share_mb,
    resolve_precision,
    visible_gpus,
)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH, with CUDA_VISIBLE_DEVICES unset."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return tmp_path


def write_nvidia_smi(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_there_are_no_gpus_without_nvidia_smi(tools: Path) -> None:
    assert visible_gpus() == ()


def test_gpus_are_those_that_nvidia_smi_lists(tools: Path) -> None:
    write_nvidia_smi(tools, '[ "$1" = --query-gpu=index ] && echo 0 && echo 1')

    assert visible_gpus() == ("0", "1")


def test_there_are_no_gpus_where_nvidia_smi_fails(tools: Path) -> None:
    write_nvidia_smi(tools, "echo NVIDIA-SMI has failed; exit 9")

    assert visible_gpus() == ()


@pytest.mark.parametrize(
    ("chosen", "gpus"),
    [("", ()), ("-1", ()), ("3", ("3",)), ("1,0", ("1", "0")), ("0, 2", ("0", "2")), ("GPU-5f2a", ("GPU-5f2a",))],
)
def test_users_choice_of_gpus_stands(
    tools: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, gpus: tuple[str, ...]
) -> None:
    write_nvidia_smi(tools, "echo 0; echo 1; echo 2; echo 3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)

    assert visible_gpus() == gpus


def test_gpu_memory_is_that_of_the_first_that_may_be_used(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_nvidia_smi(tools, '[ "$1 $2" = "--id=3 --query-gpu=memory.total" ] && echo 81559')
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")

    assert gpu_memory_mb() == 81559


@pytest.mark.parametrize("answer", ["exit 6", "echo '[N/A]'", "echo No devices were found"])
def test_gpu_memory_is_unknown_where_nvidia_smi_does_not_say(
    tools: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    write_nvidia_smi(tools, answer)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    assert gpu_memory_mb() is None


def test_gpu_memory_is_unknown_without_a_gpu(tools: Path) -> None:
    assert gpu_memory_mb() is None


@pytest.mark.parametrize(("total", "n_on_gpu"), [(81559, 2), (16384, 4), (4096, 4), (2048, 3)])
def test_processes_on_a_gpu_leave_memory_for_each_other(total: int, n_on_gpu: int) -> None:
    share = memory_share_mb(total, n_on_gpu)

    assert total / n_on_gpu / 2 - 1 <= share < total / n_on_gpu
    assert total - n_on_gpu * share >= min(n_on_gpu * 800, total // 2 - n_on_gpu)


def test_cpu_flags_are_those_of_the_first_cpu(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx2 amx_bf16\n\nprocessor\t: 1\nflags\t\t: fpu\n")

    assert {"avx2", "amx_bf16"} <= _cpu_flags(cpuinfo)


@pytest.mark.parametrize("text", ["", "processor : 0\nFeatures : neon\n"])
def test_cpu_flags_are_empty_where_the_system_lists_none(tmp_path: Path, text: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)

    assert _cpu_flags(cpuinfo) == set()
    assert _cpu_flags(tmp_path / "missing") == set()


@pytest.mark.parametrize(
    ("setting", "policy"), [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")]
)
def test_precision_is_a_keras_policy(setting: str, policy: str) -> None:
    assert resolve_precision(setting) == policy


@pytest.mark.parametrize(
    ("capabilities", "cpu_flags", "precision"),
    [
        ([], {"avx2", "avx512f"}, "float32"),
        ([], {"avx2", "avx512_bf16"}, "bfloat16"),
        ([], {"amx_bf16"}, "bfloat16"),
        ([(6, 1)], {"avx512_bf16"}, "float32"),
        ([(7, 5)], set(), "float16"),
        ([(8, 0)], set(), "bfloat16"),
        ([(9, 0), (7, 0)], set(), "bfloat16"),
    ],
)
def test_fastest_precision_is_the_narrowest_that_the_device_computes_in(
    capabilities: list[tuple[int, int]], cpu_flags: set[str], precision: str
) -> None:
    assert fastest_precision(capabilities, cpu_flags) == precision


def test_automatic_precision_is_one_of_the_policies() -> None:
    assert resolve_precision("auto") in ("float32", "mixed_bfloat16", "mixed_float16")


def test_unknown_precision_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"got 'bfloat61'; did you mean 'bfloat16'\?$"):
        resolve_precision("bfloat61")


def test_environment_of_the_user_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")

    prepare_environment()

    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "false"


@pytest.mark.slow
def test_graphs_are_not_rewritten_where_there_is_no_gpu() -> None:
    code = (
        "import tensorflow as tf; from pipeline.training.device import configure_device; configure_device(threads=1); "
        "print(tf.config.optimizer.get_experimental_options()['disable_meta_optimizer'])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})  # fmt: skip

    assert done.stdout.split() == ["True"]
