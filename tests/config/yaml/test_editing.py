from pathlib import Path
from typing import Any

import pytest

from toolkit.config.yaml.editing import edited
from toolkit.config.yaml.yaml_files import Replacing, read_document

TEXT = """\
# my experiment
extends: ../base/config.yaml   # the base
lr: 1e-3   # chosen by lr-find
shape: [128, 128, 3]
stages:
- {epochs: 3, lr: 0.1}  # first
- epochs: 5   # second
  loss: "lovasz_loss"
augmentation: {Blur: 0.5}   # weak
backbone: null
metrics: [{fbeta: {beta: 2}}]
"""


def read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "c.yaml").write_text(text)
    return read_document(folder / "c.yaml").tree


def test_what_does_not_change_is_kept_to_the_letter(tmp_path: Path) -> None:
    assert edited(TEXT, read(tmp_path, TEXT)) == TEXT


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("lr", 0.02, "lr: 0.02   # chosen by lr-find"),
        ("shape", (64, 64, 3), "shape: [64, 64, 3]"),
        ("folds_count", 2, "folds_count: 2"),
        ("seed", None, "seed: null"),
        ("architecture_options", Replacing(), "architecture_options: !replace {}"),
        ("augmentation", {"Blur": 0.5, "Flip": 1}, "augmentation: {Blur: 0.5, Flip: 1}"),
        ("augmentation", Replacing({"Flip": 1}), "augmentation: !replace"),
    ],
)
def test_a_value_is_written_in_its_place(tmp_path: Path, key: str, value: Any, line: str) -> None:
    tree = read(tmp_path, TEXT) | {key: value}
    text = edited(TEXT, tree)
    assert read(tmp_path, text) == tree
    assert any(written.startswith(line) for written in text.splitlines())
    others = [one for one in TEXT.splitlines() if not one.startswith(key)]
    assert [one for one in text.splitlines() if one in others] == others


def test_an_entry_of_a_list_changes_alone(tmp_path: Path) -> None:
    tree = read(tmp_path, TEXT)
    first, second = tree["stages"]
    text = edited(TEXT, tree | {"stages": (first, second | {"epochs": 7})})
    assert text == TEXT.replace("epochs: 5 ", "epochs: 7 ")
    longer = edited(TEXT, tree | {"stages": (first, second, {"epochs": 1})})
    assert read(tmp_path, longer)["stages"][2] == {"epochs": 1}
    assert "# chosen by lr-find" in longer
