"""The project's files agree with each other, and ``mlflow run`` works from anywhere."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.projects._project_spec import Project, load_project

import pipeline
import pipeline.settings
from pipeline.cli import cli
from pipeline.cli.options import SettingsCommand
from pipeline.settings import make_settings
from pipeline.settings.fields import Option, options

ROOT = Path(pipeline.__file__).parent.parent
PARAMETERS = {"space": "my.yaml", "trials": "2", "epochs": "1", "keep_models": "none", "study": "far"}
SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 256}\n"
ENTRY_POINTS = ["main", "search", "baselines", "train", "promote", "rollback", "predict", "doctor"]

pytestmark = pytest.mark.skipif(not (ROOT / "MLproject").exists(), reason="the project is installed without its files")


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(str(ROOT))


def command_of(entry_point: str) -> SettingsCommand:
    command = cli.commands["search" if entry_point == "main" else entry_point]
    assert isinstance(command, SettingsCommand)
    return command


def options_of(entry_point: str) -> dict[str, Option]:
    return {option.name: option for option in options(command_of(entry_point).settings)}


def test_every_entry_point_is_a_command_and_every_command_an_entry_point(project: Project) -> None:
    assert sorted(project._entry_points) == sorted(ENTRY_POINTS)
    assert set(cli.commands) == set(ENTRY_POINTS) - {"main"}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_parameters_of_an_entry_point_are_the_fields_of_its_settings(entry_point: str, project: Project) -> None:
    declared = project.get_entry_point(entry_point).parameters
    defaults = {name: str(parameter.default) for name, parameter in declared.items() if parameter.default is not None}
    assert set(declared) == set(options_of(entry_point))
    assert defaults == {name: one.default for name, one in options_of(entry_point).items() if not one.is_required}


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_command_line_that_mlflow_makes_gives_the_settings(entry_point: str, project: Project, tmp_path: Path) -> None:
    wanted = {
        "dataset": "cifar10", "validation_share": "0.25", "config": "cifar10_model_1", "name": "mine", "force": "true",
        "input": str(tmp_path),
    }  # fmt: skip
    given = {name: value for name, value in wanted.items() if name in options_of(entry_point)}
    line = project.get_entry_point(entry_point).compute_command(given, str(tmp_path))
    words = shlex.split(line)
    command = command_of(entry_point)
    assert words[:4] == ["python", "-m", "pipeline", command.name]
    parsed = command.make_context(command.name, words[4:], parent=click.Context(cli)).params
    assert set(parsed) == set(options_of(entry_point))
    chosen = {name: value for name, value in parsed.items() if value is not None}
    assert make_settings(command.settings, **chosen) == make_settings(command.settings, **given)


def test_conda_environment_has_the_dependencies_of_the_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())["dependencies"]
    (pip,) = [part["pip"] for part in conda if isinstance(part, dict)]
    assert sorted(pip) == sorted(declared)


def test_readme_names_both_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "pip install -e '.[test]' && mlflow run . -e search --env-manager local" in readme
    assert "pip install -e '.[test]' && pytest" in readme


def test_readme_names_every_option_value_that_the_settings_know() -> None:
    readme = (ROOT / "README.md").read_text()
    listed = (*pipeline.settings.SAMPLERS, *pipeline.settings.PRUNERS)
    assert [name for name in listed if f"`{name}`" not in readme] == []


def test_tracked_mlruns_folder_is_empty() -> None:
    listed = subprocess.run(["git", "ls-files", "mlruns"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("the project's files are not in git here")
    assert listed.stdout.splitlines() == ["mlruns/.gitkeep"]


def mlflow_run(uri: str, folder: Path, scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run the project from ``folder``, with a tracking store of its own there, and clones under ``scratch``."""
    (folder / "my.yaml").write_text(SPACE)
    scratch.mkdir(exist_ok=True)
    hidden = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "PIPELINE_DATA_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"])),
        "TMPDIR": str(scratch),
    }
    parameters = [part for name, value in PARAMETERS.items() for part in ("-P", f"{name}={value}")]
    return subprocess.run(
        [sys.executable, "-m", "mlflow", "run", uri, "-e", "search", "--env-manager", "local", *parameters],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def assert_study_is_complete(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (study_run,) = [run for run in runs if run.data.tags["pipeline.kind"] == "study"]
    trials = [run for run in runs if run.data.tags["pipeline.kind"] == "trial"]
    assert len(runs) == 3  # the run that `mlflow run` made is the study's
    assert study_run.data.tags["mlflow.project.entryPoint"] == "search"
    assert study_run.info.status == "FINISHED"
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {study_run.info.run_id}
    assert {run.info.status for run in trials} <= {"FINISHED", "KILLED"}
    assert {run.data.params["epochs"] for run in trials} == {"1"}
    assert (folder / "mlruns" / "studies" / "far.journal").is_file()


@pytest.mark.slow
def test_mlflow_run_works_from_another_folder(tmp_path: Path) -> None:
    done = mlflow_run(str(ROOT), tmp_path, tmp_path / "scratch")
    assert done.returncode == 0, done.stderr
    assert_study_is_complete(tmp_path)
    assert not (ROOT / "mlruns" / "studies" / "far.journal").exists()


@pytest.fixture
def repository(tmp_path: Path) -> str:
    """Return the git URL of the project as it is now."""
    source, served = tmp_path / "source", tmp_path / "served.git"
    wanted = ("pipeline", "search_spaces", "MLproject", "conda.yaml", "pyproject.toml")
    for name in wanted:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, source / name)  # type: ignore[operator]
    author = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*author, "commit", "-q", "-m", "As it is"]):
        subprocess.run(["git", *words], cwd=source, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(source), str(served)], check=True)
    return f"file://{served.parent}/served%2Egit"  # git decodes it, MLflow does not and so takes it for no folder


@pytest.mark.slow
def test_mlflow_run_from_a_git_url_keeps_the_study_beside_the_store(repository: str, tmp_path: Path) -> None:
    folder, scratch = tmp_path / "user", tmp_path / "scratch"
    folder.mkdir()
    done = mlflow_run(repository, folder, scratch)
    assert done.returncode == 0, done.stderr
    assert list(scratch.rglob("MLproject")), "it was not cloned"
    assert_study_is_complete(folder)
    assert not list(scratch.rglob("*.journal"))
