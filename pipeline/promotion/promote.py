"""A whole promotion: finalists, refit, one look at the test images, the gate."""

from __future__ import annotations

import os

from pipeline.baselines.session import JobSession
from pipeline.errors import GateRefused, TrainingsFailed
from pipeline.promotion.audience import Audience
from pipeline.promotion.conclusion import Candidate, conclude
from pipeline.promotion.finalists import Finalist, finalist_jobs, finalists_table, judge, noise_line
from pipeline.promotion.gate import Decision
from pipeline.promotion.locks import promotion_lock
from pipeline.promotion.preparation import Promotion, prepare
from pipeline.promotion.refit import METRIC, RefitSession, refit_job
from pipeline.settings import PromoteSettings
from pipeline.tracking import names
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import TrainingRecord
from pipeline.tracking.registry import Version
from pipeline.tracking.training_run import TrainingRun


def promote(settings: PromoteSettings, audience: Audience) -> Version:
    """Make the best of a study's finalists the champion, if the gate lets it pass; return its version.

    Raises:
        InputError: something cannot be used; nothing was written.
        TrainingsFailed: there is nothing to promote.
        GateRefused: the candidate is registered, and stays challenger; or another promotion is at work.
    """
    adopted = os.environ.pop("MLFLOW_RUN_ID", None)
    promotion = prepare(settings, audience)
    store, study = promotion.store, promotion.study
    with promotion_lock(store, promotion.name):
        experiment_id = store.experiment_of(adopted, name=promotion.training.dataset_name)
        parent = ParentRun.open(
            store, name=f"promote-{promotion.name}", tags={names.KIND: "promote", names.STUDY: study.name},
            experiment_id=experiment_id, adopted=adopted,
        )  # fmt: skip
        with parent.ended():
            parent.log_settings({**settings.as_parameters(), **promotion.training.as_parameters()})
            parent.log_data(promotion.data)
            winner = _find_winner(promotion, parent)
            fitted = _refit(promotion, winner, parent)
            version, decision = _judge_candidate(promotion, winner, fitted, parent)
    if not decision.is_pass:
        raise GateRefused(f"refused: {promotion.name} version {version.number} stays challenger: {decision.reason}")
    audience.say(f"{promotion.name} version {version.number} is champion: {decision.reason}")
    return version


def _find_winner(promotion: Promotion, parent: ParentRun) -> Finalist:
    settings, metric = promotion.settings, promotion.metric
    jobs = finalist_jobs(
        promotion.finalists, promotion.study, seed=promotion.training.seed, n_seeds=settings.seeds
    )  # fmt: skip
    done = promotion.train(jobs, parent, kind=JobSession, noun="finalists' trainings", metric=metric)
    finalists = judge(
        promotion.finalists, jobs, done, data=promotion.data, settings=promotion.training, metric=metric
    )  # fmt: skip
    parent.log_table(finalists_table(finalists, metric), names.FINALISTS_FILE)
    parent.log_progress({"seed_spread": finalists[0].scores.spread, "seed_mean": finalists[0].scores.mean}, step=0)
    promotion.audience.compare(finalists, metric)
    if line := noise_line(finalists, metric):
        parent.log_tags({"pipeline.noise": line})
        promotion.audience.say(line)
    return finalists[0]


def _refit(promotion: Promotion, winner: Finalist, parent: ParentRun) -> TrainingRecord:
    job = refit_job(winner, promotion.study, seed=promotion.training.seed)
    done = promotion.train([job], parent, kind=RefitSession, noun="refits", metric=METRIC)
    fitted = done.get(job.fingerprint(promotion.data, promotion.training))
    if fitted is None or fitted.model_id is None:
        raise TrainingsFailed(f"{job.name}, the winner on all images, left no model; see its run, or {promotion.log}")
    return fitted


def _judge_candidate(
    promotion: Promotion, winner: Finalist, fitted: TrainingRecord, parent: ParentRun
) -> tuple[Version, Decision]:
    configuration = winner.training.configuration().without_validation(winner.n_epochs)
    tags = {names.KIND: "final", names.STUDY: promotion.study.name, names.FINALIST_OF: winner.training.run_id}
    run = TrainingRun.start(
        promotion.store, experiment_id=parent.experiment_id, parent_run_id=parent.run_id,
        name=f"final-{promotion.name}", tags=tags, parameters=configuration.parameters(),
    )  # fmt: skip
    candidate = Candidate(winner, fitted, configuration.image_size)
    version, decision = conclude(promotion, candidate, run)
    marks = {"decision": decision.verdict.value, "decision_reason": decision.reason, "model_version": version.number}
    for one in (run, parent):
        one.log_tags({f"pipeline.{name}": text for name, text in marks.items()})
    run.end(names.State.COMPLETE, "")
    return version, decision
