"""Also of toolkit/files/inspection/image_facts.py."""

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.core.masks.mask_values import MaskValues
from toolkit.core.simulated.salt import simulate_salt
from toolkit.files.data.sources import LabelledImages, find_images
from toolkit.files.disk import digests
from toolkit.files.disk.cache_folder import CacheFolder
from toolkit.files.images import image_files
from toolkit.files.inspection import remembered_facts
from toolkit.files.inspection.examining import examine_images, examine_labelled
from toolkit.files.inspection.image_facts import ImageFacts, Traces
from toolkit.files.masks.mask_files import MaskFiles
from toolkit.messages import Silent

COUNT = 6


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a test has just written count as settled."""
    monkeypatch.setattr(digests, "_SETTLED_AFTER", -60.0)


@pytest.fixture
def data(tmp_path: Path) -> LabelledImages:
    for number in range(COUNT):
        write(tmp_path, number, number)
    images = find_images(tmp_path / "images", "data")
    return LabelledImages(images, MaskFiles({name: tmp_path / "masks" / f"{name}.png" for name in images.ids}))


def write(folder: Path, number: int, drawn: int) -> None:
    one = simulate_salt(drawn, seed=5, size=(40, 48))
    for kind, pixels in (("images", one.image), ("masks", one.mask.astype(np.uint8) * 255)):
        (folder / kind).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{number}.png"), pixels)


@pytest.fixture
def examine(tmp_path: Path, data: LabelledImages) -> Callable[[], tuple[ImageFacts, ...]]:
    return lambda: examine_labelled(data, Silent(), "", CacheFolder(tmp_path / "cache"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that are decoded."""
    names: list[str] = []
    whole = image_files.read_image

    def counted(path: Path, *arguments: object) -> object:
        names.append(path.stem)
        return whole(path, *arguments)

    monkeypatch.setattr(image_files, "read_image", counted)
    return names


def plain(facts: tuple[ImageFacts, ...]) -> list[tuple[object, ...]]:
    return [tuple(part.tolist() if isinstance(part, np.ndarray) else part for part in astuple(one)) for one in facts]


def test_a_second_look_reads_nothing_and_finds_the_same(
    examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    first = examine()
    assert any(one.traces is not None for one in first)
    read.clear()
    assert plain(examine()) == plain(first)
    assert read == []


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_changed_file_is_read_again(
    kind: str, tmp_path: Path, data: LabelledImages, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    before = examine()
    path = tmp_path / kind / "2.png"
    path.write_bytes((tmp_path / kind / "4.png").read_bytes())
    read.clear()
    after = examine()
    assert plain(after) == plain(examine_labelled(data, Silent(), ""))
    assert after[2].content != before[2].content
    assert "2" in read


def test_masks_that_are_read_otherwise_are_read_again(
    tmp_path: Path, data: LabelledImages, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    examine()
    read.clear()
    turned = LabelledImages(data.images, data.masks, type(data.classes)(("cat",), "sigmoid", ((255,),)))
    examine_labelled(turned, Silent(), "", CacheFolder(tmp_path / "cache"))
    assert len(read) >= COUNT


def test_images_alone_are_remembered_apart(tmp_path: Path, data: LabelledImages, read: list[str]) -> None:
    cache = CacheFolder(tmp_path / "cache")
    examine_labelled(data, Silent(), "", cache)
    found = examine_images(data.images, Silent(), "", cache)
    assert [one.drawn for one in found] == [""] * COUNT
    read.clear()
    assert plain(examine_images(data.images, Silent(), "", cache)) == plain(found)
    assert read == []


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_damaged_file_is_as_good_as_none(
    place: int, tmp_path: Path, examine: Callable[[], tuple[ImageFacts, ...]]
) -> None:
    first = examine()
    (path,) = (tmp_path / "cache").glob("*.facts")
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert plain(examine()) == plain(first)
    path.write_bytes(b"")
    assert plain(examine()) == plain(first)


def test_problems_are_found_again(
    tmp_path: Path, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    (tmp_path / "images" / "3.png").write_bytes(b"no image")
    assert examine()[3].problem
    read.clear()
    assert examine()[3].problem
    assert "3" in read


def test_files_that_were_just_written_are_not_trusted(
    monkeypatch: pytest.MonkeyPatch, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    monkeypatch.setattr(digests, "_SETTLED_AFTER", 3600.0)
    examine()
    read.clear()
    examine()
    assert len(read) >= COUNT


def test_without_a_place_to_write_nothing_is_remembered(
    tmp_path: Path, examine: Callable[[], tuple[ImageFacts, ...]]
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert len(examine()) == COUNT


def test_the_values_of_masks_are_remembered(tmp_path: Path, data: LabelledImages) -> None:
    for number in range(COUNT):
        mask = np.zeros((40, 48), np.uint8)
        mask[5:20, 5:20] = 1
        mask[25:30, 5:20] = 2
        cv2.imwrite(str(tmp_path / "masks" / f"{number}.png"), mask)
    first, again = (examine_labelled(data, Silent(), "", CacheFolder(tmp_path / "kept")) for _ in range(2))
    assert [one.values for one in again] == [one.values for one in first]
    assert first[0].values is not None
    assert first[0].values.values == {0: 1620, 1: 225, 2: 75}


def test_facts_of_another_decoder_are_found_again(
    monkeypatch: pytest.MonkeyPatch, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    examine()
    read.clear()
    monkeypatch.setattr(cv2, "__version__", "0.0.1")
    examine()
    assert len(read) >= COUNT


@pytest.mark.parametrize("kind", [Traces, MaskValues])
def test_facts_with_other_parts_are_found_again(
    kind: type, monkeypatch: pytest.MonkeyPatch, examine: Callable[[], tuple[ImageFacts, ...]], read: list[str]
) -> None:
    known = remembered_facts._names
    with monkeypatch.context() as patched:  # as a version that knows one name more
        patched.setattr(remembered_facts, "_names", lambda one: [*known(one), *(["more"] if one is kind else [])])
        patched.setattr(remembered_facts, "_plain", lambda one: {"image_id": one.image_id})
        examine()
    read.clear()
    examine()
    assert len(read) >= COUNT


def test_the_cache_makes_room_for_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examine: Callable[[], tuple[ImageFacts, ...]]
) -> None:
    asked = []

    def full(folder: CacheFolder, size: int) -> bool:
        asked.append(size)
        return False

    with monkeypatch.context() as patched:
        patched.setattr(CacheFolder, "make_room", full)
        examine()
    assert not list(tmp_path.glob("cache/*.facts"))
    examine()
    assert asked == [path.stat().st_size for path in tmp_path.glob("cache/*.facts")]
