from collections.abc import Callable
from pathlib import Path

from toolkit.config.data.competitions import PLAIN, find_competition
from toolkit.files.data.as_unpacked import find_unpacked_images, keys_as_unpacked

Draw = Callable[..., Path]


def test_keys_of_a_competition_hold_where_its_files_are(draw: Draw, tmp_path: Path) -> None:
    form = find_competition("uw-madison")
    assert keys_as_unpacked(form, tmp_path) == {}
    assert keys_as_unpacked(form, tmp_path / "none") == {}
    draw("case1/case1_day2/scans/slice_0003_9_6_1.50_1.50.png")
    assert keys_as_unpacked(form, tmp_path)["image_id"] == "{folder}_{file}"
    assert keys_as_unpacked(PLAIN, tmp_path) == {}
    assert find_unpacked_images(form, tmp_path, "--images").ids == ("case1_day2_slice_0003",)


def test_images_in_a_folder_are_found_as_ever(draw: Draw, tmp_path: Path) -> None:
    draw("case1_day2_slice_0003.png")
    assert find_unpacked_images(find_competition("uw-madison"), tmp_path, "--images").ids == ("case1_day2_slice_0003",)
