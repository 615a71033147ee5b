import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import toolkit
from toolkit.files.experiment import folder as experiment
from toolkit.files.experiment.folder import Experiment

PACKAGE = Path(toolkit.__file__).parent
TESTS = Path(__file__).parent
EXPERIMENT_FILES = Path(experiment.__file__)

# Which rooms each room may import; errors and messages may be used by everyone.
ARROWS = {
    "core": {"core"},
    "config": {"config", "core"},
    "files": {"files", "config", "core"},
    "cluster": {"cluster", "files", "config", "core"},
    "learning": {"learning", "files", "config", "core"},
    "report": {"report", "files", "config", "core"},
    "commands": {"commands", "cluster", "learning", "report", "files", "config", "core"},
    "api": {"api", "console", "commands", "cluster", "learning", "report", "files", "config", "core"},
    "console": set(),
    "cli": {"cli", "console", "commands", "cluster", "files", "config"},
    "__main__": {"cli"},
    "__init__": {"api", "config", "console", "core", "learning"},
    "errors": set(),
    "messages": set(),
}
EVERYONE = {"errors", "messages"}

# Subjects that have a file on several floors: what may be written, what it does, the command about it.
SUBJECTS = {
    "augmentation",
    "batches",
    "callbacks",
    "config",
    "data",
    "fit",
    "folds",
    "lr_range_test",
    "members",
    "mixing",
    "neighbours",
    "optimizers",
    "plan",
    "plugins",
    "predict",
    "pseudo_labels",
    "registry",
    "schedules",
    "weight_search",
}


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(PACKAGE.rglob("*.py")))


@cache
def nodes_of(module: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(module.read_text())))


def room_of(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(module: Path) -> Iterator[str]:
    for node in nodes_of(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def unit_of(name: str) -> str:
    """The sub-room of a dotted module, or the module itself where it lies directly in its room: `core.masks`."""
    return ".".join(name.split(".")[1:3])


def name_of(module: Path) -> str:
    return ".".join(module.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def entries(folder: Path) -> list[str]:
    """What lies in a room: its modules and sub-rooms."""
    return [path.name for path in folder.iterdir() if not path.name.startswith("__") and path.name != "py.typed"]


def texts_in(module: Path) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in nodes_of(module) if isinstance(node, documented)}
    for node in nodes_of(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docstrings:
            yield node.value


def test_every_room_has_arrows() -> None:
    assert {room_of(module) for module in modules()} == set(ARROWS)


@pytest.mark.parametrize("room", ARROWS)
def test_arrows_point_one_way(room: str) -> None:
    for module in modules():
        if room_of(module) == room:
            there = {name.split(".")[1] for name in imported(module) if name.startswith("toolkit.") and name.count(".")}
            assert there <= ARROWS[room] | EVERYONE, name_of(module)


@pytest.mark.parametrize("room", ARROWS)
def test_sub_rooms_import_each_other_in_one_direction(room: str) -> None:
    known = {name_of(module) for module in modules()}
    arrows: dict[str, set[str]] = {}
    for module in modules():
        here = unit_of(name_of(module))
        there = {unit_of(name) for name in imported(module) if name in known and name.startswith(f"toolkit.{room}.")}
        if room_of(module) == room:
            arrows.setdefault(here, set()).update(there - {here})
    TopologicalSorter(arrows).prepare()  # raises a CycleError that names the circle


def test_a_room_has_some_twelve_entries() -> None:
    for folder in {module.parent for module in modules()}:
        assert len(entries(folder)) <= 12, sorted(entries(folder))


def test_a_file_name_stands_twice_only_for_the_same_subject_on_another_floor() -> None:
    folders: dict[str, list[str]] = {}
    for module in modules():
        if not module.name.startswith("__"):
            folders.setdefault(module.stem, []).append(name_of(module.parent))
    doubled = {stem: places for stem, places in folders.items() if len(places) > 1}
    assert set(doubled) <= SUBJECTS, {stem: doubled[stem] for stem in set(doubled) - SUBJECTS}
    for stem in set(doubled) - {"registry"}:  # every family of named things has its registry
        floors = [
            place.removesuffix(".checks") if ".checks" in place else place.split(".")[1] for place in doubled[stem]
        ]
        assert len(set(floors)) == len(floors), doubled[stem]


def test_only_the_runtime_imports_tensorflow() -> None:
    heavy = ("tensorflow", "tf_keras", "keras", "segmentation_models")
    found = {
        str(module.relative_to(PACKAGE)) for module in modules() for name in imported(module) if name.startswith(heavy)
    }
    assert found == {"learning/runtime.py"}


def test_only_the_study_of_a_search_lets_a_library_write_its_file() -> None:
    heavy = ("optuna", "sqlite3", "sqlalchemy")
    found = {
        str(module.relative_to(PACKAGE)) for module in modules() for name in imported(module) if name.startswith(heavy)
    }
    assert found == {"commands/training/trials/study_file.py"}


def test_only_the_console_prints() -> None:
    found = set()
    for module in modules():
        for node in nodes_of(module):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("stdout", "stderr")
                and ast.unparse(node.value) == "sys"
            ):
                found.add(str(module.relative_to(PACKAGE)))
            if isinstance(node, ast.Name) and node.id == "print":
                found.add(str(module.relative_to(PACKAGE)))
    # The runtime holds back what TensorFlow prints while it is imported.
    assert found == {"console.py", "learning/runtime.py"}


def test_only_one_module_spells_the_names_of_files_in_an_experiment() -> None:
    experiment = Experiment(Path("exp042"))
    stage = experiment.stage(0, 0)
    paths = [experiment.resolved, experiment.folds, experiment.score, experiment.image_scores, experiment.tuned]
    paths += [
        experiment.overlays,
        experiment.weight_search,
        experiment.view_search,
        experiment.preview,
        experiment.lock,
        stage.best_weights,
        stage.history,
        stage.state,
        stage.last,
        stage.negative_weights,
        experiment.lr_find_curve,
        experiment.lr_find_table,
        experiment.evaluation,
        experiment.confusion,
        experiment.curves,
        experiment.data_findings,
        experiment.data_samples,
        experiment.engine_checks,
    ]
    names = {path.name for path in paths}
    for module in modules():
        if module != EXPERIMENT_FILES:
            assert names.isdisjoint(texts_in(module)), module


def test_files_stay_small_and_say_what_lives_there() -> None:
    for module in modules():
        text = module.read_text()
        assert len(text.splitlines()) <= 400, module
        (tree,) = (node for node in nodes_of(module) if isinstance(node, ast.Module))
        assert ast.get_docstring(tree), module


def test_no_code_is_read_from_data() -> None:
    # Keras' own load_model runs code from a file; ours, for users, is only defined.
    forbidden = re.compile(r"(?<!def )\b(pickle|eval|exec|load_model|marshal|shelve|joblib)\b\s*[.(]|allow_pickle=True")
    assert not [module for module in modules() if forbidden.search(module.read_text())]


@pytest.mark.train  # starts the program
def test_nothing_but_training_and_predicting_imports_tensorflow() -> None:
    slow_free = [name_of(module) for module in modules() if room_of(module) in ("commands", "api")]
    code = (
        "import sys; from typer.testing import CliRunner; from toolkit.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'tensorflow', 'pandas', 'albumentations', 'cv2', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        + "".join(f"import {name}\n" for name in slow_free)
        + "assert not {'tensorflow', 'albumentations', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def covered_by_tests() -> set[str]:
    """The modules that have a test file of their name, or are named in the docstring of the file that tests them."""
    found = set()
    for path in TESTS.rglob("test_*.py"):
        folder = path.parent.relative_to(TESTS).as_posix()
        found.add(f"toolkit/{folder}/{path.name.removeprefix('test_')}".replace("/./", "/"))
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        for named in re.findall(r"[\w/]+\.py", docstring):
            room, slash, name = named.rpartition("/")
            folder = room if slash else folder
            found.add(f"{folder}/{name}")
    return found


def test_every_module_has_tests_that_are_found_by_its_name() -> None:
    known = {module.relative_to(PACKAGE.parent).as_posix() for module in modules() if not module.name.startswith("__")}
    assert known - covered_by_tests() == set()


def test_the_disk_is_changed_by_functions_that_tests_can_let_fail() -> None:
    changing = {
        "mkdir",
        "unlink",
        "rmdir",
        "rmtree",
        "rename",
        "write_bytes",
        "fsync",
        "symlink_to",
        "touch",
        "removedirs",
    }
    found = {
        f"{module.relative_to(PACKAGE).as_posix()}: {node.func.attr}"
        for module in modules()
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in changing
    }
    # Folders that are deleted if they are empty, and a file in a temporary folder.
    allowed = {
        "files/disk/cache_folder.py: rmdir",
        "commands/starting/starting_point.py: rmdir",
        "learning/engines/openvino_engine.py: write_bytes",
    }
    assert {one for one in found if not one.startswith("files/disk/changes.py")} == allowed


def test_files_of_others_are_opened_only_if_they_are_regular() -> None:
    """A named pipe, a device or a socket in the place of a file would hang the program."""

    def is_checked(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "regular"

    found = set()
    for module in modules():
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            on_path = node.func.attr in ("read_text", "read_bytes") and not is_checked(node.func.value)
            readers = ("read_csv", "fromfile", "File", "TiffFile", "dcmread", "imread")
            by_name = node.func.attr in readers and node.args and not any(map(is_checked, ast.walk(node.args[0])))
            opened = (
                node.func.attr == "open" and not is_checked(node.func.value) and ast.unparse(node.func) != "os.open"
            )
            opened = opened and not (node.args and is_checked(node.args[0]))
            if on_path or by_name or opened:
                found.add(module.relative_to(PACKAGE).as_posix())
    # The system's files, archives that are open already, new files, those of the package, and files that were found to
    # be regular.
    assert found == {
        "commands/predicting/formats.py",
        "commands/training/made_from.py",
        "commands/sharing/bundling/own_package.py",
        "commands/starting/starting_point.py",
        "files/disk/free_space.py",
        "files/disk/usable_cores.py",
        "files/images/array_files.py",
        "files/masks/shapes/drawings.py",
        "learning/networks/weight_files.py",
        "learning/runtime.py",
        "report/html.py",
        "report/page/document.py",
    }
