"""A whole promotion: finalists, refit, evaluation on the test images, gate, registration."""

from __future__ import annotations

from pipeline.errors import GateRefused, TrainingsFailed
from pipeline.promotion.display import PromotionDisplay
from pipeline.promotion.evaluation import (
    IMAGE_SIZE,
    Evaluation,
    compare,
    evaluate,
    log_evaluation,
    open_test_set,
    reload_problem,
)
from pipeline.promotion.finalists import (
    Finalist,
    describe_small_lead,
    finalist_jobs,
    finalists_table,
    rank_finalists,
    refit_job,
)
from pipeline.promotion.gate import Decision, decide
from pipeline.promotion.locks import promotion_lock
from pipeline.promotion.preparation import Promotion, prepare
from pipeline.promotion.registration import Candidate, register
from pipeline.settings import PromoteSettings
from pipeline.tracking import names
from pipeline.tracking.parent_run import ParentRun, command_run
from pipeline.tracking.recorded import TrainingRecord
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.run_states import end_run
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.ending import Cause, Ending


def promote(settings: PromoteSettings, display: PromotionDisplay) -> Version:
    """Make the best of a study's finalists the champion if the gate passes it; return its version.

    Raises:
        InputError: an input cannot be used; nothing was written.
        TrainingsFailed: no finalist, or not the refit, was trained to its end.
        GateRefused: the candidate is registered and stays challenger; or another promotion is running.
    """
    promotion = prepare(settings, display)
    with promotion_lock(promotion.store, promotion.name):
        opened = command_run(
            promotion.store, name=f"promote-{promotion.name}", experiment=promotion.training.dataset_name,
            tags={names.KIND: "promote", names.STUDY: promotion.study.name}, data=promotion.data,
            settings={**settings.as_parameters(), **promotion.training.as_parameters()},
        )  # fmt: skip
        with opened as parent:
            winner = _find_winner(promotion, parent)
            refit = _refit(promotion, winner, parent)
            version, decision = _run_final_evaluation(promotion, winner, refit, parent)
    if not decision.is_pass:
        raise GateRefused(f"refused: {promotion.name} version {version.number} stays challenger: {decision.reason}")
    display.show_line(f"{promotion.name} version {version.number} is champion: {decision.reason}")
    return version


def _find_winner(promotion: Promotion, parent: ParentRun) -> Finalist:
    """Train the finalists with each seed, and return the one with the best mean."""
    metric, display = promotion.metric, promotion.display
    jobs = finalist_jobs(
        promotion.finalists, promotion.study, seed=promotion.training.seed, n_seeds=promotion.settings.seeds
    )
    runs = promotion.train(jobs, parent, noun="finalists' trainings")
    finalists = rank_finalists(promotion.finalists, jobs, runs, metric)
    parent.log_table(finalists_table(finalists, metric), names.FINALISTS_FILE)
    parent.log_figures({"seed_spread": finalists[0].seed_spread, "seed_mean": finalists[0].mean_score}, step=0)
    display.show_finalists(finalists, metric)
    if line := describe_small_lead(finalists, metric):
        parent.log_tags({"pipeline.noise": line})
        display.show_line(line)
    return finalists[0]


def _refit(promotion: Promotion, winner: Finalist, parent: ParentRun) -> TrainingRecord:
    """Fit the winner on training and validation images together."""
    job = refit_job(winner, promotion.study, seed=promotion.training.seed)
    (refit,) = promotion.train([job], parent, noun="refits")
    if refit is None or refit.model_id is None:
        raise TrainingsFailed(f"{job.name}, the refit of the winner, left no model; see its run, or {promotion.log}")
    return refit


def _run_final_evaluation(
    promotion: Promotion, winner: Finalist, refit: TrainingRecord, parent: ParentRun
) -> tuple[Version, Decision]:
    """Evaluate, decide and register in a run of the kind ``final``."""
    tags = {names.KIND: "final", names.STUDY: promotion.study.name, names.FINALIST_OF: winner.training.run_id}
    run_id = parent.start_run(f"final-{promotion.name}", tags=tags, parameters=refit.parameters, files={})
    run = TrainingRun.resume(promotion.store, run_id)
    version, decision = _decide_and_register(promotion, winner, refit, run)
    marks = {"decision": decision.verdict.value, "decision_reason": decision.reason, "model_version": version.number}
    for one in (run, parent):
        one.log_tags({f"pipeline.{name}": text for name, text in marks.items()})
    end_run(promotion.store, run_id, Ending(Cause.COMPLETE))
    return version, decision


def _decide_and_register(
    promotion: Promotion, winner: Finalist, refit: TrainingRecord, run: TrainingRun
) -> tuple[Version, Decision]:
    store, log, display = promotion.store, promotion.log, promotion.display
    registry = Registry(store, promotion.name)
    champion = registry.champion()
    test = open_test_set(promotion, refit, run)
    evaluation = evaluate(refit, test.images_at(winner.image_size), log=log)
    log_evaluation(run, evaluation, model_id=refit.model_id, seed_spread=winner.seed_spread)
    display.show_line(evaluation.summary())
    tags = _version_tags(promotion, winner, evaluation, test_digest=test.digest)
    decision = decide(
        promotion.settings, figures=evaluation.figures(), champion=champion.number if champion else None,
        comparison=compare(evaluation, champion, test, tags, run=run, log=log) if champion else "",
    )  # fmt: skip

    def check_reload(version: Version) -> str | None:
        display.show_line(f"Loading {version.name} version {version.number} back from the registry")
        return reload_problem(evaluation, version, store, log=log)

    description = f"{evaluation.summary()}\n\n{winner.training.name} of study '{promotion.study.name}'"
    candidate = Candidate(str(refit.model_id), run.run_id, tags, description)
    return register(registry, candidate, champion=champion, decision=decision, check_reload=check_reload)


def _version_tags(
    promotion: Promotion, winner: Finalist, evaluation: Evaluation, *, test_digest: str
) -> dict[str, str]:  # fmt: skip
    return {
        **{name: f"{value:.6g}" for name, value in evaluation.figures().items()},
        "dataset_digest": promotion.data.images.digest,
        "test_digest": test_digest,
        "study": promotion.study.name,
        "trial": winner.training.name,
        IMAGE_SIZE: str(winner.image_size),
    }
