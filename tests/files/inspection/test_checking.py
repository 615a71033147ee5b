"""Covers toolkit/files/inspection/checking.py, examining.py, data_findings.py, image_findings.py, label_findings.py."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.data import SourceKeys
from toolkit.core.masks.labels import BINARY, Classes
from toolkit.errors import DataError, NothingToLearnError
from toolkit.files.data.finding import find_source
from toolkit.files.data.sources import LabelledImages, find_images
from toolkit.files.inspection.checking import (
    DataIndex,
    check_test_data,
    check_training_data,
    content_digest,
    misplaced,
)
from toolkit.messages import Silent

Draw = Callable[..., Path]

HALF = np.array([[1, 0, 0]] * 6 + [[1, 1, 0]] * 6, np.uint8).repeat(2, axis=1)


class Warned(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def sound(draw: Draw, tmp_path: Path) -> Path:
    """Three images of 12×6: `a` empty, `b` half full, `c` full; masks as files and as a table."""
    for image_id, mask in (("a", HALF * 0), ("b", HALF), ("c", HALF * 0 + 1)):
        draw(f"images/{image_id}.png", np.random.default_rng(ord(image_id)).integers(0, 256, (12, 6), np.uint8))
        draw(f"masks/{image_id}.png", mask)
    (tmp_path / "train.csv").write_text("id,rle\na,\nb,1 24\nc,1 72\n")
    return tmp_path


def find(folder: Path, masks: str = "masks", classes: Classes = BINARY) -> LabelledImages:
    keys = SourceKeys(images=folder / "images", masks=folder / masks)
    return find_source(keys, classes, 3, "data")


def check(folder: Path, masks: str = "masks", progress: Silent | None = None) -> DataIndex:
    return check_training_data(find(folder, masks), progress or Silent())


def test_ids_and_coverage_are_in_the_order_of_the_ids(sound: Path) -> None:
    index = check(sound)
    assert index.ids == ("a", "b", "c")
    np.testing.assert_allclose(index.coverage, [0, 1 / 2, 1])
    np.testing.assert_allclose(check(sound, "train.csv").coverage, [0, 1 / 3, 1])
    assert index.constant == ()


def test_a_list_with_other_pairs_is_a_warning(sound: Path) -> None:
    def warnings(folder: str) -> list[str]:
        progress = Warned()
        check(sound, folder, progress)
        return [line for line in progress.warnings if "train.txt" in line]

    (sound / "train.txt").write_text("images/a.png masks/a.png\nimages/b.png masks/b.png\n")
    assert warnings("masks") == []
    (sound / "masks").rename(sound / "labels")
    for path in (sound / "labels").iterdir():
        path.rename(path.with_suffix(".bmp"))
    (sound / "train.txt").write_text("images/a.png labels/b.bmp\nimages/b.png labels/a.bmp\n")
    (line,) = warnings("labels")
    assert "pairs a.png with b.bmp, but the mask that is read is a.bmp" in line
    assert warnings("train.csv") == []


def test_all_problems_are_reported_at_once(sound: Path, draw: Draw) -> None:
    for image_id in "defgh":
        draw(f"images/{image_id}.png")
        draw(f"masks/{image_id}.png", np.ones((6, 9), np.uint8))
    (sound / "masks" / "d.png").unlink()
    draw("masks/e.png", np.ones((9, 6), np.uint8))
    for path in (sound / "images" / "f.png", sound / "masks" / "g.png"):
        path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError) as told:
        check(sound)
    head, *lines = told.value.message.splitlines()
    assert head.startswith("4 of 8 images")
    assert lines[0] == "  d: the mask is missing"
    assert lines[1] == "  e: the mask is 9×6, but the image is 6×9"
    assert "images/f.png is" in lines[2]
    assert "masks/g.png is" in lines[3]
    assert len(lines) == 4
    assert told.value.advice


def test_all_problems_of_a_table_are_reported_at_once(sound: Path) -> None:
    (sound / "train.csv").write_text("id,rle\na,72 2\nb,5 3 1 1\n")
    with pytest.raises(DataError) as told:
        check(sound, "train.csv")
    head, *lines = told.value.message.splitlines()
    assert head.startswith("3 of 3 images")
    assert [line[:4] for line in lines] == ["  a:", "  b:", "  c:"]
    assert "12×6" in lines[0]
    assert "sorted" in lines[1]
    assert "the mask is missing" in lines[2]


def test_a_long_list_of_problems_is_shortened_and_counted(draw: Draw, tmp_path: Path) -> None:
    for number in range(23):
        draw(f"images/{number:02d}.png")
    draw("masks/00.png")
    with pytest.raises(DataError) as told:
        check(tmp_path)
    assert told.value.message.count("the mask is missing") == 20
    assert "2 more" in told.value.message
    assert "22 of 23" in told.value.message


def test_masks_without_an_image_are_reported(sound: Path, draw: Draw) -> None:
    draw("masks/z.png")
    progress = Warned()
    assert check(sound, progress=progress).ids == ("a", "b", "c")
    (warning,) = progress.warnings
    assert "1 mask has no image" in warning
    assert "z" in warning


def test_masks_without_images_are_reported_even_if_images_lack_masks(sound: Path) -> None:
    (sound / "masks" / "b.png").rename(sound / "masks" / "b_mask.png")
    progress = Warned()
    with pytest.raises(DataError, match="b: the mask is missing"):
        check(sound, progress=progress)
    assert "b_mask" in progress.warnings[0]


def test_sound_data_cause_no_warnings(sound: Path) -> None:
    progress = Warned()
    check(sound, progress=progress)
    assert progress.warnings == []


@pytest.mark.parametrize(("value", "words"), [(0, "all 3 masks .* empty"), (1, "all 3 masks .* full")])
def test_only_empty_or_only_full_masks_are_refused(sound: Path, draw: Draw, value: int, words: str) -> None:
    for image_id in "abc":
        draw(f"masks/{image_id}.png", np.full((12, 6), value, np.uint8))
    with pytest.raises(NothingToLearnError, match=words) as told:
        check(sound)
    assert told.value.advice


def test_only_constant_images_are_refused(sound: Path, draw: Draw) -> None:
    for image_id in "abc":
        draw(f"images/{image_id}.png", np.full((12, 6), ord(image_id), np.uint8))
    with pytest.raises(NothingToLearnError, match=r"all 3 images .* constant"):
        check(sound)


def test_some_constant_images_cause_a_warning(sound: Path, draw: Draw) -> None:
    draw("images/b.png", np.full((12, 6, 3), (1, 2, 3), np.uint8))
    progress = Warned()
    assert check(sound, progress=progress).constant == ("b",)
    assert "1 of 3 images has one value" in progress.warnings[0]


def test_the_digest_does_not_depend_on_the_folder_or_the_order_of_writing(draw: Draw, tmp_path: Path) -> None:
    pixels = {image_id: np.random.default_rng(ord(image_id)).integers(0, 256, (4, 5), np.uint8) for image_id in "abc"}
    for folder, order in (("one", "abc"), ("two", "cab")):
        for image_id in order:
            draw(f"{folder}/images/{image_id}.png", pixels[image_id])
            draw(f"{folder}/masks/{image_id}.png", pixels[image_id] // 128)
    assert check(tmp_path / "one").digest == check(tmp_path / "two").digest


def test_the_digest_covers_every_image_and_every_mask(sound: Path, draw: Draw) -> None:
    digests = [check(sound).digest]
    draw("masks/b.png", 1 - HALF)
    digests.append(check(sound).digest)
    draw("images/b.png", np.random.default_rng(0).integers(0, 256, (12, 6), np.uint8))
    digests.append(check(sound).digest)
    for kind in ("images", "masks"):
        (sound / kind / "c.png").rename(sound / kind / "z.png")
    digests.append(check(sound).digest)
    assert len(set(digests)) == 4


def test_equal_pixels_have_the_same_digest_in_different_files(draw: Draw, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
    images = (
        pixels,
        np.repeat(pixels[..., None], 3, axis=2),
        pixels.reshape(6, 4),
        pixels ^ np.eye(4, 6, dtype=np.uint8),
    )
    for image_id, image in zip("abcd", images, strict=True):
        draw(f"images/{image_id}.png", image)
        draw(f"masks/{image_id}.png", np.eye(*image.shape[:2], dtype=np.uint8))
    grey, coloured, turned, altered = check(tmp_path).images
    assert grey == coloured
    assert len({grey, turned, altered}) == 3


def test_the_digest_covers_every_row_of_a_table(sound: Path) -> None:
    before = check(sound, "train.csv").digest
    (sound / "train.csv").write_text("id,rle\nc,1 72\nb,1 24\na,-1\n")
    assert check(sound, "train.csv").digest == before
    (sound / "train.csv").write_text("id,rle\nc,1 72\nb,1 24\nb,30 1\na,-1\n")
    assert check(sound, "train.csv").digest != before


def test_all_broken_test_images_are_reported_at_once(sound: Path, draw: Draw) -> None:
    images = find_images(sound / "images", "data.test")
    before = content_digest(check_test_data(images, Silent()))
    draw("images/b.png")
    assert content_digest(check_test_data(images, Silent())) != before
    for name in ("a.png", "c.png"):
        (sound / "images" / name).write_text("not an image")
    with pytest.raises(DataError, match="2 of 3 images") as told:
        check_test_data(images, Silent())
    assert "a.png" in told.value.message
    assert "c.png" in told.value.message


ROAD = Classes(("sky", "road", "car"), "softmax", ((0,), (1,), (2,)), (9,))


@pytest.fixture
def streets(draw: Draw, tmp_path: Path) -> Path:
    """Two images of 2×3, label images of sky, road and ignored pixels."""
    for image_id, mask in (("a", [[0, 0, 1], [1, 1, 9]]), ("b", [[0, 0, 0], [0, 0, 0]])):
        draw(f"images/{image_id}.png", np.random.default_rng(ord(image_id)).integers(0, 256, (2, 3), np.uint8))
        draw(f"masks/{image_id}.png", np.array(mask, np.uint8))
    return tmp_path


def test_pixels_of_each_class_are_counted_without_ignored(streets: Path) -> None:
    index = check_training_data(find(streets, "masks", ROAD), Silent())
    assert index.pixels.tolist() == [[2, 3, 0], [6, 0, 0]]
    assert index.coverage.tolist() == pytest.approx([3 / 5, 0])
    apart = Classes(("road", "car"), "sigmoid", ((1,), (2,)), (9,))
    index = check_training_data(find(streets, "masks", apart), Silent())
    assert index.pixels.tolist() == [[3, 0], [0, 0]]
    assert index.coverage.tolist() == pytest.approx([3 / 5, 0])


def test_a_class_without_a_pixel_causes_a_warning_except_in_extra_data(streets: Path) -> None:
    data = find(streets, "masks", ROAD)
    progress = Warned()
    check_training_data(data, progress)
    assert progress.warnings == [
        "no mask has a pixel of class car: without one, a class has no score and counts in no mean"
    ]
    extra = Warned()
    check_training_data(data, extra, extra=True)
    assert extra.warnings == []


def test_extra_data_may_lack_foreground_but_must_be_readable(streets: Path, draw: Draw) -> None:
    draw("masks/a.png", np.zeros((2, 3), np.uint8))
    data = find(streets, "masks", ROAD)
    assert check_training_data(data, Silent(), extra=True).coverage.tolist() == [0, 0]
    with pytest.raises(NothingToLearnError):
        check_training_data(data, Silent())
    draw("masks/a.png", np.full((2, 3), 3, np.uint8))
    with pytest.raises(DataError, match=r"a: the mask has pixel values that no class has: 3"):
        check_training_data(data, Silent(), extra=True)


def test_full_masks_are_refused_only_with_a_single_class(streets: Path, draw: Draw) -> None:
    draw("masks/a.png", np.full((2, 3), 1, np.uint8))
    draw("masks/b.png", np.full((2, 3), 2, np.uint8))
    data = find(streets, "masks", ROAD)
    assert check_training_data(data, Silent()).coverage.tolist() == [1, 1]
    with pytest.raises(NothingToLearnError, match="full"):
        check_training_data(find(streets), Silent())


CHANGES: dict[str, tuple[Callable[[list[np.ndarray]], list[np.ndarray]], list[str]]] = {
    "sound": (lambda masks: masks, []),
    "transposed": (lambda masks: [mask.T for mask in masks], ["transposed masks"]),
    "upside down": (lambda masks: [mask[::-1] for mask in masks], ["flipped masks"]),
    "mirrored": (lambda masks: [mask[:, ::-1] for mask in masks], ["flipped masks"]),
    "of the next": (lambda masks: [*masks[1:], masks[0]], ["shifted masks"]),
    "of the next from the middle on": (lambda masks: [*masks[:8], *masks[9:], masks[8]], ["shifted masks"]),
    "of the last": (lambda masks: [masks[-1], *masks[:-1]], ["shifted masks"]),
}


@pytest.mark.parametrize(("change", "checks"), CHANGES.values(), ids=CHANGES)
def test_misplaced_mask_files_are_found_from_a_few_images(
    draw: Draw, tmp_path: Path, change: Callable[[list[np.ndarray]], list[np.ndarray]], checks: list[str]
) -> None:
    random = np.random.default_rng(3)
    masks = []
    for number in range(20):
        mask = np.zeros((32, 32), np.uint8)
        top, left = random.integers(1, (20, 10))
        mask[top : top + 4, left : left + 9] = 1
        masks.append(mask)
        draw(f"images/{number:02d}.png", (random.normal(80, 6, (32, 32)) + 90 * mask).astype(np.uint8))
    for number, mask in enumerate(change(masks)):
        draw(f"masks/{number:02d}.png", np.ascontiguousarray(mask))
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "masks"), BINARY, 3, "data")
    assert [found.check for found in misplaced(data)] == checks


@pytest.mark.parametrize("less", [0, 1])
def test_runs_that_count_from_zero_are_found_from_a_few_images(draw: Draw, tmp_path: Path, less: int) -> None:
    rows = []
    for number in range(4):
        draw(f"images/{number}.png")  # noise: only where runs begin can tell
        starts = [6 * column + 1 - less for column in range(1, 6)]
        rows.append(f"{number}," + " ".join(f"{start} 3" for start in starts))
    (tmp_path / "t.csv").write_text("\n".join(["id,rle", *rows]))
    data = find_source(SourceKeys(images=tmp_path / "images", masks=tmp_path / "t.csv"), BINARY, 3, "data")
    assert [found.check for found in misplaced(data)] == ["runs"] * less
