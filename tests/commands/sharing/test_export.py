"""Covers toolkit/commands/sharing/export.py, export_job.py, export_check.py, export_description.py, export_result.py.

Also toolkit/learning/predicting/exporting/saved_model.py, onnx_file.py, openvino_file.py, tflite_file.py, file_maps.py.
"""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from toolkit.commands.session import Session
from toolkit.commands.sharing.export import ExportOptions, export
from toolkit.core.recipe.closeness import FLOAT16
from toolkit.errors import ChangedError, ConfigError, ExportError
from toolkit.files.experiment.workspace import Workspace
from toolkit.learning.engines.openvino_package import require_openvino
from toolkit.learning.predicting.exporting import onnx_file
from toolkit.learning.predicting.exporting.registry import EXPORT_FORMATS, converter_of

pytestmark = pytest.mark.train

FOLD = ExportOptions(fold=0)


@pytest.fixture
def session(fitted_competition: Workspace, tmp_path: Path) -> Session:
    """A copy of a fitted competition, because exports are written beside its experiments."""
    return Session(Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "work"))))


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_each_format_predicts_what_the_toolkit_predicts(session: Session, kind: str) -> None:
    found = export(session, "plain", kind, options=FOLD)
    assert (found.images, found.unseen, found.networks) == (10, True, 1)
    assert found.largest < 1e-4
    assert found.file_score == pytest.approx(found.toolkit_score, abs=1e-3)
    folder = session.workspace.root / "exports" / f"plain-fold0-{kind}"
    assert {path.name for path in folder.iterdir()} >= {"export.json", Path(found.file).name}
    told = json.loads((folder / "export.json").read_text())
    assert told["classes"] == ["foreground"]
    assert (told["input"]["height"], told["input"]["side_multiple"]) == (32, 2)
    assert told["compared"]["largest"] == found.largest
    inside = description_inside(kind, Path(found.file))
    assert inside["experiment"] == "plain"
    assert inside["classes"] in (told["classes"], json.dumps(told["classes"]))
    assert list(folder.parent.glob(".*.*")) == []
    run = converter_of(EXPORT_FORMATS[kind]).opened(Path(found.file))
    probability, presence = run(np.zeros((3, 32, 32, 3), np.uint8))
    assert (probability.shape, probability.dtype, presence) == ((3, 32, 32, 1), np.float32, None)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "tflite"])
def test_half_precision_is_close(session: Session, kind: str) -> None:
    found = export(session, "plain", kind, options=ExportOptions(half=True, fold=0))
    assert (found.weights, found.limits) == ("float16", FLOAT16)
    assert 1e-6 < found.largest < 0.01


@pytest.mark.parametrize("kind", ["savedmodel", "onnx", "openvino"])
def test_an_input_of_any_size(session: Session, kind: str) -> None:
    found = export(session, "plain", kind, options=ExportOptions(fold=1, size="dynamic"))
    assert found.input == "uint8 (batch, height, width, 3)"
    run = converter_of(EXPORT_FORMATS[kind]).opened(Path(found.file))
    assert run(np.zeros((2, 48, 64, 3), np.uint8))[0].shape == (2, 48, 64, 1)
    assert json.loads(Path(found.description).read_text())["input"]["width"] is None


def test_an_input_of_another_size(session: Session, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    found = export(session, "plain", "onnx", options=ExportOptions(fold=1, size="40x48", out=out))
    assert (found.file, found.input) == (str(out / "network.onnx"), "uint8 (batch, 40, 48, 3)")
    assert found.largest < 1e-4


def test_the_mean_of_an_ensemble_with_its_weights_is_one_file(session: Session) -> None:
    found = export(session, "both", "onnx", options=ExportOptions())
    assert (found.networks, found.images, found.unseen) == (4, 20, False)
    assert found.largest < 1e-4
    told = json.loads(Path(found.description).read_text())
    assert [one["share"] for one in told["networks"]] == [0.375, 0.375, 0.125, 0.125]
    of_folds = export(session, "plain", "onnx", options=ExportOptions(ensemble=True))
    assert of_folds.networks == 2
    assert "some of the networks have seen them" in str(of_folds)


def description_inside(kind: str, file: Path) -> Any:
    if kind == "savedmodel":
        return json.loads((file / "assets.extra" / "export.json").read_text())
    if kind == "tflite":
        return json.loads(zipfile.ZipFile(file).read("export.json"))
    if kind == "openvino":
        model = require_openvino().Core().read_model(file)
        return {key: model.get_rt_info(["toolkit", key]).value for key in ("experiment", "classes")}
    return onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map


def test_an_export_is_replaced_only_if_asked(session: Session) -> None:
    first = export(session, "plain", "openvino", options=FOLD)
    folder = Path(first.description).parent
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ChangedError, match="exists already") as found:
        export(session, "plain", "openvino", options=FOLD)
    assert "--force" in found.value.advice
    (folder / "old").touch()
    export(session, "plain", "openvino", options=ExportOptions(fold=0, force=True))
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_folder_that_is_no_export_is_never_replaced(session: Session) -> None:
    mine = session.workspace.root / "mine"
    mine.mkdir()
    with pytest.raises(ChangedError, match="is no export"):
        export(session, "plain", "onnx", options=ExportOptions(fold=0, out=mine, force=True))
    inside = session.workspace.experiments / "plain" / "exported"
    with pytest.raises(ConfigError, match="inside the experiment"):
        export(session, "plain", "onnx", options=ExportOptions(fold=0, out=inside))


def test_a_file_that_predicts_something_else_is_not_kept(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = onnx_file.opened

    def wrong(path: Path) -> Callable[..., tuple[np.ndarray, None]]:
        run = opened(path)
        return lambda images: (run(images)[0] * 0.9, None)

    monkeypatch.setattr(onnx_file, "opened", wrong)
    with pytest.raises(ExportError, match="does not predict what the toolkit predicts, so it was not kept: on 10"):
        export(session, "plain", "onnx", options=FOLD)
    exports = session.workspace.root / "exports"
    assert [path.name for path in exports.iterdir()] == [".exporting"]


@pytest.mark.parametrize(("elsewhere", "told"), [("wrong", "does not predict what"), ("fails", "cannot be run")])
def test_a_network_that_depends_on_its_size_is_exported_for_one(
    session: Session, monkeypatch: pytest.MonkeyPatch, elsewhere: str, told: str
) -> None:
    opened, sizes = onnx_file.opened, list[tuple[int, ...]]()

    def at_one_size(path: Path) -> Callable[..., tuple[np.ndarray, None]]:
        run = opened(path)

        def predict(images: np.ndarray) -> tuple[np.ndarray, None]:
            sizes.append(images.shape[1:3])
            if sizes[-1] != sizes[0] and elsewhere == "fails":
                raise RuntimeError("reshape")
            return run(images)[0] * (1 if sizes[-1] == sizes[0] else 0.9), None

        return predict

    monkeypatch.setattr(onnx_file, "opened", at_one_size)
    with pytest.raises(ExportError, match=f"Unet depends on the size of its input: with .* {told}") as caught:
        export(session, "plain", "onnx", options=ExportOptions(fold=0, size="dynamic"))
    height, width = sizes[0]
    assert caught.value.advice == f"Export it for one size: --size {height}x{width}"


def test_a_library_that_fails_is_quoted(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("first line\nno such operation: Fold")

    monkeypatch.setattr(onnx_file, "write", fail)
    with pytest.raises(ExportError, match="plain cannot be exported to ONNX: no such operation: Fold"):
        export(session, "plain", "onnx", options=FOLD)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("onnx", ExportOptions(), "plain has 2 trained folds"),
        ("onnx", ExportOptions(average=True), "--average: the mean of the weights of folds is another network"),
        ("onnx", ExportOptions(fold=0, ensemble=True), "--fold and --ensemble contradict"),
        ("onnx", ExportOptions(fold=2), "--fold: plain: there is no fold 2"),
        ("onnx", ExportOptions(fold=0, stage=3), "--stage: plain"),
        ("onnx", ExportOptions(fold=0, size="32"), "--size: expected HEIGHTxWIDTH"),
        ("onnx", ExportOptions(fold=0, size="33x32"), "--size: ModularUnet requires sides that are multiples of 2"),
        ("savedmodel", ExportOptions(half=True, fold=0), "--half: a SavedModel"),
        ("tflite", ExportOptions(fold=0, size="dynamic"), "--size dynamic: TFLite"),
        ("caffe", FOLD, "--format: 'caffe' is not valid"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(
    session: Session, kind: str, options: ExportOptions, message: str
) -> None:
    with pytest.raises(ConfigError) as found:
        export(session, "plain", kind, options=options)
    assert found.value.message.startswith(message)
    assert not (session.workspace.root / "exports").exists()


def test_an_ensemble_has_no_folds(session: Session) -> None:
    with pytest.raises(ConfigError, match="--fold: both is an ensemble"):
        export(session, "both", "onnx", options=FOLD)
