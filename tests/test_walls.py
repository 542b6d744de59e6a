"""The walls between the rooms: who may import what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import pipeline

PACKAGE = Path(pipeline.__file__).parent
ROOMS = (
    "masking",
    "errors",
    "act",
    "paths",
    "settings",
    "process",
    "interrupts",
    "locks",
    "disk",
    "knobs",
    "data",
    "model",
    "training",
    "evaluation",
    "tracking",
    "workers",
    "study",
    "baselines",
    "promotion",
    "doctor",
    "cli",
)


@dataclass(frozen=True)
class Import:
    """One import statement: where it stands, what it names, whether it runs with its module."""

    file: str
    line: int
    target: str
    at_module_level: bool

    @property
    def room(self) -> str:
        return self.file.split("/")[0].removesuffix(".py")

    @property
    def target_room(self) -> str | None:
        parts = self.target.split(".")
        return parts[1] if parts[0] == "pipeline" and len(parts) > 1 else None

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def read_imports(source: str, file: str) -> Iterator[Import]:
    tree = ast.parse(source)
    inside = {id(node) for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            targets = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (Import(file, node.lineno, target, id(node) not in inside) for target in targets)


IMPORTS = [
    found
    for path in sorted(PACKAGE.rglob("*.py"))
    for found in read_imports(path.read_text(encoding="utf-8"), path.relative_to(PACKAGE).as_posix())
]


def importers_of(*libraries: str) -> list[Import]:
    return [found for found in IMPORTS if found.target.split(".")[0] in libraries]


def text(imports: list[Import]) -> str:
    return "\n".join(str(found) for found in imports)


def test_every_room_is_in_the_order() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    assert rooms == set(ROOMS)


def test_relative_imports_do_not_hide_from_the_walls() -> None:
    assert not text([found for found in IMPORTS if found.target.startswith(".")])


def test_nothing_but_the_entry_imports_the_command_line() -> None:
    found = [one for one in IMPORTS if one.target_room == "cli" and one.room not in ("cli", "__main__")]
    assert not text(found)


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_from_earlier_rooms_only(room: str) -> None:
    allowed = ROOMS[: ROOMS.index(room) + 1]
    found = [one for one in IMPORTS if one.room == room and one.target_room in ROOMS]
    assert not text([one for one in found if one.target_room not in allowed])


def test_no_files_import_each_other_straight_or_through_others() -> None:
    modules = {name(path.relative_to(PACKAGE).as_posix()) for path in PACKAGE.rglob("*.py")}
    imported: dict[str, set[str]] = {module: set() for module in modules}
    for one in IMPORTS:
        target = one.target if one.target in modules else one.target.rpartition(".")[0]
        imported[name(one.file)] |= {target} & (modules - {name(one.file)})
    circles = {module for module in modules if module in reached_from(module, imported)}
    assert not circles


def name(file: str) -> str:
    """Return the module's name of a file of the package."""
    return f"pipeline.{file.removesuffix('.py').replace('/', '.')}".removesuffix(".__init__")


def reached_from(module: str, imported: dict[str, set[str]]) -> set[str]:
    """Return all modules that one imports, straight or through others, inside functions too."""
    reached: set[str] = set()
    waiting = list(imported[module])
    while waiting:
        if (one := waiting.pop()) not in reached:
            reached.add(one)
            waiting += imported[one]
    return reached


def test_tracking_alone_imports_mlflow() -> None:
    found = importers_of("mlflow")
    assert {one.room for one in found} == {"tracking"}, text(found)


def test_knobs_and_study_alone_import_optuna() -> None:
    found = importers_of("optuna")
    elsewhere = [one for one in found if one.room not in ("knobs", "study")]
    assert found
    assert not text(elsewhere)


def test_files_named_after_ray_alone_import_it() -> None:
    found = importers_of("ray")
    assert found
    assert not text([one for one in found if not one.file.startswith("workers/ray_")])


def test_tensorflow_is_imported_inside_functions_only() -> None:
    found = importers_of("tensorflow", "keras")
    assert found
    assert not text([one for one in found if one.at_module_level])


def test_import_inside_a_function_is_told_from_one_at_module_level() -> None:
    source = "import keras\ndef build():\n    def inner():\n        import tensorflow\n"
    found = {one.target: one.at_module_level for one in read_imports(source, "model/x.py")}
    assert found == {"keras": True, "tensorflow": False}


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["--version"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom pipeline.cli import main\n"
        f"sys.argv = ['pipeline', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'tensorflow', 'keras', 'mlflow', 'optuna', 'pandas', 'numpy', 'matplotlib', 'sklearn'}\n"
        "    print('LOADED', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("LOADED []")
