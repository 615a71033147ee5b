from collections.abc import Callable
from pathlib import Path

from toolkit.files.recognition.folders.composed_ids import regrouped
from toolkit.files.recognition.folders.folder_scan import ImageFolder, scan_folder

Draw = Callable[..., Path]


def joined(root: Path) -> list[ImageFolder]:
    return [one for one in regrouped(scan_folder(root)).folders if one.pattern]


def test_ids_of_tables_are_made_of_folder_and_file(draw: Draw, tmp_path: Path) -> None:
    for day in ("case1_day2", "case1_day3", "case7_day0"):
        for number in (1, 2):
            draw(f"train/{day.split('_')[0]}/{day}/scans/slice_{number:04d}_266_266_1.50_1.50.png")
    rows = "".join(f"case1_day{day}_slice_{number:04d},\n" for day in (2, 3) for number in (1, 2))
    (tmp_path / "train.csv").write_text("id,segmentation\n" + rows)
    (found,) = joined(tmp_path)
    assert (found.name, found.template) == ("train", "{folder}_{file}")
    assert found.pattern == "*/{folder}/scans/{file}_*_*_*_*.png"
    assert "case7_day0_slice_0002" in found.paths
    assert len(found.paths) == 6


def test_names_that_are_ids_may_lie_in_any_folder(draw: Draw, tmp_path: Path) -> None:
    for part, names in (("train", "abc"), ("test", "xy")):
        for name in names:
            draw(f"{part}/study-{name}/series/{name}.png")
    (tmp_path / "train.csv").write_text("id,rle\na,1 1\nb,1 1\nc,\n")
    assert {one.name: (sorted(one.paths), one.pattern) for one in joined(tmp_path)} == {
        "train": (["a", "b", "c"], "*/series/{id}.png"),
        "test": (["x", "y"], "*/series/{id}.png"),
    }


def test_images_and_masks_side_by_side_stay_apart(draw: Draw, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        draw(f"train/images/{name}.png")
        draw(f"train/masks/{name}.png")
        draw(f"train/depth/{name}.png")
    draw("test/images/x.png")
    (tmp_path / "train.csv").write_text("id,rle\na,1 1\nb,1 1\nc,\n")
    assert not joined(tmp_path)
