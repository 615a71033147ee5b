from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.files.recognition.folders.channel_stacks import channels_of, with_channel_stacks
from toolkit.files.recognition.folders.folder_scan import ImageFolder, scan_folder

Draw = Callable[..., Path]


def stacks(root: Path) -> list[ImageFolder]:
    return [one for one in with_channel_stacks(scan_folder(root).folders, root) if one.has_channels]


def test_numbered_files_beside_a_mask_are_channels_in_test_too(draw: Draw, tmp_path: Path) -> None:
    for image in ("train/1", "train/2", "test/a"):
        for layer in range(11):
            draw(f"{image}/volume/{layer}.png")
    for image in ("1", "2"):
        draw(f"train/{image}/inklabels.png")
        draw(f"train/{image}/mask.png")
    found = stacks(tmp_path)
    assert {one.name: (sorted(one.paths), one.pattern) for one in found} == {
        "train": (["1", "2"], "{id}/volume/{channel}.png"),
        "test": (["a"], "{id}/volume/{channel}.png"),
    }
    assert channels_of(found[0]) == [str(layer) for layer in range(11)]
    every = with_channel_stacks(scan_folder(tmp_path).folders, tmp_path)
    assert {one.pattern for one in every} == {"{id}/volume/{channel}.png", "{id}/inklabels.png", "{id}/mask.png"}


@pytest.mark.parametrize(
    "files",
    [
        ("images/{}.png", "masks/{}.png"),  # frames of videos, each with its mask
        ("{}.png",),  # frames of videos
        ("image_{}.png", "mask_{}.png"),
    ],
)
def test_numbered_images_are_no_channels(files: tuple[str, ...], draw: Draw, tmp_path: Path) -> None:
    for video in ("v1", "v2", "v3"):
        for frame in range(4):
            for name in files:
                draw(f"train/{video}/{name.format(frame)}")
    assert not stacks(tmp_path)


def test_folders_with_other_numbers_are_no_stack(draw: Draw, tmp_path: Path) -> None:
    for image in range(4):
        draw(f"train/{image}/mask.png")
        for layer in range(2 + image):
            draw(f"train/{image}/{layer}.png")
    assert not stacks(tmp_path)
