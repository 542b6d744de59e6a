"""The command ``doctor``."""

from __future__ import annotations

from typing import Any

from pipeline.cli.options import options_of
from pipeline.settings import DoctorSettings, make_settings


@options_of(DoctorSettings)
def doctor(**given: Any) -> None:
    """Check this machine, and mend what killed commands or a move have left in studies and tracking store.

    Trials and runs that nobody works on wait for the next command or end; orphaned checkpoints and models are removed;
    a tracking store that was moved finds its artifacts again. Studies at work are left alone.
    """
    settings = make_settings(DoctorSettings, **given)

    from pipeline.doctor.examination import examine

    examine(settings, print)
