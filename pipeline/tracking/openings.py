"""The log of test set openings: who opened the sealed test images of a study, when, and for which candidate."""

from __future__ import annotations

import getpass
import time
from datetime import UTC, datetime
from io import StringIO

import pandas as pd
from mlflow.artifacts import load_text
from mlflow.entities import Metric

from pipeline.tracking import names
from pipeline.tracking.recorded import StudyRecord
from pipeline.tracking.store import TrackingStore

_METRIC = "test_openings"
_COLUMNS = ("opening", "time", "user", "data_digest", "candidate", "run_id")


def user_name() -> str:
    """Return the name of the user who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for the user
        return "unknown"


def record_opening(
    store: TrackingStore, study: StudyRecord, *, data_digest: str, candidate: str, run_id: str
) -> int:  # fmt: skip
    """Record that the test images are about to be opened for a candidate; return how many openings there are now.

    The study's run holds that number as a tag and a metric, and ``test_openings.csv`` with a row for each opening.
    """
    client = store.client
    run = client.get_run(study.run_id)
    number = int(run.data.tags.get(names.TEST_OPENINGS, "0")) + 1
    now = datetime.now(UTC).isoformat(timespec="seconds")
    row = dict(zip(_COLUMNS, (number, now, user_name(), data_digest, candidate, run_id), strict=True))
    listed = [_earlier(f"{run.info.artifact_uri}/{names.OPENINGS_FILE}")] if number > 1 else []
    client.log_text(study.run_id, pd.concat([*listed, pd.DataFrame([row])]).to_csv(index=False), names.OPENINGS_FILE)
    client.set_tag(study.run_id, names.TEST_OPENINGS, str(number))
    client.log_batch(study.run_id, [Metric(_METRIC, number, int(time.time() * 1000), number)])
    return number


def _earlier(artifact: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(str(load_text(artifact))))
