"""Also of toolkit/files/datasets/kept_sources.py, which gives windows of images that are kept whole."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from toolkit.core.images.windows import Window
from toolkit.errors import DataError
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.disk.flat_rows import Rows
from toolkit.files.experiment.workspace import Workspace

pytestmark = pytest.mark.train

WAYS = {
    "whole": (),
    "padded": ("resize=pad", "shape=[64,64,3]"),
    "transformed": ("transforms={CLAHE: {clip_limit: [2, 2]}}",),
    "patches": ("patches={per_image: 2}", "shape=[16,16,3]"),
    "crops": ("crops=2", "augmentation={Affine: {rotate: [-20, 20]}}"),
    "tiles": ("tiles={overlap: 0.25}", "resize=pad", "shape=[64,64,3]"),
}


def seen(data: Any, epochs: int = 2) -> list[bytes]:
    """All batches of some epochs of training, and of validation."""
    from toolkit.learning.reading.batches import validation_batches  # noqa: PLC0415
    from toolkit.learning.training.epoch_data import Run  # noqa: PLC0415

    stage, run = data.plan.stages[0], Run(0, 0, 0)
    found = []
    for epoch in range(epochs):
        drawn, draw = data.draw(stage, run, epoch), run.draw(stage, epoch)
        for parts in data.batches(stage, drawn.samples, drawn.batches(stage.batch, *draw), draw):
            found += [part.numpy().tobytes() for part in parts]
    reader = data.reader_of(stage)
    held_out = [data.pool.samples[position] for position in data.pool.validation_positions(0)]
    tiles = [tile for sample in held_out for tile in reader.tiles(sample)]
    for _, placements, *parts in validation_batches(reader, tiles, 4):
        found += [repr(placements).encode(), *(part.numpy().tobytes() for part in parts)]
    return found


@pytest.mark.parametrize("way", WAYS)
def test_batches_are_the_same_to_the_last_bit_whatever_is_kept(way: str, lesson: Callable[..., Any]) -> None:
    settings = ("augmentation={HorizontalFlip: 0.5}", *WAYS[way])
    plain = seen(lesson("cache=off", *settings).data)
    assert seen(lesson("cache=memory", *settings).data) == plain
    assert seen(lesson("cache=disk", *settings).data) == plain
    assert seen(lesson("cache=disk", *settings).data) == plain


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_each_image_is_decoded_once(
    way: str, cache: str, lesson: Callable[..., Any], tiny_competition: Workspace
) -> None:
    data = lesson(f"cache={cache}", *WAYS[way]).data
    first = seen(data)
    shutil.rmtree(tiny_competition.root / "data" / "train")
    assert seen(data) == first


def kept_files(folder: CacheFolder) -> set[str]:
    return {path.name for path in folder.files() if path.suffix == ".rows"}


def test_experiments_share_what_is_kept_and_other_settings_keep_their_own(
    lesson: Callable[..., Any], tiny_competition: Workspace
) -> None:
    lesson("cache=disk")
    files = kept_files(tiny_competition.cache)
    assert len(files) == 1
    lesson("cache=disk", "lr=0.5", "augmentation={HorizontalFlip: 0.5}", name="tiny")
    assert kept_files(tiny_competition.cache) == files
    for settings in (
        ("shape=[64,32,3]",),
        ("resize=pad",),
        ("transforms={CLAHE: {clip_limit: [2, 2]}}",),
        ("shape=[32,32,1]",),
    ):
        lesson("cache=disk", *settings)
        assert len(kept_files(tiny_competition.cache) - files) == 1
        files = kept_files(tiny_competition.cache)


def test_a_changed_image_is_decoded_again(lesson: Callable[..., Any], tiny_competition: Workspace) -> None:
    lesson("cache=disk")
    folder = tiny_competition.root / "data" / "train" / "images"
    (folder / "000.png").write_bytes((folder / "001.png").read_bytes())
    assert seen(lesson("cache=disk").data) == seen(lesson("cache=off").data)
    assert len(kept_files(tiny_competition.cache)) == 2


def test_stages_of_other_shapes_have_images_of_their_own(
    lesson: Callable[..., Any], tiny_competition: Workspace
) -> None:
    data = lesson("cache=disk", "stages=[{epochs: 1, shape: [32, 32, 3]}, {epochs: 1, shape: [64, 64, 3]}]").data
    assert len(kept_files(tiny_competition.cache)) == 2
    shapes = [data.reader_of(stage).pair(data.pool.samples[0])[0].shape for stage in data.plan.stages]
    assert shapes == [(32, 32, 3), (64, 64, 3)]


def test_what_was_not_checked_is_read_from_its_file(lesson: Callable[..., Any]) -> None:
    data = lesson("cache=memory", "crops=2").data
    source = data.pool.main
    unknown = Sample(source.own, source.images.ids[0], Window(2, 3, 10, 12))
    kept = Sample(source, source.images.ids[0], Window(2, 3, 10, 12))
    assert (unknown.image() == kept.image()).all()
    assert (unknown.labels() == kept.labels()).all()
    assert source.images.origin == source.own.images.origin
    assert source.images.only({"000"}).ids == ("000",)


@pytest.mark.parametrize("cache", ["memory", "disk"])
@pytest.mark.parametrize("way", ["whole", "patches"])
def test_a_file_that_changes_after_the_check_is_not_kept(
    way: str, cache: str, lesson: Callable[..., Any], tiny_competition: Workspace
) -> None:
    data = lesson(f"cache={cache}", *WAYS[way]).data
    (kept,) = data.kept.kept
    kept.rows = Rows.in_memory(kept.layout.bytes_of_rows)  # as if all rows were damaged
    folder = tiny_competition.root / "data" / "train" / "images"
    first, *others = sorted(folder.iterdir())
    for path in others:
        path.write_bytes(first.read_bytes())
    with pytest.raises(DataError, match=r"\d+: the image or its mask has changed since it was checked"):
        seen(data)
