"""Follow a training for its run, for the coordinator and for whoever judges it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.tracking.curve_log import CurveLog
from pipeline.training.ending import Cause, Ending
from pipeline.training.metric import Metric
from pipeline.training.result import Epoch
from pipeline.workers.mailbox import Mailbox, Pulse


@dataclass(frozen=True, eq=False)
class Watch:
    """What happens after each epoch and batch of a training; ``judge`` returns a reason to prune, or None."""

    curves: CurveLog
    pulse: Pulse
    mailbox: Mailbox
    metric: Metric
    judge: Callable[[Epoch], str | None]
    deadline: float | None

    def begin_fold(self, n_epochs_before: int) -> None:
        """Follow the next fold; those before it have ``n_epochs_before`` together, at most."""
        self.curves.begin_fold()
        self.pulse.begin_fold(n_epochs_before)

    def on_epoch(self, epoch: Epoch) -> Ending | None:
        """Log a finished epoch, and have it judged."""
        self.curves.log(epoch)
        self.pulse.epoch_done(epoch.number, getattr(epoch, self.metric.name))
        reason = self.judge(epoch)
        return None if reason is None else Ending(Cause.PRUNED, reason)

    def on_batch(self, share: float) -> Ending | None:
        """Tell how far the epoch is, and end the training where it is interrupted or its time is up."""
        self.pulse.batch_done(share)
        if self.mailbox.is_interrupted():
            return Ending(Cause.INTERRUPTED)
        is_late = self.deadline is not None and time.time() >= self.deadline
        return Ending(Cause.TIME_UP) if is_late else None
