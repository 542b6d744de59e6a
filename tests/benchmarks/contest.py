"""The contest: each competitor with each seed in a process of its own, as many at a time as there are cores."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil

from .competitors.progress import n_trainings, read_lines
from .competitors.task import Task

ROOT = Path(__file__).parents[2]
_PROGRAM = "tests.benchmarks.competitors"
_EVALUATION_SECONDS = 600
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
_HIDDEN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI", "TF_ENABLE_ONEDNN_OPTS")


def hold_contest(tasks: Iterable[Task], cores: list[int], say: Callable[[str], None]) -> None:
    """Run the tasks that have no result yet, one a core at a time; ``say`` gets a line for each that ends."""
    free: queue.Queue[int] = queue.Queue()
    for core in cores:
        free.put(core)

    def run(task: Task) -> None:
        core = free.get()
        try:
            say(f"{task.competitor}, seed {task.seed}: {describe(run_task(replace(task, core=core)))}")
        finally:
            free.put(core)

    open_tasks = [task for task in tasks if not task.result_file.exists()]
    with ThreadPoolExecutor(len(cores)) as pool:
        for done in [pool.submit(run, task) for task in open_tasks]:
            done.result()


def run_task(task: Task) -> Mapping[str, object]:
    """Run a competitor for its budget, kill it after the grace, evaluate what it holds, and write the result."""
    shutil.rmtree(task.path, ignore_errors=True)
    task = replace(task, start=time.time())
    task.write()
    was_killed = _run(task, "run", 60 * task.minutes + task.grace_seconds)
    seconds = time.time() - task.start
    _run(task, "evaluate", _EVALUATION_SECONDS)
    answer = json.loads(task.answer_file.read_text()) if task.answer_file.exists() else {}
    lines = read_lines(task.progress_file)
    result = {
        "competitor": task.competitor, "seed": task.seed, "minutes": task.minutes,
        "val_accuracy": answer.get("val_accuracy"), "test_accuracy": answer.get("test_accuracy"),
        "n_trainings": n_trainings(lines), "n_epochs": sum("epoch" in line for line in lines),
        "seconds": round(seconds, 1), "was_killed": was_killed, "held": answer.get("knobs", {}),
    }  # fmt: skip
    part = task.result_file.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1))
    part.replace(task.result_file)
    return result


def describe(result: Mapping[str, object]) -> str:
    """Return a result as a line."""
    if result["test_accuracy"] is None:
        return f"held nothing after {result['seconds']} s ({result['n_trainings']} trainings); see its log.txt"
    return (
        f"validation {result['val_accuracy']:.4f}, test {result['test_accuracy']:.4f}, "
        f"{result['n_trainings']} trainings, {result['n_epochs']} epochs, {result['seconds']} s"
    )


def _run(task: Task, action: str, limit_seconds: float) -> bool:
    """Run the competitor's process; return whether it had to be killed."""
    command = [sys.executable, "-m", _PROGRAM, action, str(task.task_file)]
    with task.log_file.open("ab") as log:
        process = subprocess.Popen(
            command, env=_environment(task), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        process.wait(timeout=limit_seconds)
        return False
    except subprocess.TimeoutExpired:
        return True
    finally:
        _kill(process)


def _environment(task: Task) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2", "MLFLOW_DISABLE_TELEMETRY": "true", **_ONE_THREAD}
    return kept | own | ({"TF_ENABLE_ONEDNN_OPTS": "1"} if task.has_prior or task.competitor == "recipe" else {})


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and those that it has started, which Ray puts into sessions of their own."""
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
