"""Trials and runs that killed commands leave are brought into agreement, Optuna's state being the one that goes."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from clinic import Clinic
from filelock import FileLock

from pipeline.errors import SettingError
from pipeline.tracking import names
from pipeline.tracking.owner import this_process


def test_trial_of_a_dead_command_waits_again_with_its_run_and_checkpoint(clinic: Clinic) -> None:
    run_id = clinic.trial()
    checkpoint = clinic.checkpoint(run_id)

    deeds = clinic.mend_all()

    assert deeds == [
        "requeued trial 0 of study 'tiny': its command is dead, and the next search goes on with it",
        "ended run study-tiny as FAILED: its command is dead",
        "2 things mended",
    ]
    (trial,) = clinic.trials()
    assert (trial.state.name, trial.params, trial.user_attrs["deaths"]) == ("WAITING", {"filters": 8}, 1)
    assert clinic.stands(run_id) == ("SCHEDULED", None)
    assert clinic.run(run_id).data.tags[names.DEATHS] == "1"
    assert clinic.stands(clinic.parent.run_id) == ("FAILED", None)
    assert checkpoint.exists()


def test_trial_that_was_killed_too_often_fails_and_its_checkpoint_goes(clinic: Clinic) -> None:
    run_id = clinic.trial(deaths=names.MAX_DEATHS - 1)
    checkpoint = clinic.checkpoint(run_id)

    deeds = clinic.mend_all()

    assert deeds[0] == "failed trial 0 of study 'tiny': it was killed 3 times (2.0 MB)"
    assert deeds[-1] == "2 things mended, 2.0 MB freed"
    assert clinic.trials()[0].state.name == "FAIL"
    assert clinic.stands(run_id) == ("FAILED", "FAIL")
    assert not checkpoint.exists()


def test_trial_that_was_killed_before_it_had_knobs_fails(clinic: Clinic) -> None:
    clinic.study.ask().set_user_attr("owner", clinic.owner)

    assert clinic.mend_all()[0] == "failed trial 0 of study 'tiny': it was killed before it had knobs"

    assert clinic.trials()[0].state.name == "FAIL"


def test_trial_of_a_space_without_anything_to_draw_waits_again(clinic: Clinic) -> None:
    trial = clinic.study.ask()
    run_id = clinic.training(clinic.parent, "trial", "trial-0000", study="tiny", trial="0")
    for key, value in {"owner": clinic.owner, "run_id": run_id}.items():
        trial.set_user_attr(key, value)

    clinic.mend_all()

    assert clinic.trials()[0].state.name == "WAITING"
    assert clinic.stands(run_id) == ("SCHEDULED", None)


def test_run_that_was_made_just_before_its_command_was_killed_stays_with_its_trial(clinic: Clinic) -> None:
    run_id = clinic.trial(knows_run=False)

    clinic.mend_all()

    assert clinic.trials()[0].user_attrs["run_id"] == run_id
    assert clinic.stands(run_id) == ("SCHEDULED", None)


@pytest.mark.parametrize(("state", "status"), [("COMPLETE", "FINISHED"), ("PRUNED", "KILLED"), ("FAIL", "FAILED")])
@pytest.mark.parametrize("was", ["RUNNING", "SCHEDULED"])
def test_run_of_a_trial_that_has_ended_ends_with_its_state(clinic: Clinic, state: str, status: str, was: str) -> None:
    run_id = clinic.trial(state, status=was, tags={names.REASON: "the command that ran it was killed"})
    checkpoint = clinic.checkpoint(run_id)

    deeds = clinic.mend_all()

    assert deeds[0].startswith(f"ended run trial-0000 of study 'tiny' as {status}: it was {was}, while its trial ")
    assert clinic.stands(run_id) == (status, state)
    assert "was killed" not in clinic.run(run_id).data.tags.get(names.REASON, "")
    assert not checkpoint.exists()


def test_run_that_says_another_end_than_its_trial_is_corrected(clinic: Clinic) -> None:
    run_id = clinic.trial("FAIL", status="FINISHED", tags={names.STATE: "COMPLETE"})

    clinic.mend_all()

    assert clinic.stands(run_id) == ("FAILED", "FAIL")


def test_run_that_has_ended_while_its_trial_waits_waits_too(clinic: Clinic) -> None:
    run_id = clinic.trial("WAITING", status="FINISHED", tags={names.STATE: "COMPLETE"})
    checkpoint = clinic.checkpoint(run_id)

    clinic.mend_all()

    assert clinic.stands(run_id) == ("SCHEDULED", None)
    assert checkpoint.exists()


def test_trial_that_waits_begins_anew_where_its_run_was_deleted(clinic: Clinic) -> None:
    run_id = clinic.trial("WAITING", status="SCHEDULED")
    clinic.store.client.delete_run(run_id)

    deeds = clinic.mend_all()

    assert deeds[0] == "detached trial 0 of study 'tiny' from its run, which is gone: it begins anew"
    assert [(trial.state.name, trial.user_attrs["run_id"]) for trial in clinic.trials()] == [("WAITING", "")]


def test_run_that_no_trial_of_the_study_has_fails(clinic: Clinic) -> None:
    clinic.trial("COMPLETE", status="FINISHED", tags={names.STATE: "COMPLETE"})
    lost = clinic.training(clinic.parent, "trial", "trial-0007", study="tiny", trial="7")

    deeds = clinic.mend_all()

    assert deeds[0] == "ended run trial-0007 of study 'tiny' as FAILED: no trial of its study has it"
    assert clinic.stands(lost) == ("FAILED", "FAIL")


def test_study_that_is_in_order_is_left_as_it_is(clinic: Clinic) -> None:
    clinic.trial("COMPLETE", status="FINISHED", tags={names.STATE: "COMPLETE"})
    clinic.trial("WAITING", status="SCHEDULED")
    clinic.store.client.set_terminated(clinic.parent.run_id, "FINISHED")
    assert clinic.mend() == ["nothing to mend"]


def test_killed_trainings_outside_studies_wait_and_evaluations_fail(clinic: Clinic) -> None:
    baselines, promotion = clinic.command("baselines", "baselines-some"), clinic.command("promote", "promote-some")
    baseline = clinic.training(baselines, "baseline", "cnn")
    finalist = clinic.training(promotion, "finalist", "cnn-seed-1", deaths="2")
    final = clinic.training(promotion, "final", "final-some")
    checkpoint = clinic.checkpoint(baseline)

    deeds = clinic.mend_all()

    assert len(deeds) == 6
    assert clinic.stands(baseline) == ("SCHEDULED", None)
    assert clinic.stands(finalist) == ("FAILED", "FAIL"), "it was killed for the third time"
    assert clinic.stands(final) == ("FAILED", "FAIL")
    assert [clinic.stands(one.run_id) for one in (baselines, promotion)] == [("FAILED", None)] * 2
    assert checkpoint.exists()


def test_training_below_a_command_that_has_ended_waits(clinic: Clinic) -> None:
    baselines = clinic.command("baselines", "baselines-some")
    baseline = clinic.training(baselines, "baseline", "cnn")
    clinic.store.client.set_terminated(baselines.run_id, "FAILED")

    clinic.mend_all()

    assert clinic.stands(baseline) == ("SCHEDULED", None)


def test_commands_at_work_are_left_alone(clinic: Clinic) -> None:
    command = clinic.command("baselines", "baselines-some", owner=this_process())
    baseline = clinic.training(command, "baseline", "cnn")

    assert clinic.mend()[-1] == "nothing to mend"

    assert [clinic.stands(run_id) for run_id in (command.run_id, baseline)] == [("RUNNING", None)] * 2


def test_study_whose_lock_is_held_is_left_out(clinic: Clinic) -> None:
    run_id = clinic.trial()
    with FileLock(clinic.places.lock):
        lines = clinic.mend()
    assert lines == ["note: study 'tiny' is left out: another command is at work on it", "nothing to mend"]
    assert clinic.trials()[0].state.name == "RUNNING"
    assert [clinic.stands(one) for one in (run_id, clinic.parent.run_id)] == [("RUNNING", None)] * 2


@pytest.mark.parametrize("owner", [this_process(), "another-host 12 1.00"], ids=["this host", "another host"])
def test_study_with_a_living_owner_is_left_out(clinic: Clinic, owner: str) -> None:
    dead, living = clinic.trial(), clinic.trial(owner=owner)
    host, process, _ = owner.split()

    lines = clinic.mend()

    assert lines == [
        f"note: study 'tiny' is left out: process {process} on {host} may be at work on it", "nothing to mend"
    ]  # fmt: skip
    assert {trial.state.name for trial in clinic.trials()} == {"RUNNING"}
    assert [clinic.stands(run_id) for run_id in (dead, living)] == [("RUNNING", None)] * 2


def test_one_study_alone_is_mended_where_it_is_named(clinic: Clinic) -> None:
    other = Clinic(clinic.folder, name="other")
    other.__dict__["experiment"] = clinic.experiment
    run_id, other_id = clinic.trial(), other.trial()
    baselines = clinic.command("baselines", "baselines-some")

    clinic.mend(study="tiny")

    assert clinic.stands(run_id) == ("SCHEDULED", None)
    assert [clinic.stands(one) for one in (other_id, baselines.run_id)] == [("RUNNING", None)] * 2
    assert len(other.mend_all()) == 4


def test_study_in_another_storage_is_pointed_out_and_mended_where_that_is_named(clinic: Clinic) -> None:
    clinic.storage = f"sqlite:///{clinic.folder / 'optuna.db'}"
    run_id = clinic.trial("COMPLETE")

    lines = clinic.mend(dry_run=True)
    assert lines[0].startswith("note: study 'tiny' is left out: its trials are in no journal beside the tracking store")

    clinic.mend_all(storage=clinic.storage)
    assert clinic.stands(run_id) == ("FINISHED", "COMPLETE")


def test_journal_that_cannot_be_read_keeps_no_other_study_from_being_mended(clinic: Clinic) -> None:
    clinic.trial()
    (clinic.store.studies / "broken.journal").write_text("no record\nof Optuna\n")

    lines = clinic.mend()

    assert lines[0].startswith("note: study 'broken' is left out: ")
    assert lines[-1] == "2 things mended"
    with pytest.raises(SettingError, match="the lines of a journal must be records"):
        clinic.mend(study="broken")


def test_journal_that_was_cut_off_is_mended_and_then_its_study(clinic: Clinic) -> None:
    clinic.trial()
    journal = clinic.places.journal
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":5,"work')
    before = clinic.files()
    wishes = clinic.mend(dry_run=True)
    assert clinic.files() == before
    assert wishes[0].startswith(f"would mend the journal {journal}, which was cut off in line ")
    assert wishes[1] == "note: study 'tiny' can be looked at only when its journal is mended"

    deeds = clinic.mend()

    number = whole.count(b"\n") + 1
    assert (
        deeds[0]
        == f"mended the journal {journal}, which was cut off in line {number}: 18 bytes are set aside beside it"
    )
    assert clinic.trials()[0].state.name == "WAITING"
    (aside,) = journal.parent.glob("tiny.journal.torn-*")
    assert aside.read_bytes() == b'{"op_code":5,"work'


def test_journal_that_another_command_writes_to_is_left_as_it_is(clinic: Clinic) -> None:
    clinic.trial()
    with clinic.places.journal.open("ab") as file:
        file.write(b'{"op_code":5,"work')
    before = clinic.places.journal.read_bytes()
    with FileLock(clinic.places.lock):
        assert clinic.mend()[0] == "note: study 'tiny' is left out: another command is at work on it"
    assert clinic.places.journal.read_bytes() == before


def test_study_that_does_not_exist_is_refused_with_those_that_do(clinic: Clinic) -> None:
    clinic.trial()
    with pytest.raises(SettingError, match=r"study must be one that exists, got 'tinny'; did you mean 'tiny'\?"):
        clinic.mend(study="tinny")


def test_storage_without_studies_is_refused_and_not_made(clinic: Clinic, tmp_path: Path) -> None:
    for storage in (str(tmp_path / "none.journal"), f"sqlite:///{tmp_path / 'none.db'}"):
        with pytest.raises(SettingError, match="storage must be one with studies, got"):
            clinic.mend(storage=storage)
    assert not list(tmp_path.glob("none.*"))


def test_study_is_mended_as_soon_as_its_command_was_killed(clinic: Clinic) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        start = psutil.Process(process.pid).create_time()
        clinic.owner = f"{socket.gethostname()} {process.pid} {start:.2f}"
        clinic.trial()
        assert clinic.mend()[1].startswith("note: study 'tiny' is left out: ")
        process.kill()
    assert clinic.mend()[-1] == "2 things mended"
