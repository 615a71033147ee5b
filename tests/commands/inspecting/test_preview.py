import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.inspecting import preview as module
from toolkit.commands.inspecting.preview import preview
from toolkit.commands.session import Session
from toolkit.errors import ConfigError, DataError
from toolkit.files.experiment.workspace import Workspace
from toolkit.report.preview_sheet import PreviewRow

pytestmark = pytest.mark.train


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[PreviewRow]]:
    """The rows of every sheet that is drawn."""
    found: list[list[PreviewRow]] = []
    draw = module.preview_sheet

    def remembered(
        title: str, notes: list[str], rows: list[PreviewRow], activation: str, **names: object
    ) -> np.ndarray:
        found.append(rows)
        return draw(title, notes, rows, "sigmoid", **names)

    monkeypatch.setattr(module, "preview_sheet", remembered)
    return found


def test_a_sheet_of_augmented_images_is_written(tiny_competition: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_competition.root)
    result = CliRunner().invoke(app, ["preview", "tiny", "--count", "4", "--seed", "7", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {key: told[key] for key in ("experiment", "images", "seed")} == {
        "experiment": "tiny",
        "images": 4,
        "seed": 7,
    }
    assert cv2.imread(str(tiny_competition.root / told["preview"])).shape[1] > 800
    shown = CliRunner().invoke(app, ["preview", "tiny", "--count", "1"])
    assert "preview.png" in shown.stdout
    assert shown.stdout.rstrip().endswith("next: tk fit tiny")
    assert CliRunner().invoke(app, ["preview", "tiny", "--count", "0"]).exit_code != 0


def test_variants_are_augmented_by_the_seed(tiny_competition: Workspace, drawn: list[list[PreviewRow]]) -> None:
    only_flips = ["augmentation={Fliplr: 0.5, Flipud: 0.5}"]
    for seed in (1, 1, 2):
        preview(Session(tiny_competition), "tiny", count=6, seed=seed, overrides=only_flips)
    first, again, other = drawn
    seen = set()
    for row in first:
        image, targets = row.original.image, row.original.targets
        assert targets.any()
        for variant in row.variants:
            ways = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            fits = [way for way in ways if np.array_equal(variant.image, image[:: way[0], :: way[1]])]
            assert any(np.array_equal(variant.targets, targets[:: way[0], :: way[1]]) for way in fits)
            seen.update(fits)
    assert len(seen) == 4
    assert [row.caption for row in first] == [row.caption for row in again] != [row.caption for row in other]
    for one, same in zip(first, again, strict=True):
        assert all(np.array_equal(a.image, b.image) for a, b in zip(one.variants, same.variants, strict=True))


def test_fewer_images_than_asked_for_and_data_without_foreground(
    tiny_competition: Workspace, drawn: list[list[PreviewRow]]
) -> None:
    assert preview(Session(tiny_competition), "tiny", count=50).images == 20
    table = tiny_competition.root / "data" / "train.csv"
    empty = "".join(f"{line.split(',')[0]},\n" for line in table.read_text().splitlines()[1:])
    table.write_text("id,rle_mask\n" + empty)
    assert preview(Session(tiny_competition), "tiny", count=3).images == 3
    assert not any(row.original.targets.any() for row in drawn[1])


def test_without_augmentation_images_are_shown_once(tiny_competition: Workspace, drawn: list[list[PreviewRow]]) -> None:
    result = preview(Session(tiny_competition), "tiny", count=2, overrides=["augmentation={}"])
    assert result.variants == 0
    assert all(not row.variants for row in drawn[0])
    assert "2 images; no augmentation" in result.next_steps()[0]


def test_missing_masks_are_counted_with_their_folder(tiny_competition: Workspace) -> None:
    masks = tiny_competition.root / "masks"
    masks.mkdir()
    (masks / "000.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"19 of 20 images in .*images have no mask: 001, 002") as told:
        preview(Session(tiny_competition), "tiny", overrides=[f"data.masks={masks}"])
    assert "data.mask_name" in told.value.advice


def test_an_ensemble_and_an_invalid_augmentation_are_refused(tiny_competition: Workspace) -> None:
    ensemble = tiny_competition.experiments / "both" / "config.yaml"
    ensemble.parent.mkdir()
    ensemble.write_text("members: [tiny]\nweights: [1.0]\nprimary_metric: dice\n")
    with pytest.raises(ConfigError, match="both is an ensemble"):
        preview(Session(tiny_competition), "both")
    with pytest.raises(ConfigError, match=r"augmentation\.HorizontalFlop"):
        preview(Session(tiny_competition), "tiny", overrides=["augmentation={HorizontalFlop: 0.5}"])
    assert not Path(tiny_competition.find("tiny").preview).exists()
