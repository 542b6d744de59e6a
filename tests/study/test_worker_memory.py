"""Workers and memory: they are replaced before it grows, and a trial that runs out of it does not end the study."""

from __future__ import annotations

import numpy as np
import pytest
from workplace import Workplace

from pipeline.training.ending import State
from pipeline.workers import pool
from pipeline.workers.events import Ended, Ready

# 16 images of 1024x1024 pixels through 1,024 filters are 64 GiB of features for a single layer.
HUGE_AND_SMALL = """
knobs:
  {blocks: 1, filters: {choices: [1, 1024]}, kernel_size: 1, batch_norm: false, head: global_max, batch_size: 16,
   epochs: 1}
first_trials:
  - {filters: 1024}
  - {filters: 1}
"""


@pytest.mark.slow
def test_trial_that_runs_out_of_memory_fails_with_the_reason_and_the_study_goes_on(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")  # oneDNN ends the process where an allocation fails
    (workplace.folder / "tiny.yaml").write_text(HUGE_AND_SMALL)
    pixels = np.random.default_rng(0).integers(0, 255, (24, 1024, 1024), dtype=np.uint8)
    labels = np.arange(24) % 2
    data = workplace.folder / "big.npz"
    np.savez(data, x_train=pixels, y_train=labels, x_test=pixels[:2], y_test=labels[:2])
    workplace.search(dataset=str(data), trials=1, keep_models="none")
    ended = [event for event in workplace.events if isinstance(event, Ended)]
    assert [event.ending.state for event in ended] == [State.FAIL, State.COMPLETE]
    assert "out of memory" in workplace.runs("trial")[0].data.tags["pipeline.reason"]
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_worker_is_replaced_after_its_share_of_trials(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "TRAININGS_PER_WORKER", 1)
    assert workplace.search(trials=2, keep_models="none").n_run == 2
    assert sum(isinstance(event, Ready) for event in workplace.events) == 2


@pytest.mark.slow
def test_workers_per_gpu_train_side_by_side(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # where there is none, TensorFlow takes the CPU

    assert workplace.search(trials=3, workers_per_gpu=2, keep_models="none").n_run == 3

    assert sum(isinstance(event, Ready) for event in workplace.events) == 2
    assert workplace.runs("study")[0].data.params["workers_per_gpu"] == "2"
