"""Passwords in URLs reach no screen, no log, no parameter, no tag, no artifact."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from pipeline.errors import PipelineError, SettingError, describe_failure
from pipeline.masking import MaskingFormatter
from pipeline.process import call_in_fresh_process, end_process, start_process
from pipeline.study.storage import find_study
from pipeline.tracking.parent_run import check_adopted_run
from pipeline.tracking.recorded import read_study
from pipeline.tracking.store import TrackingStore, unusable_store

# SQLite has no passwords; SQLAlchemy says that it passes over one in the URL.
pytestmark = pytest.mark.filterwarnings("ignore:Query string argument")

PASSWORD = "plAnted-7391"
URL = f"postgresql://me:{PASSWORD}@here/db"
MASKED = "postgresql://me:***@here/db"


@pytest.mark.slow
def test_search_keeps_the_passwords_of_its_storage_and_its_tracking_store_to_itself(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("knobs: {blocks: 1, filters: 4, batch_size: 64, epochs: 1}\n")
    tracking = f"sqlite:///{tmp_path}/mlflow.db?password={PASSWORD}"
    storage = f"sqlite:///{tmp_path}/optuna.db?password={PASSWORD}"
    command = [sys.executable, "-m", "pipeline", "search", "--study", "tiny", "--space", "my.yaml", "--trials", "1"]
    done = subprocess.run(
        [*command, "--storage", storage],
        cwd=tmp_path, env={**os.environ, "MLFLOW_TRACKING_URI": tracking}, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"' in done.stdout
    written = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {Path("mlflow.db"), Path("optuna.db"), Path("mlruns/studies/tiny.log")} <= set(written)
    assert [path for path, content in written.items() if PASSWORD.encode() in content] == []
    assert PASSWORD not in done.stdout + done.stderr
    client = MlflowClient(tracking)
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, "tags.`pipeline.kind` = 'study'")
    assert run.data.params["storage"] == storage.replace(PASSWORD, "***")


def test_errors_about_stores_mask_their_passwords(tmp_path: Path) -> None:
    store = TrackingStore(f"sqlite:///{tmp_path}/mlflow.db?password={PASSWORD}")
    store.open()
    with pytest.raises(SettingError) as missing:
        read_study(store, "tiny")
    with pytest.raises(SettingError) as refused:
        find_study(f"nosql://me:{PASSWORD}@here/db", "tiny")
    texts = [str(missing.value), str(refused.value), str(unusable_store(URL, ValueError(f"cannot reach {URL}")))]
    assert [text for text in texts if PASSWORD in text or "***" not in text] == []


def test_failure_of_a_training_is_described_without_the_password() -> None:
    assert describe_failure(ConnectionError(f"cannot reach {URL}")) == f"ConnectionError: cannot reach {MASKED}"


def test_message_of_a_library_reaches_the_log_without_the_password(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "tiny.log")
    handler.setFormatter(MaskingFormatter())
    try:
        raise ValueError(f"no answer from {URL}")
    except ValueError as error:
        record = logging.LogRecord("lib", logging.WARNING, "x.py", 1, "lost %s", (URL,), (ValueError, error, None))
    handler.emit(record)
    handler.close()
    text = (tmp_path / "tiny.log").read_text()
    assert PASSWORD not in text
    assert text.count(MASKED) == 2


def warn_and_die() -> None:
    logging.getLogger("lib").warning("no answer from %s", URL)
    raise SystemError(f"no answer from {URL}")


def start_badly(connection: object) -> None:
    warn_and_die()


def test_what_a_process_of_ours_logs_is_masked(tmp_path: Path) -> None:
    process, connection = start_process(start_badly, log=tmp_path / "log")
    end_process(process, patience_seconds=60)
    connection.close()
    text = (tmp_path / "log").read_text()
    assert process.exitcode == 1
    assert f"SystemError: no answer from {MASKED}" in text
    assert f"no answer from {MASKED}\nTraceback" in text
    with pytest.raises(PipelineError) as told:
        call_in_fresh_process(warn_and_die, log=tmp_path / "log")
    assert str(told.value) == f"SystemError: no answer from {MASKED}"


def test_password_that_mlflow_run_has_stored_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TrackingStore(f"sqlite:///{tmp_path}/mlflow.db")
    adopted = store.client.create_run(store.client.create_experiment("digits")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", adopted)
    store.client.log_param(adopted, "storage", "postgresql://me@here/db")
    check_adopted_run(store)
    store.client.log_param(adopted, "other", URL)
    with pytest.raises(SettingError, match=f"other must have no password .* stored it in run {adopted}; delete"):
        check_adopted_run(store)
