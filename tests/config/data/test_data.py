from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from toolkit.config.data.data import DataConfig, SourceKeys
from toolkit.config.loading import load_config, plain_config
from toolkit.errors import ConfigError

PATHS = {"images": "train", "masks": "masks"}


def data(**keys: Any) -> DataConfig:
    return DataConfig.model_validate({**PATHS, **keys})


@pytest.mark.parametrize("values", [(0,), (0, 255), (1, (2, 3)), ((0, 1, 65535),)])
def test_each_class_has_a_pixel_value_or_several(values: object) -> None:
    assert data(mask_values=values).mask_values == values


@pytest.mark.parametrize("value", [0, 255, 65535, (254, 255)])
def test_ignored_has_a_pixel_value_or_several(value: object) -> None:
    assert data(ignore=value).ignore == value


@pytest.mark.parametrize("key", ["mask_values", "ignore"])
@pytest.mark.parametrize("value", [-1, 65536, True, 1.0, "255", ()])
def test_a_pixel_value_is_a_whole_number_of_16_bits(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        data(**{key: (value,) if key == "mask_values" else value})
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


def test_pixel_values_of_classes_are_a_list() -> None:
    with pytest.raises(ValidationError, match="mask_values"):
        data(mask_values=255)


ONE = {"images": "more", "masks": "more.csv"}


@pytest.mark.parametrize(("value", "count"), [((ONE,), 1), ((ONE, ONE), 2), ((), 0)])
def test_extra_data_are_a_list(value: object, count: int) -> None:
    assert data(extra_train_data=value).extra_train_data == (SourceKeys(images="more", masks="more.csv"),) * count


@pytest.mark.parametrize("value", [None, "more", ("more",), ONE, ({**ONE, "test": "x"},), ({**ONE, "images": 3},)])
def test_extra_data_have_images_and_masks_only(value: object) -> None:
    with pytest.raises(ValidationError, match="extra_train_data"):
        data(extra_train_data=value)


TEXT = """\
data:
  images: ../train
  masks: masks
  external_negatives: more/empty
  extra_train_data: {extra}
stages: [{{epochs: 1}}]
"""


def test_paths_are_relative_to_the_file_that_contains_them(tmp_path: Path) -> None:
    folder = tmp_path / "experiments" / "one"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(TEXT.format(extra="[{images: a, masks: /b.csv}]"))
    child = tmp_path / "child.yaml"
    child.write_text("extends: experiments/one/config.yaml\n")
    for path in (folder / "config.yaml", child):
        found = load_config(path).config.data
        assert found.images == tmp_path / "experiments" / "train"
        assert found.masks == folder / "masks"
        assert found.external_negatives == folder / "more" / "empty"
        assert found.extra_train_data == (SourceKeys(images=folder / "a", masks=Path("/b.csv")),)
        assert plain_config(load_config(path).config, folder)["data"]["extra_train_data"][0]["images"] == "a"


def test_paths_of_the_command_line_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    path = tmp_path / "there" / "config.yaml"
    path.write_text("data: {images: a, masks: b}\nstages: [{epochs: 1}]\n")
    found = load_config(
        path, ["data.extra_train_data=[{images: c, masks: d}]", "data.external_negatives=e"]
    ).config.data
    assert found.extra_train_data == (SourceKeys(images=tmp_path / "c", masks=tmp_path / "d"),)
    assert found.external_negatives == tmp_path / "e"
    assert found.images == tmp_path / "there" / "a"


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("[{image: a, masks: b}]", "5: data.extra_train_data.0: key 'image' is not valid; did you mean 'images'?"),
        ("[{images: a}]", "5: required key data.extra_train_data.0.masks is missing"),
        ("[{images: a, masks: 3}]", "5: data.extra_train_data.0.masks: expected a path, received 3"),
        ("folder", "5: data.extra_train_data: expected a list, received 'folder'"),
    ],
)
def test_invalid_extra_data_are_reported_with_their_line(tmp_path: Path, extra: str, problem: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT.format(extra=extra))
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert f"{path}:{problem}" in caught.value.message


def loaded(folder: Path, data: str, more: str = "") -> DataConfig:
    path = folder / "config.yaml"
    path.write_text(f"data: {{{data}}}\nstages: [{{epochs: 1}}]\n{more}")
    return load_config(path).config.data


def test_an_entry_takes_its_missing_keys_from_data(tmp_path: Path) -> None:
    keys = "image_name: '{id}.tif', value_range: [0, 9], mask_values: {none: 0, rock: 7}, ignore: 255"
    entries = "[{images: c, masks: d}, {images: e, masks: f, mask_name: '{id}.png', colors: {rock: [1, 2, 3]}}]"
    data = loaded(tmp_path, f"images: a, masks: b, {keys}, merge: {entries}", "classes: [none, rock]\n")
    first, second = map(data.completed, data.merge)
    assert first.mask_values == {"none": 0, "rock": 7}
    assert first.ignore == 255
    assert second.mask_values is None
    assert second.ignore is None
    assert second.image_name == first.image_name == "{id}.tif"
    assert second.mask_name == "{id}.png"
    assert first.ranges == second.ranges == ((0, 9),)


def test_paths_of_every_key_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "plugins.py").write_text("class Mine:\n    pass\n")
    data = loaded(
        tmp_path,
        "images: [a, b], masks: c, test: [d], metadata: e.csv, merge: [{images: [f, /g], masks: h, prefix: x}], "
        "test_source: Mine",
    )
    assert data.images == (tmp_path / "a", tmp_path / "b")
    assert data.test == (tmp_path / "d",)
    assert data.metadata == tmp_path / "e.csv"
    assert data.merge[0].images == (tmp_path / "f", Path("/g"))
    assert data.merge[0].masks == tmp_path / "h"
    assert data.test_source is not None
    assert data.test_source.file == tmp_path / "plugins.py"
