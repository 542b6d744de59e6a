"""Two studies on real digits, and their promotions one after another: passed, refused, forced, given back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from PIL import Image
from stage import Listener, Stage
from workplace import enter

from pipeline.data.sealed import open_test_images
from pipeline.data.source import load_training_data
from pipeline.errors import DataError, GateRefused, SettingError
from pipeline.promotion.prediction import predict
from pipeline.promotion.rollback import roll_back
from pipeline.settings import DataSettings, PredictSettings, make_settings
from pipeline.tracking.registry import Version

pytestmark = pytest.mark.slow

FIGURES = {"test_accuracy", "test_accuracy_low", "test_accuracy_high", "latency_ms", "n_parameters", "seed_spread"}


@dataclass
class Story:
    """What was done to one registered model, in this order, and what was said."""

    first: Listener = field(default_factory=Listener)
    better: Listener = field(default_factory=Listener)
    worse: Listener = field(default_factory=Listener)
    refusal: str = ""
    rollbacks: list[tuple[Version, Version]] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(set_stage: Stage) -> Story:
    """Promote the poor study, the good one, the poor one again, by force, and go back twice."""
    told = Story()
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, set_stage.folder)
        set_stage.promote("poor", told.first)
        set_stage.promote("good", told.better)
        with pytest.raises(GateRefused) as refused:
            set_stage.promote("poor", told.worse)
        told.refusal = str(refused.value)
        set_stage.promote("poor", force=True, min_accuracy=0.999)
        told.rollbacks = [roll_back("digits"), roll_back("digits")]
    return told


@pytest.fixture(autouse=True)
def _told(story: Story) -> None:
    """Have the story told before any test here."""


def artifacts(stage: Stage, run: Run, folder: str | None = None) -> set[str]:
    return {file.path for file in stage.client.list_artifacts(run.info.run_id, folder)}


def table(run: Run, artifact: str) -> pd.DataFrame:
    return pd.read_csv(StringIO(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{artifact}")))


def finals(stage: Stage) -> list[Run]:
    return sorted(stage.runs("final"), key=lambda run: run.info.start_time)


def test_first_candidate_becomes_champion(stage: Stage, story: Story) -> None:
    assert story.first.lines[-1] == "digits version 1 is champion: there was no champion"
    tags = stage.tags("1")
    assert {"test_accuracy_low", "test_accuracy_high", "dataset_digest", "study", "trial"} <= set(tags)
    assert (tags["decision"], tags["previous_champion"], tags["study"]) == ("promoted", "none", "poor")
    assert tags["trial"] == "trial-0000"
    (study,) = [run for run in stage.runs("study") if run.data.tags["pipeline.study"] == "poor"]
    assert tags["dataset_digest"] == study.inputs.dataset_inputs[0].dataset.digest


def test_finalists_are_trained_over_seeds_and_the_best_mean_wins(stage: Stage, story: Story) -> None:
    of_good = [run for run in stage.runs("finalist") if run.data.tags["pipeline.study"] == "good"]
    assert {(run.info.run_name, run.info.status) for run in of_good} == {
        (f"trial-000{trial}-seed-{seed}", "FINISHED") for trial in (0, 1) for seed in (1, 2)
    }
    winner, second = story.better.finalists
    assert winner.mean_score >= second.mean_score
    scores = {run.data.metrics["best_val_accuracy"] for run in of_good}
    assert {*winner.scores, *second.scores} == scores
    (parent,) = [run for run in stage.runs("promote") if run.data.tags["pipeline.study"] == "good"]
    listed = table(parent, "finalists.csv")
    assert listed["run"].tolist() == [winner.training.name, second.training.name]
    assert listed["seed_spread"].tolist() == pytest.approx([winner.seed_spread, second.seed_spread])


def test_winner_is_fitted_on_all_images_for_the_epochs_that_its_finalists_settled_on(
    stage: Stage, story: Story
) -> None:
    (refit,) = [run for run in stage.runs("refit") if run.data.tags["pipeline.study"] == "good"]
    winner = story.better.finalists[0]
    assert int(refit.data.params["epochs"]) == winner.n_epochs == round(np.mean(winner.best_epochs))
    history = stage.client.get_metric_history(refit.info.run_id, "loss")
    assert [point.step for point in history] == list(range(1, winner.n_epochs + 1))
    assert not {"val_loss", "val_accuracy", "best_val_accuracy"} & set(refit.data.metrics)
    assert {"curves.png", "architecture.txt"} <= artifacts(stage, refit)


def test_final_run_has_figures_on_the_test_images_and_their_artifacts(stage: Stage) -> None:
    final = finals(stage)[1]
    metrics = final.data.metrics
    assert final.info.status == "FINISHED"
    assert set(metrics) >= FIGURES
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]
    assert metrics["test_accuracy"] > 0.9
    assert metrics["n_parameters"] == int(stage.tags("2")["n_parameters"])
    files = {"confusion_matrix.png", "confusion_matrix.csv", "classification_report.csv", "misclassified.png"}
    assert files <= artifacts(stage, final)
    matrix = table(final, "confusion_matrix.csv").set_index("true").to_numpy()
    assert matrix.sum() == 360
    assert np.trace(matrix) / 360 == pytest.approx(metrics["test_accuracy"])
    assert {"pipeline.easiest_class", "pipeline.hardest_class"} <= set(final.data.tags)
    assert final.data.tags["pipeline.decision"] == "promoted"


def test_candidate_is_compared_with_the_champion_image_by_image(stage: Stage, story: Story) -> None:
    first, better, *_ = finals(stage)
    assert "comparison" not in artifacts(stage, first)
    assert artifacts(stage, better, "comparison") == {
        f"comparison/{name}"
        for name in ("classes.csv", "classes.png", "confusion_difference.csv", "confusion_difference.png",
                     "only_one_right.png")
    }  # fmt: skip
    classes = table(better, "comparison/classes.csv")
    gain = (classes["change"] * classes["images"]).sum() / 360
    gained = better.data.metrics["test_accuracy"] - first.data.metrics["test_accuracy"]
    assert gain == pytest.approx(gained)
    assert "digits version 2 is champion: it beats champion version 1" in story.better.lines[-1]


def test_worse_candidate_is_refused_with_figures_and_stays_challenger(stage: Stage, story: Story) -> None:
    assert story.refusal.startswith("refused: digits version 3 stays challenger: it does not beat champion version 2")
    assert stage.tags("3")["decision"] == "refused"
    assert stage.tags("3")["previous_champion"] == "2"
    assert stage.tags("3")["test_accuracy"] == stage.tags("1")["test_accuracy"], "the same candidate once more"


def test_what_was_trained_is_not_trained_again(story: Story) -> None:
    assert story.first.ended == ["trial-0000-seed-1", "trial-0000-seed-2", "trial-0000-refit"]
    assert story.worse.ended == []


def test_force_overrides_the_comparison_and_the_limits_and_says_so(stage: Stage) -> None:
    tags = stage.tags("4")

    assert tags["decision"] == "promoted by force"
    assert tags["reason"].startswith("forced, although it does not beat champion version 2")
    assert "test_accuracy" in tags["reason"]


def test_rollback_goes_back_step_by_step(stage: Stage, story: Story) -> None:
    steps = [(given_up.number, restored.number) for given_up, restored in story.rollbacks]
    assert steps == [("4", "2"), ("2", "1")]
    champion = stage.registry().champion()
    assert champion is not None
    assert champion.number == "1"


def test_each_opening_of_the_test_images_is_recorded_and_counted_on_its_study(stage: Stage, story: Story) -> None:
    assert (stage.n_openings("poor"), stage.n_openings("good")) == (3, 1)
    (study,) = [run for run in stage.runs("study") if run.data.tags["pipeline.study"] == "poor"]
    openings = table(study, "test_openings.csv")
    assert openings["opening"].tolist() == [1, 2, 3]
    assert openings["data_digest"].unique().tolist() == [stage.tags("1")["dataset_digest"]]
    assert openings["user"].notna().all()
    of_poor = [run for run in finals(stage) if run.data.tags["pipeline.study"] == "poor"]
    assert openings["run_id"].tolist() == [run.info.run_id for run in of_poor]
    assert "Opening the test images for study 'poor' (opening number 2)" in story.worse.lines


def test_no_run_is_left_open(stage: Stage) -> None:
    assert stage.n_running() == 0
    assert {run.info.status for run in stage.runs("promote")} == {"FINISHED"}


def test_promotion_that_is_cut_off_anywhere_leaves_no_run_open_and_no_champion(stage: Stage) -> None:
    for number, words in enumerate(("Opening the test images", "Loading")):
        before = stage.n_openings("poor")

        def interrupt(line: str, words: str = words) -> None:
            if line.startswith(words):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            stage.promote("poor", Listener(hear=interrupt), name="cut-off")

        assert stage.n_running() == 0
        assert stage.registry("cut-off").champion() is None
        assert stage.n_openings("poor") == before + 1
        assert stage.n_versions("cut-off") == number
    assert stage.tags("1", "cut-off")["decision"] == "interrupted"
    stage.promote("poor", name="cut-off")
    assert stage.tags("2", "cut-off")["decision"] == "promoted"


def test_promotion_that_is_cut_off_in_training_goes_on_where_it_was(stage: Stage) -> None:
    def interrupt(event: object) -> None:
        if listener.ended:
            raise KeyboardInterrupt

    listener = Listener(show=interrupt)
    with pytest.raises(KeyboardInterrupt):
        stage.promote("poor", listener, name="in-training", seeds=3)
    assert listener.ended == ["trial-0000-seed-3"]
    assert stage.n_running() == 0
    assert stage.n_versions("in-training") == 0

    went_on = Listener()
    stage.promote("poor", went_on, name="in-training", seeds=3)
    assert "trial-0000-seed-3" not in went_on.ended


def test_of_two_promotions_at_once_one_is_refused_and_none_is_lost(stage: Stage) -> None:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": stage.uri}
    words = ("promote", "--study", "poor", "--name", "race", "--finalists", "2", "--seeds", "2")
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "pipeline", *words], cwd=stage.folder, env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=300)[1] for process in both]

    assert sorted(process.returncode for process in both) == [0, 3]
    (refusal,) = [text for text in said if text]
    assert (
        refusal == "error: refused: another promotion to 'race' is running; wait until it has ended, then start again\n"
    )
    assert stage.n_versions("race") == 1
    champion = stage.registry("race").champion()
    assert champion is not None
    assert champion.tags["decision"] == "promoted"


def test_model_file_that_is_broken_after_registration_is_held_back_even_by_force(stage: Stage) -> None:
    (network,) = [
        path for run in stage.runs("refit") if run.data.tags["pipeline.study"] == "good"
        for path in stage.folder.rglob(f"{run.outputs.model_outputs[0].model_id}/artifacts/artifacts/network.keras")
    ]  # fmt: skip
    whole = network.read_bytes()

    def break_it(line: str) -> None:
        if line.startswith("Loading"):
            network.write_bytes(whole[: len(whole) // 2])

    try:
        with pytest.raises(GateRefused, match="it does not repeat its predictions: it cannot be loaded back"):
            stage.promote("good", Listener(hear=break_it), name="broken", force=True)
    finally:
        network.write_bytes(whole)

    assert stage.registry("broken").champion() is None
    assert stage.tags("1", "broken")["decision"] == "refused"


def test_champion_of_other_data_is_not_compared_unless_forced(stage: Stage) -> None:
    stage.promote("poor", name="moved")
    stage.client.set_model_version_tag("moved", "1", "dataset_digest", "0" * 32)

    with pytest.raises(GateRefused, match=r"champion version 1 is of other data \(digest 00000000"):
        stage.promote("good", name="moved")
    stage.promote("good", name="moved", force=True)

    assert stage.tags("3", "moved")["decision"] == "promoted by force"


def test_unknown_study_is_refused_with_the_names_of_those_there_are(stage: Stage) -> None:
    before = stage.files().keys()

    with pytest.raises(SettingError, match=r"\(good, poor\), got 'pore'; change --study"):
        stage.promote("pore")

    assert stage.files().keys() == before


def test_data_that_changed_since_the_search_is_refused(stage: Stage, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path, labels = tmp_path / "digits.npz", np.arange(100) % 10
    images = rng.integers(0, 256, (100, 8, 8)).astype(np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)

    with pytest.raises(DataError, match=r"the images that study 'poor' was run on .* but .* now splits as"):
        stage.promote("poor", dataset=str(path))


def isolated(stage: Stage, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run code with the installed packages, but without this project."""
    hidden = ("PYTHONPATH", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"MLFLOW_TRACKING_URI": stage.uri, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=stage.folder, env=environment, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip


LOAD_AND_PREDICT = """
import json, sys, warnings
sys.modules["pipeline"] = None  # importing it fails, whether or not it is installed
import mlflow.pyfunc, numpy as np
warnings.simplefilter("error", UserWarning)
model = mlflow.pyfunc.load_model("models:/digits/2")
images = np.load("images.npy")
answers = [model.predict(images.astype(kind)) for kind in ("uint8", "float32", "float64")]
assert all(answer.equals(answers[0]) for answer in answers)
assert model.predict(images[0])["class"][0] == answers[0]["class"][0]
twice = model.predict(images.repeat(2, axis=1).repeat(2, axis=2))
assert (twice["class"] == answers[0]["class"]).mean() > 0.8
print(json.dumps([list(answers[0]["class"]), list(answers[0].columns), model.metadata.metadata]))
"""


def test_registered_model_answers_without_this_project(stage: Stage) -> None:
    settings = DataSettings()
    test = open_test_images(settings, load_training_data(settings).images)
    np.save(stage.folder / "images.npy", test.images_at(0).images)

    done = isolated(stage, LOAD_AND_PREDICT)

    assert done.returncode == 0, done.stderr
    classes, columns, metadata = json.loads(done.stdout.splitlines()[-1])
    right = np.mean([name == test.class_names[label] for name, label in zip(classes, test.labels, strict=True)])
    assert right == pytest.approx(finals(stage)[1].data.metrics["test_accuracy"])
    assert columns == ["class", "probability", *(f"probability_{digit}" for digit in range(10))]
    assert metadata["class_names"] == [str(digit) for digit in range(10)]


def test_pictures_are_labelled_and_unreadable_ones_named(stage: Stage, tmp_path: Path) -> None:
    digits = load_training_data(DataSettings()).at(0).train
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for at in range(6):
        picture = Image.fromarray(digits.images[at, ..., 0]).resize((40, 40)).convert("RGB")
        picture.save(pictures / f"{digits.labels[at]}-{at}.png")
    (pictures / "torn.png").write_bytes(b"no picture")
    settings = make_settings(PredictSettings, name="digits", input=pictures, output=tmp_path / "out")

    said = predict(settings)

    assert said.table["file"].tolist() == sorted(path.name for path in pictures.glob("*-*.png"))
    assert list(said.unreadable) == ["torn.png"]
    pd.testing.assert_frame_equal(pd.read_csv(said.csv, dtype={"class": str}), said.table)
    with Image.open(said.sheet) as sheet:
        assert sheet.size[0] > 500
    first = pictures / said.table["file"][0]
    one = predict(make_settings(PredictSettings, name="digits", input=first, output=tmp_path))
    assert one.table["class"].tolist() == said.table["class"].tolist()[:1]


def test_folder_without_a_readable_picture_is_refused(stage: Stage, tmp_path: Path) -> None:
    def ask(place: Path) -> None:
        predict(make_settings(PredictSettings, name="digits", input=place, output=tmp_path / "out"))

    with pytest.raises(SettingError, match="must be an image file or a folder of them"):
        ask(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"without a file called \.png"):
        ask(tmp_path)
    (tmp_path / "torn.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"none among 1 \(cannot identify image file"):
        ask(tmp_path)
    assert not (tmp_path / "out").exists()
