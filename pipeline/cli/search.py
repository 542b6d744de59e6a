"""The command ``search``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import SearchSettings, make_settings


@options_of(SearchSettings)
def search(**given: Any) -> None:
    """Run a study, or continue it.

    Repeating the command resumes the study; a larger --trials or --timeout-minutes extends it.
    """
    import time
    from pathlib import Path

    begun = time.time()
    settings = make_settings(SearchSettings, **given)

    # These load Optuna and MLflow: not before the options are known to be good.
    from pipeline.cli.display import Tally, make_display
    from pipeline.cli.summary import print_summary
    from pipeline.study.search import search as run_search
    from pipeline.training.ending import State
    from pipeline.training.metric import get_metric

    n_total = settings.most_trials if settings.is_bounded_by_trials else None
    tally = Tally(n_total, "trials", get_metric(settings.metric), settings.timeout_minutes)
    display = make_display(tally)

    def start(finished: list[tuple[State, float | None]], log: Path) -> None:
        for state, value in finished:
            tally.count(state, value)
        display.start(f"study '{settings.study}'", log)

    with display:
        outcome = run_search(settings, display.show, start, start=begun)
    print_summary(outcome)
