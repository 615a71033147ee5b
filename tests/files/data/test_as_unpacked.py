from collections.abc import Callable
from pathlib import Path

from toolkit.config.data.competitions import PLAIN, find_competition
from toolkit.files.data.as_unpacked import channels_as_unpacked, find_unpacked_images, keys_as_unpacked

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


def test_channels_that_are_not_there_are_left_out(draw: Draw, tmp_path: Path) -> None:
    form = find_competition("vesuvius")
    for layer in range(5):
        draw(f"1/surface_volume/{layer:02d}.tif")
    keys = keys_as_unpacked(form, tmp_path)
    assert keys.keys() == {"image_name", "mask_name"}
    assert channels_as_unpacked(keys, tmp_path) == 5
    for layer in range(20, 45):
        draw(f"1/surface_volume/{layer:02d}.tif")
    keys = keys_as_unpacked(form, tmp_path)
    assert channels_as_unpacked(keys, tmp_path) == len(keys["channels"]) == 16
    assert channels_as_unpacked({"image_name": "{id}.png"}, tmp_path) is None
