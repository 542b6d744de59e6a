"""Registering, moving the alias and giving it back, in a real store, with models that nobody loads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.errors import GateRefused, SettingError
from pipeline.promotion.gate import Decision, Verdict
from pipeline.promotion.locks import alias_lock, promotion_lock
from pipeline.promotion.registration import Candidate, register
from pipeline.promotion.rollback import roll_back
from pipeline.tracking.registry import Registry, Version
from pipeline.tracking.store import TrackingStore

PASS, REFUSE = Decision(Verdict.PROMOTED, "it is better"), Decision(Verdict.REFUSED, "it is worse")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore(f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}")


@pytest.fixture
def registry(store: TrackingStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Registry:
    """Return the registry of a model that no other test has, in a store that commands find, too."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    return Registry(store, request.node.name)


def enter(
    registry: Registry, decision: Decision = PASS, *, compared_with: Version | None = None,
    check_reload: Callable[[Version], str | None] = lambda version: None,
) -> tuple[Version, Decision]:  # fmt: skip
    """Register a model of no files; it is compared with the present champion unless told otherwise."""
    client = registry.store.client
    found = client.get_experiment_by_name("some")
    experiment = found.experiment_id if found else client.create_experiment("some")
    run = client.create_run(experiment)
    model = client.create_logged_model(experiment, name="model", source_run_id=run.info.run_id)
    candidate = Candidate(model.model_id, run.info.run_id, {"study": "some"}, "A candidate.")
    champion = compared_with or registry.champion()
    return register(registry, candidate, champion=champion, decision=decision, check_reload=check_reload)


def aliases(registry: Registry) -> dict[str, str]:
    found = registry.store.client.get_registered_model(registry.name).aliases
    return {alias: str(number) for alias, number in found.items()}


def tags(registry: Registry, number: str) -> dict[str, str]:
    version = registry.version(number)
    assert version is not None
    return dict(version.tags)


def test_version_that_passes_is_champion_and_says_why(registry: Registry) -> None:
    version, decision = enter(registry)

    assert decision == PASS
    assert aliases(registry) == {"champion": "1", "challenger": "1"}
    expected = {"study": "some", "decision": "promoted", "reason": "it is better", "previous_champion": "none"}
    assert tags(registry, "1") == expected
    described = registry.store.client.get_model_version(registry.name, version.number).description
    assert described == "promoted: it is better\n\nA candidate."


def test_refused_version_stays_challenger(registry: Registry) -> None:
    enter(registry)
    enter(registry, REFUSE)

    assert aliases(registry) == {"champion": "1", "challenger": "2"}
    assert tags(registry, "2")["decision"] == "refused"


def test_version_that_does_not_repeat_its_predictions_is_refused(registry: Registry) -> None:
    _, decision = enter(registry, check_reload=lambda version: f"version {version.number} is off")

    assert decision.verdict is Verdict.REFUSED
    assert "champion" not in aliases(registry)
    assert tags(registry, "1")["reason"] == "it does not repeat its predictions: version 1 is off"


def test_alias_has_not_moved_while_the_version_is_loaded_back(registry: Registry) -> None:
    enter(registry)
    seen: list[dict[str, str]] = []

    def look(version: Version) -> None:
        seen.append(aliases(registry) | {"decision": tags(registry, version.number)["decision"]})

    enter(registry, check_reload=look)

    assert seen == [{"champion": "1", "challenger": "2", "decision": "pending"}]


def test_champion_that_came_meanwhile_is_not_replaced(registry: Registry) -> None:
    enter(registry)
    was = registry.champion()
    enter(registry)

    _, decision = enter(registry, compared_with=was)

    assert decision == Decision(Verdict.REFUSED, "version 2 became champion meanwhile")
    assert aliases(registry)["champion"] == "2"


def test_interrupted_registration_leaves_a_version_that_says_so(registry: Registry) -> None:
    def interrupt(version: Version) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enter(registry, check_reload=interrupt)

    assert aliases(registry) == {"challenger": "1"}
    assert tags(registry, "1")["decision"] == "interrupted"


def test_second_promotion_to_a_name_is_refused_while_the_first_is_running(registry: Registry) -> None:
    with (
        promotion_lock(registry.store, "some"),
        pytest.raises(GateRefused, match="another promotion to 'some' is running; wait"),
        promotion_lock(registry.store, "some"),
    ):
        pytest.fail("the lock was given twice")


def test_rollback_may_come_in_the_middle_of_a_promotion(registry: Registry) -> None:
    enter(registry)
    enter(registry)

    with promotion_lock(registry.store, registry.name):
        given_up, restored = roll_back(registry.name)

    assert (given_up.number, restored.number) == ("2", "1")
    assert aliases(registry)["champion"] == "1"


def test_rollback_while_a_promotion_is_compared_makes_the_promotion_be_refused(registry: Registry) -> None:
    enter(registry)
    enter(registry)

    _, decision = enter(registry, check_reload=lambda version: roll_back(registry.name) and None)

    assert decision == Decision(Verdict.REFUSED, "version 1 became champion meanwhile")
    assert aliases(registry) == {"champion": "1", "challenger": "3"}


def test_lock_of_the_alias_is_of_one_model(registry: Registry) -> None:
    with alias_lock(registry.store, "other"):
        assert enter(registry)[1] == PASS


def test_rollback_goes_back_to_the_first_and_not_further(registry: Registry) -> None:
    enter(registry)
    enter(registry)
    enter(registry, REFUSE)
    enter(registry)  # version 4, after version 2

    steps = [roll_back(registry.name) for _ in range(2)]

    assert [(given_up.number, restored.number) for given_up, restored in steps] == [("4", "2"), ("2", "1")]
    assert aliases(registry)["champion"] == "1"
    assert tags(registry, "4")["rolled_back_to"] == "2"
    assert tags(registry, "1")["restored_from"] == "2"
    with pytest.raises(SettingError, match="version 1 is the first; promote another"):
        roll_back(registry.name)


def test_promotion_after_a_rollback_goes_on_from_there(registry: Registry) -> None:
    enter(registry)
    enter(registry)
    roll_back(registry.name)
    enter(registry)

    assert tags(registry, "3")["previous_champion"] == "1"
    assert roll_back(registry.name)[1].number == "1"


def test_rollback_to_a_version_that_was_deleted_is_refused(registry: Registry) -> None:
    enter(registry)
    enter(registry)
    registry.store.client.delete_model_version(registry.name, "1")

    with pytest.raises(SettingError, match="version 1 was deleted"):
        roll_back(registry.name)
    assert aliases(registry)["champion"] == "2"


def test_rollback_without_a_champion_names_the_models_that_have_one(registry: Registry) -> None:
    with pytest.raises(SettingError, match=rf"with a champion \(.*\), got '{registry.name}'"):
        roll_back(registry.name)
    enter(registry)
    with pytest.raises(SettingError, match=rf"with a champion \(.*{registry.name}.*\), got 'sme'"):
        roll_back("sme")
