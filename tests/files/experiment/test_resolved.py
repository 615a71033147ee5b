from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toolkit.core.metrics.registry import MetricSpec
from toolkit.errors import NotReadyError, StorageError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, changed_keys, data_of, read_resolved, versions, write_resolved
from toolkit.files.experiment.workspace import Workspace

CONFIG: dict[str, Any] = {
    "data": {"images": "../../data/images", "masks": "../../data/train.csv", "test": None, "sample_submission": None},
    "primary_metric": "salt_map",
    "shape": (64, 96, 3),
    "lr": 1e-3,
    "encoder_weights": None,
    "stages": ({"epochs": 2, "negatives": 0.5}, {"epochs": 1, "negatives": "none"}),
    "augmentation": {"HorizontalFlip": 0.5},
}
VERSIONS = {"python": "3.11.7", "numpy": "2.4.6"}
DIGESTS = {"training_data": "0123456789", "test_data": "1e10"}


@pytest.fixture
def fitted(tmp_path: Path) -> Experiment:
    """The experiment exp042 of a competition folder that has images and a table of masks."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "train.csv").write_text("id,rle_mask\n")
    experiment = Experiment(tmp_path / "experiments" / "exp042")
    experiment.folder.mkdir(parents=True)
    experiment.config.write_text("data: {}\n")
    write_resolved(experiment, Resolved(CONFIG, DIGESTS, "float32", VERSIONS))
    return experiment


def test_the_record_is_read_back_as_written(fitted: Experiment) -> None:
    resolved = read_resolved(fitted)
    assert resolved == Resolved(CONFIG, DIGESTS, "float32", VERSIONS)
    assert resolved.primary_metric == MetricSpec("salt_map")
    assert changed_keys(CONFIG, resolved.config) == []


def test_the_file_has_versions_and_names_the_file_to_edit(fitted: Experiment) -> None:
    text = fitted.resolved.read_text()
    assert text.startswith("# What exp042 was run with")
    assert "config.yaml" in text.splitlines()[0]
    for package, number in VERSIONS.items():
        assert f"{package}: {number}" in text


def test_versions_include_the_packages_that_affect_results() -> None:
    assert {"python", "tensorflow", "numpy", "segmentation-toolkit"} <= set(versions())


def test_an_experiment_that_was_not_run_is_reported_with_the_next_command(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="has not been fitted yet") as told:
        read_resolved(Experiment(tmp_path / "exp042"))
    assert told.value.advice == "Run: tk fit exp042"


def test_a_damaged_file_is_reported(fitted: Experiment) -> None:
    fitted.resolved.write_text("config: {}\ndigests: {}\n")
    with pytest.raises(StorageError, match=r"resolved\.yaml is damaged: precision: Field required"):
        read_resolved(fitted)
    fitted.resolved.write_text("config: {")
    with pytest.raises(StorageError, match=r"resolved\.yaml:1: invalid YAML"):
        read_resolved(fitted)


@pytest.mark.parametrize(
    "enter",
    [
        lambda root: (root, Path()),
        lambda root: (root.parent, Path(root.name)),
        lambda root: (root / "experiments", Path("..")),
        lambda root: (Path("/"), root),
    ],
    ids=["from the workspace", "from above", "from inside", "from elsewhere"],
)
def test_data_are_found_from_every_working_folder(
    fitted: Experiment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, enter: Callable[[Path], tuple[Path, Path]]
) -> None:
    working_folder, root = enter(tmp_path)
    monkeypatch.chdir(working_folder)
    experiment = Workspace(root).find("exp042")
    data = data_of(experiment, read_resolved(experiment))
    assert data.images.samefile(tmp_path / "data" / "images")
    assert data.masks.samefile(tmp_path / "data" / "train.csv")
    assert data.test is None


def test_absolute_paths_stay(fitted: Experiment, tmp_path: Path) -> None:
    config = CONFIG | {"data": CONFIG["data"] | {"test": "/elsewhere/test"}}
    assert data_of(fitted, Resolved(config, DIGESTS, "float32", VERSIONS)).test == Path("/elsewhere/test")


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"lr": 1}, {"lr": 1}, []),
        ({"lr": 1}, {"lr": 2}, ["lr: 1 → 2"]),
        ({"b": 1, "a": 1}, {"a": 2, "b": 2}, ["b: 1 → 2", "a: 1 → 2"]),
        ({"data": {"images": "x", "masks": "y"}}, {"data": {"images": "x", "masks": "z"}}, ["data.masks: y → z"]),
        ({"stages": [{"lr": 1}, {"lr": 2}]}, {"stages": ({"lr": 1}, {"lr": 3})}, ["stages.1.lr: 2 → 3"]),
        ({"shape": [1, 2]}, {"shape": (1, 2)}, []),
        ({"stages": [1]}, {"stages": [1, 2]}, ["stages.1: – → 2"]),
        ({}, {"seed": 1}, ["seed: – → 1"]),
        ({"seed": 1}, {}, ["seed: 1 → –"]),
        ({"augmentation": {"HorizontalFlip": 0.5}}, {"augmentation": {}}, ["augmentation.HorizontalFlip: 0.5 → –"]),
        ({"augmentation": {}}, {"augmentation": []}, ["augmentation: {} → []"]),
        ({"lr": None}, {}, []),
        ({"seed": None}, {"seed": 1}, ["seed: null → 1"]),
        ({"data": {"b": 1, "a": 1}}, {"data": {"a": 1, "b": 1}}, []),
    ],
)  # fmt: skip
def test_every_key_that_differs_is_named(before: dict[str, Any], after: dict[str, Any], changes: list[str]) -> None:
    assert changed_keys(before, after) == changes
