"""The end of a promotion: the test images are opened, the candidate is judged, registered, and let through or not."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.uncertainty import paired_test
from pipeline.promotion.evaluation import (
    IMAGE_SIZE,
    Evaluation,
    SealedImages,
    compare,
    evaluate,
    log_comparison,
    log_evaluation,
)
from pipeline.promotion.examination import reload_problem
from pipeline.promotion.finalists import Finalist
from pipeline.promotion.gate import Decision, decide, make_limits
from pipeline.promotion.preparation import Promotion
from pipeline.promotion.registration import Registration, register
from pipeline.tracking.openings import record_opening
from pipeline.tracking.recorded import TrainingRecord
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.training_run import TrainingRun


@dataclass(frozen=True)
class Candidate:
    """The winner, its refit on all images, and the side that its images are resized to (0: as they are)."""

    winner: Finalist
    fitted: TrainingRecord
    image_size: int

    @property
    def model_id(self) -> str:
        """Id of the logged model."""
        assert self.fitted.model_id is not None
        return self.fitted.model_id

    @property
    def uri(self) -> str:
        """What MLflow loads the logged model by."""
        return f"models:/{self.model_id}"


def conclude(promotion: Promotion, candidate: Candidate, run: TrainingRun) -> tuple[Version, Decision]:
    """Judge a candidate in its final ``run``; return its version and the gate's decision."""
    store, log, settings = promotion.store, promotion.log, promotion.settings
    registry = Registry(store, promotion.name)
    champion = registry.champion()
    sealed = _open(promotion, candidate, run)
    images = sealed.at(candidate.image_size)
    n_parameters = int(candidate.fitted.metrics["n_parameters"])
    evaluation = evaluate(store, candidate.uri, images, n_parameters=n_parameters, log=log)
    spread = candidate.winner.scores.spread
    log_evaluation(run, evaluation, model_id=candidate.model_id, seed_spread=spread)
    promotion.audience.say(_figures_line(evaluation))
    tags = _version_tags(promotion, candidate, evaluation, sealed)
    contest = compare(store, champion, evaluation, sealed, tags, log=log) if champion else ""
    if isinstance(contest, Comparison):
        log_comparison(run, contest, images)
    decision = decide(
        champion=champion.number if champion else None, figures=evaluation.figures(), limits=make_limits(settings),
        contest=contest if isinstance(contest, str) else paired_test(contest.candidate, contest.champion),
        force=settings.force,
    )  # fmt: skip

    def check_reload(version: Version) -> str | None:
        promotion.audience.say(f"Loading {version.name} version {version.number} back from the registry")
        return reload_problem(store, version.uri, images.images, evaluation.predictions.probabilities, log=log)

    description = f"{_figures_line(evaluation)}\n\n{candidate.winner.training.name} of study '{promotion.study.name}'"
    registration = Registration(candidate.model_id, run.run_id, tags, description)
    return register(registry, registration, champion=champion, decision=decision, check_reload=check_reload)


def _open(promotion: Promotion, candidate: Candidate, run: TrainingRun) -> SealedImages:
    """Record that the test images are about to be opened, and open them."""
    number = record_opening(
        promotion.store, promotion.study, data_digest=promotion.data.digest, candidate=candidate.model_id,
        run_id=run.run_id,
    )  # fmt: skip
    promotion.audience.say(f"The test images are opened for study '{promotion.study.name}', time number {number}")
    return SealedImages.open(promotion.training, promotion.data)


def _version_tags(
    promotion: Promotion, candidate: Candidate, evaluation: Evaluation, sealed: SealedImages
) -> dict[str, str]:
    return {
        **{name: f"{value:.6g}" for name, value in evaluation.figures().items()},
        "dataset_digest": promotion.data.digest,
        "test_digest": sealed.digest,
        "study": promotion.study.name,
        "trial": candidate.winner.training.name,
        IMAGE_SIZE: str(candidate.image_size),
    }


def _figures_line(evaluation: Evaluation) -> str:
    accuracy, (low, high) = evaluation.accuracy, evaluation.accuracy.interval
    extremes = ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in evaluation.extremes().items())
    return (
        f"Test accuracy {accuracy.value:.4f} (95 % interval {low:.4f} to {high:.4f}) on {accuracy.n_images:,} images; "
        f"{extremes}; {evaluation.latency_ms:.1f} ms an image, {evaluation.n_parameters:,} parameters"
    )
