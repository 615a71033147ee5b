"""Tests of needed_files.py, toolkit/cluster/transfer/path_keys.py and toolkit/cluster/transfer/found_files.py.

An experiment that was sent is the same experiment.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import cv2
import numpy as np
import pytest
from pydantic import BaseModel

from toolkit.cluster.transfer.found_files import files_below
from toolkit.cluster.transfer.needed_files import Sending, needed_files
from toolkit.cluster.transfer.path_keys import adapt_resolved, path_keys
from toolkit.config.data.data import UserSource
from toolkit.config.loading import load_config, paths_in, plain_config
from toolkit.config.models import Config
from toolkit.core.masks.rle import encode
from toolkit.errors import ConfigError, MissingFileError
from toolkit.files.datasets.dataset import background_digest, find_dataset
from toolkit.files.disk.digests import file_digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import write_folds
from toolkit.files.experiment.initial_weights import check_initial_weights
from toolkit.files.experiment.resolved import (
    Resolved,
    config_of,
    digests_of_code,
    load_experiment,
    read_resolved,
    versions,
    write_resolved,
)
from toolkit.files.experiment.workspace import Workspace
from toolkit.messages import Silent

Send = Callable[[Sending, Path], None]
IDS = [f"i{number}" for number in range(6)]
STAGES = "shape: [32, 32, 3]\nbackbone: resnet18\nencoder_weights: null\nfolds_count: 2\nstages: [{epochs: 1}]\n"
RLE = "data: {images: ../../data/images, masks: ../../data/train.csv}\n"


def pixels(name: str) -> np.ndarray:
    return np.random.default_rng(list(name.encode())).integers(0, 256, (24, 20), np.uint8)


def mask(name: str) -> np.ndarray:
    found = np.zeros((24, 20), bool)
    found[4:9, 2 : 4 + len(name) + name.encode()[-1] % 7] = True
    return found


def draw(folder: Path, names: list[str], of: Callable[[str], np.ndarray] = pixels, end: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / f"{name}{end}"), of(name))
    return folder


def draw_masks(folder: Path, names: list[str], end: str = ".png") -> Path:
    return draw(folder, names, lambda name: mask(name).astype(np.uint8) * 255, end)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def experiment(root: Path, text: str, name: str = "mine") -> Experiment:
    write(root / "experiments" / name / "config.yaml", text)
    return Experiment(root / "experiments" / name)


def run_length_data(root: Path) -> None:
    draw(root / "data" / "images", IDS)
    rows = "".join(f"{name},{encode(mask(name))}\n" for name in IDS)
    write(root / "data" / "train.csv", f"id,rle_mask\n{rows}")


def digests(found: Experiment, config: Config) -> dict[str, str]:
    """What `tk fit` records of an experiment's data, code and weights."""
    data = find_dataset(config, Silent())
    digests = data.digests | digests_of_code(found, config) | {"backgrounds": background_digest(config)}
    if isinstance(config.encoder_weights, Path):
        digests["encoder_weights"] = file_digest(config.encoder_weights)
    for number, stage in enumerate(config.stages):
        if stage.initial_weights is not None:
            digests[f"initial_weights{number}"] = check_initial_weights(
                found,
                stage.initial_weights,
                "stages",
                ids=data.index.ids,
                folds=np.arange(len(data.index.ids)) % 2,
                wanted=range(config.folds_count),
                num_seeds=config.num_seeds,
            )
    if config.folds is not None:
        digests["folds"] = file_digest(config.folds)
    return digests


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "user" / "workspace"
    (found / "experiments").mkdir(parents=True)
    monkeypatch.chdir(found)
    return found


@pytest.fixture
def same(tmp_path: Path, send: Send, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sending]:
    """Sends an experiment and checks that its digests are the same, where all that the user has is gone."""

    def same(root: Path, found: Experiment, *overrides: str) -> Sending:
        loaded = load_experiment(found, overrides)
        before = digests(found, loaded.config)
        sending = needed_files(Workspace(root), found, loaded)
        there = tmp_path / "other" / "place"
        send(sending, there)
        shutil.move(tmp_path / "user", tmp_path / "gone")
        monkeypatch.chdir(there)
        moved = Workspace(there).find(found.name)
        config = load_experiment(moved, sending.overrides).config
        assert digests(moved, config) == before
        if moved.resolved.is_file():
            adapt_resolved(moved, sending.overrides)
            assert digests(moved, config_of(moved, read_resolved(moved))) == before
        return sending

    return same


def test_a_plain_experiment_needs_no_overrides(root: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    write(root / "data" / "images" / ".hidden", "no")
    write(root / "experiments" / "unrelated" / "config.yaml", "data: {}")
    sending = same(root, experiment(root, RLE + STAGES))
    assert sending.overrides == ()
    images = {f"data/images/{name}.png" for name in IDS}
    assert set(sending.files) == {"data/train.csv", "experiments/mine/config.yaml", *images}
    assert sending.folders == ("data/images", "experiments/mine")


def test_every_kind_of_path(root: Path, tmp_path: Path, same: Callable[..., Sending]) -> None:
    """Data in and outside of the workspace, by relative and absolute paths, and all that a configuration names."""
    run_length_data(root)
    far = tmp_path / "user" / "far"
    draw(far / "more" / "images", ["m1", "m2"])
    draw_masks(far / "more" / "masks", ["m1", "m2"])
    draw(root / "extra" / "images", ["e1"])
    draw_masks(root / "extra" / "masks", ["e1"])
    draw(root / "negatives", ["n1", "n2"])
    draw(root / "test", ["s1", "s2"])
    draw(far / "backgrounds", ["b1"])
    write(far / "backgrounds" / "notes.txt", "counted, too")
    draw(root / "backgrounds", ["b2"])
    write(root / "data" / "sample.csv", "id,rle_mask\ns1,1 1\ns2,1 1\n")
    write(root / "data" / "table.csv", "id,weight\n" + "".join(f"{name},1\n" for name in [*IDS, "m1", "m2"]))
    write(root / "data" / "ids.txt", "\n".join(IDS[:5]) + "\n")
    write(far / "competition.yaml", "extends: base.yaml\nempty: none\n")
    write(far / "base.yaml", "extends: tgs-salt\nname: Ours\n")
    write(far / "encoder.h5", "weights")
    write(root / "start.h5", "other weights")
    rows = "".join(f"{name},{number % 2}\n" for number, name in enumerate([*IDS[:5], "m1", "m2"]))
    write(root / "folds.csv", f"image_id,fold\n{rows}")
    base = f"""\
data:
  images: {root}/data/images
  masks: ../../data/train.csv
  ids: [../../data/ids.txt]
  merge: [{{images: ../../../far/more/images, masks: ../../../far/more/masks}}]
  extra_train_data: [{{images: ../../extra/images, masks: ../../extra/masks}}]
  external_negatives: ../../../workspace/negatives
  test: [../../test]
  sample_submission: ../../data/sample.csv
  metadata: ../../data/table.csv
  weights: weight
  competition: ../../../far/competition.yaml
shape: [32, 32, 3]
backbone: resnet18
encoder_weights: ../../../far/encoder.h5
folds: ../../folds.csv
folds_count: 2
augmentation:
  - OneOf: {{transforms: [{{BackgroundReplacer: {{path: {far}/backgrounds}}}}]}}
  - HorizontalFlip: 0.5
"""
    experiment(root, base, "base")
    found = experiment(
        root,
        "extends: ../base/config.yaml\n"
        "stages:\n"
        "  - {epochs: 1, initial_weights: ../../start.h5}\n"
        "  - {epochs: 1, augmentation: {BackgroundReplacer: {path: ../../backgrounds}}}\n",
    )
    config = load_experiment(found).config
    write_resolved(found, Resolved(plain_config(config, found.folder), {}, "float32", versions()))
    sending = same(root, found, "batch=4", "data.metadata=data/table.csv")
    keys = {text.partition("=")[0] for text in sending.overrides}
    assert keys == {
        "data.competition",
        "data.images",
        "data.merge.0.images",
        "data.merge.0.masks",
        "data.external_negatives",
        "data.metadata",
        "encoder_weights",
        "augmentation.0.OneOf.transforms.0.BackgroundReplacer.path",
    }
    assert "experiments/base/config.yaml" in sending.files
    assert f"outside{far}/backgrounds/notes.txt" in sending.files
    assert sum(path.is_relative_to(far) for path in sending.files.values()) == 7


def test_masks_that_only_a_table_names(root: Path, tmp_path: Path, same: Callable[..., Sending]) -> None:
    far = tmp_path / "user" / "far"
    draw(far / "scans", IDS)
    draw_masks(far / "truth", [f"truth_of_{name}" for name in IDS])
    rows = "".join(f"{name}.png,truth/truth_of_{name}.png\n" for name in IDS)
    write(far / "tables" / "train.csv", f"image,mask\n{rows}")
    text = f"data: {{images: {far}/scans, masks: {far}/tables/train.csv}}\n{STAGES}"
    sending = same(root, experiment(root, text))
    assert f"outside{far}/truth/truth_of_i0.png" in sending.files


def test_yolo_labels_with_their_classes_in_a_folder_above(root: Path, same: Callable[..., Sending]) -> None:
    draw(root / "set" / "train" / "images", IDS)
    for number, name in enumerate(IDS):
        write(root / "set" / "train" / "labels" / f"{name}.txt", f"{number % 2} 0.1 0.1 0.5 0.1 0.5 0.6\n")
    write(root / "set" / "data.yaml", "names: [cat, dog]\n")
    text = "data: {images: ../../set/train/images, masks: ../../set/train/labels}\nclasses: [cat, dog]\n"
    sending = same(root, experiment(root, text + "activation: sigmoid\n" + STAGES))
    assert "set/data.yaml" in sending.files


def test_coco_channels_and_masks_of_several_files(root: Path, same: Callable[..., Sending]) -> None:
    draw(root / "coco" / "images", IDS)
    shapes = {
        "images": [{"id": n, "file_name": f"{name}.png", "height": 24, "width": 20} for n, name in enumerate(IDS)],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[2, 2, 9 + n, 2, 9, 9]]} for n in range(6)
        ],
    }
    write(root / "coco" / "train.json", json.dumps(shapes))
    others = [f"j{number}" for number in range(3)]
    for name in others:
        draw(root / "kaggle" / name / "images", [name])
        draw_masks(root / "kaggle" / name / "masks", [f"{name}-1", f"{name}-2"])
    text = """\
data:
  images: ../../coco/images
  masks: ../../coco/train.json
  merge: [{images: ../../kaggle, masks: ../../kaggle, image_name: "{id}/images/{id}.png",
           mask_name: "{id}/masks/*.png"}]
"""
    same(root, experiment(root, text + STAGES))


def test_own_code_in_the_experiment_and_in_the_workspace(root: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    write(root / "ours" / "losses" / "boundary.py", "from ..tools import scale\ndef loss(target, prediction): ...\n")
    write(root / "ours" / "losses" / "__init__.py", "")
    write(root / "ours" / "tools.py", "scale = 1\n")
    write(root / "ours" / "unused.py", "import antigravity\n")
    write(root / "beside.py", "import json\n")
    found = experiment(root, RLE + STAGES + "loss: ours.losses.boundary.loss\n")
    write(found.folder / "plugins.py", "import beside\nimport local\ndef metric(target, prediction): ...\n")
    write(found.folder / "local.py", "")
    sending = same(root, found)
    modules = {target for target in sending.files if target.endswith(".py")}
    assert modules == {
        "ours/losses/__init__.py",
        "ours/losses/boundary.py",
        "ours/tools.py",
        "ours/unused.py",
        "beside.py",
        "experiments/mine/plugins.py",
        "experiments/mine/local.py",
    }


def weights(found: Experiment, fold: int, stage: int, repeat: int = 0, text: str = "") -> None:
    folder = found.stage(fold, stage, repeat)
    write(folder.best_weights, text or f"{found.name} {fold} {stage} {repeat}")
    write(folder.state, json.dumps({"complete": True}))


def test_weights_of_another_experiment(root: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    other = experiment(root, RLE + STAGES, "other")
    config = load_experiment(other).config
    write_resolved(other, Resolved(plain_config(config, other.folder), {}, "float32", versions()))
    write_folds(other.folds, IDS, np.arange(6) % 2)
    for fold in range(2):
        weights(other, fold, 0)
        write(other.stage(fold, 0).history, "epoch\n")
    weights(other, 1, 0, repeat=1)
    found = experiment(root, RLE + STAGES.replace("epochs: 1", "epochs: 1, initial_weights: other") + "num_seeds: 2\n")
    sending = same(root, found)
    sent = {target.removeprefix("experiments/other/") for target in sending.files if "other" in target}
    of_stages = {f"{place}/{name}" for place in ("fold0", "fold1", "fold1/seed1") for name in ("best", "state")}
    assert sent == {"config.yaml", "resolved.yaml", "folds.csv"} | {
        name.replace("/best", "/stage0/best.weights.h5").replace("/state", "/stage0/state.json") for name in of_stages
    }


def test_what_is_trained_so_far(root: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    found = experiment(root, RLE + STAGES)
    stage = found.stage(1, 0)
    kept = [stage.best_weights, stage.last, stage.candidate(3), stage.snapshot(2), stage.negative_weights]
    kept += [stage.history, stage.state, found.folds, found.engine_checks, found.stage(0, 0, 1).last]
    left = [stage.tensorboard / "events", found.overlays_of(1), found.lock, found.score, found.preview]
    left += [stage.folder / ".1.0123abcd.best.weights.h5", found.predictions("test") / "maps"]
    asked = found.predictions("oof") / "maps"
    for path in [*kept, *left, asked]:
        write(path, path.name)
    loaded = load_experiment(found)
    sending = needed_files(Workspace(root), found, loaded, [found.predictions("oof")])
    sent = {path for path in sending.files.values() if path.is_relative_to(found.folder)}
    assert sent == {*kept, asked, found.config}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {source: Mine}\n", r"config\.yaml:1: data\.source: Mine is your own code"),
        (RLE.replace("}", ", test_source: Mine}"), r"data\.test_source: Mine is your own code"),
        (RLE.replace("}", ", merge: [{source: Mine}]}"), r"data\.merge\.0\.source: Mine is your own code"),
        (RLE.replace("}", ", extra_train_data: [{source: Mine}]}"), r"data\.extra_train_data\.0\.source: Mine"),
    ],
)
def test_own_sources_cannot_be_sent(root: Path, text: str, said: str) -> None:
    run_length_data(root)
    found = experiment(root, text + STAGES)
    write(found.plugins, "class Mine: ...\n")
    with pytest.raises(ConfigError, match=said) as caught:
        needed_files(Workspace(root), found, load_experiment(found))
    assert "folder that they share" in caught.value.advice


def test_what_leads_out_of_the_workspace_without_a_key_to_override(root: Path) -> None:
    run_length_data(root)
    base = write(root.parent / "base.yaml", RLE.replace("../../", "workspace/") + STAGES)
    for text in ("../../../base.yaml", str(base), "../../../workspace/base.yaml"):
        write(root / "base.yaml", base.read_text().replace("workspace/", ""))
        found = experiment(root, f"extends: {text}\n")
        with pytest.raises(ConfigError, match=r"config\.yaml:1: extends: .* leads out of the workspace"):
            needed_files(Workspace(root), found, load_experiment(found))
    elsewhere = experiment(root.parent, "extends: ../../base.yaml\n")
    with pytest.raises(ConfigError, match="mine is outside of the workspace"):
        needed_files(Workspace(root), elsewhere, load_experiment(elsewhere))


def test_a_missing_folder_is_named_with_its_key(root: Path) -> None:
    run_length_data(root)
    found = experiment(root, RLE.replace("}", ", test: ../../nowhere}") + STAGES)
    with pytest.raises(MissingFileError, match=r"config\.yaml:1: data\.test: there is no file or folder .*nowhere"):
        needed_files(Workspace(root), found, load_experiment(found))


def test_the_workspace_itself_as_a_folder_of_images(root: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    write(root / "cache" / "x.facts", "not sent")
    text = 'data: {images: ../.., image_name: "data/images/{id}.png", masks: ../../data/train.csv}\n'
    experiment(root, RLE, "unrelated")
    sending = same(root, experiment(root, text + STAGES))
    assert sending.folders == ("experiments/mine",)
    assert "cache/x.facts" not in sending.files
    assert not any("unrelated" in target for target in sending.files)


def test_a_key_that_cannot_be_written_with_dots(root: Path, tmp_path: Path, same: Callable[..., Sending]) -> None:
    run_length_data(root)
    far = draw(tmp_path / "user" / "far", ["b"])
    draw(root / "near", ["c"])
    (root / "ours.py").write_text("def blur(image, labels, generator, BackgroundReplacer): ...\n")
    inner = f"ours.blur: {{BackgroundReplacer: {{path: {far}}}}}, BackgroundReplacer: {{path: ../../near}}"
    sending = same(root, experiment(root, RLE + STAGES + f"augmentation: {{{inner}}}\n"))
    (override,) = sending.overrides
    key, _, value = override.partition("=")
    assert key == "augmentation"
    assert json.loads(value) == {
        "ours.blur": {"BackgroundReplacer": {"path": f"outside{far}"}},
        "BackgroundReplacer": {"path": "near"},
    }


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    draw(tmp_path / "real", ["a"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "back").symlink_to(tmp_path / "data")
    write(tmp_path / "data" / "b.txt", "")
    found = {path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path / "data")}
    assert found == {"data/b.txt", "data/linked/a.png"}
    assert set(files_below(tmp_path / "data", {tmp_path / "data" / "linked"})) == {tmp_path / "data" / "b.txt"}


def keys_with_paths(model: type[BaseModel], at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys of a model, and of the models in it, whose type is a path."""
    for name, one in model.model_fields.items():
        yield from _in_type(one.annotation, (*at, name))


def _in_type(kind: Any, at: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    origin = get_origin(kind)
    if kind is Path:
        yield at
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from keys_with_paths(kind, at)
    elif origin in (Union, UnionType, Annotated):
        for inner in get_args(kind):
            yield from _in_type(inner, at)
    elif origin in (tuple, list, dict):
        for inner in get_args(kind):
            if inner is not Ellipsis:
                yield from _in_type(inner, (*at, 0) if origin is not dict else (*at, "name"))
    elif origin not in (None, Literal):
        pytest.fail(f"the type {kind} of {at} is not understood")


def _nested(key: tuple[Any, ...], value: Any) -> Any:
    for part in reversed(key):
        value = (value,) if isinstance(part, int) else {part: value}
    return value


def test_every_key_whose_type_is_a_path_is_found() -> None:
    keys = set(keys_with_paths(Config))
    assert {("data", "images"), ("data", "merge", 0, "ids", 0), ("encoder_weights",), ("folds",)} <= keys
    assert len(keys) > 20
    for key in keys:
        assert paths_in(_nested(key, "/some/path.h5")) == [(key, "/some/path.h5")], key


def test_every_key_that_says_so_is_found() -> None:
    """Keys of texts that may be paths, too."""
    texts = [("data", "competition"), ("stages", 0, "initial_weights"), ("augmentation", "BackgroundReplacer", "path")]
    for key in texts:
        assert paths_in(_nested(key, "a/path.yaml")) == [(key, "a/path.yaml")]
    assert "file" in UserSource.model_fields  # of the user's own code, which is not sent


def test_a_new_path_key_is_sent(root: Path) -> None:
    """All that the configuration makes absolute is sent: here a key that is only known there."""
    run_length_data(root)
    found = experiment(root, RLE + STAGES)
    loaded = load_config(found.config)
    named = {path for _, path in path_keys(loaded.config)}
    sent = needed_files(Workspace(root), found, loaded)
    for path in named:
        assert {one for one in sent.files.values() if one == path or one.is_relative_to(path)}
