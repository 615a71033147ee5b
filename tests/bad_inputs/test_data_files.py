"""Mistakes in tables, images and masks: what is written to which file, and the words that the message must have."""

import io
import os
import socket
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bad_inputs.conftest import DOCUMENTED
from tests.small_competition import CONFIG, TRAINING, begin, draw, run, truth_of

pytestmark = pytest.mark.train

IMAGES, TEST, LABELS = "data/train/images", "data/test/images", "data/train.csv"
SAMPLE = "data/sample_submission.csv"


def png(width: int, height: int, depth: int = 8, kind: int = 0) -> bytes:
    """A PNG file whose header claims a size, and which holds hardly any pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def tiff(width: int, height: int, count: int | None = None) -> bytes:
    """A TIFF file of one strip, whose header claims a size."""
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags.append((279, width * height % 2**32 if count is None else count))
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + body + b"\0\0\0\0"


def npy(shape: str, kind: str = "|u1", content: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def npz(*members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, member in enumerate(members):
            archive.writestr(f"a{number}.npy", member)
    return file.getvalue()


def encoded(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16), np.uint8)).save(file, kind, **options)
    return file.getvalue()


def animated() -> bytes:
    file = io.BytesIO()
    frames = [Image.fromarray(np.full((12, 16), value, np.uint8)) for value in (0, 99)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


# An image file in the place of t1.png: its suffix, its content, and words of the message.
IMAGE_FILES = [
    (".png", b"", "t1.png"),
    (".png", b"\0" * 100, "not an image"),
    (".png", b"<html>Please log in</html>", "not an image"),
    (".png", b"\x89PNG\r\n\x1a\n", "t1.png"),
    (".png", encoded("PNG")[:60], "t1.png is truncated"),
    (".png", encoded("PNG")[:-30], "t1.png is truncated"),
    (".png", encoded("PNG").replace(b"IDAT", b"IDAX"), "t1.png"),
    (".png", png(400_000_000, 1), "1×400000000"),
    (".png", png(1, 400_000_000), "400000000×1"),
    (".png", png(2**31 - 1, 2**31 - 1), "at most"),
    (".png", png(0, 12), "t1.png"),
    (".png", png(20_000, 19_000), "length"),
    (".png", png(20_000, 19_000, depth=16, kind=6), "length"),
    (".png", png(900_000, 400, depth=1), "length"),
    (".png", png(16, 12, depth=3), "t1.png"),
    (".png", png(16, 12, kind=9), "t1.png"),
    (".jpg", b"\xff\xd8\xff", "t1.jpg"),
    (".jpg", encoded("JPEG")[:150], "t1.jpg"),
    (".jpg", encoded("JPEG")[:-40], "t1.jpg is truncated"),
    (".gif", animated(), "animated"),
    (".gif", b"GIF89a\xff\xff\xff\xff\0\0\0", "t1.gif"),
    (".bmp", b"BM" + b"\xff" * 60, "t1.bmp"),
    (".webp", b"RIFF\xff\xff\xff\xffWEBPVP8 ", "t1.webp"),
    (".tif", b"II*\0", "t1.tif"),
    (".tif", b"II*\0\xff\xff\xff\xff", "t1.tif"),
    (".tif", tiff(400_000_000, 1, 10), "400000000"),
    (".tif", tiff(1_000_000, 1_000_000, 10), "1000000×1000000"),
    (".tif", tiff(20_000, 19_000, 10), "t1.tif"),
    (".tif", tiff(20_000, 19_000), "t1.tif"),
    (".npy", b"", "t1.npy"),
    (".npy", b"\x93NUMPY\x01\x00\xff\xff", "t1.npy"),
    (".npy", npy("(1000000, 1000000)"), "t1.npy"),
    (".npy", npy("(12, 16, 1000000000000)"), "t1.npy"),
    (".npy", npy("(12, 16)"), "t1.npy"),
    (".npy", npy("(12, -16)"), "t1.npy"),
    (".npy", npy("(12,)", content=b"x" * 12), "shape (12,)"),
    (".npy", npy("(0, 16)"), "shape (0, 16)"),
    (".npy", npy("(1, 2, 3, 4)", content=b"x" * 24), "shape (1, 2, 3, 4)"),
    (".npy", npy("(2, 2)", "|O", b"x" * 99), "t1.npy"),
    (".npy", npy("(12, 16)", "<c16", b"x" * 16 * 192), "t1.npy"),
    (".npy", npy("(12, 16)", "<U4", b"\0" * 16 * 192), "t1.npy"),
    (".npy", npy("__import__('os')"), "t1.npy"),
    (".npy", npy("(" * 9_000), "t1.npy"),
    (".npz", b"PK\x05\x06" + b"\0" * 18, "none"),
    (".npz", npz(npy("(1000000, 1000000)")), "t1.npz"),
    (".npz", npz(npy("(12, 16, 1000000000000)")), "can hold"),
    (".npz", npz(npy("(12, 16)", content=b"x" * 9)), "can hold"),
    (".npz", npz(npy("(2, 2)", "|O", b"x" * 99)), "t1.npz"),
    (".npz", npz(b"a", b"b"), "a0, a1"),
    (".npz", b"no archive", "t1.npz"),
]


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refused would train, which takes seconds: without TensorFlow it is a traceback."""
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "toolkit.learning.runtime", raising=False)


def fitted(*words: str, command: str = "fit new") -> None:
    """The command is refused with a sentence that has these words."""
    code, _, err = run(*command.split())
    assert code in DOCUMENTED, err
    assert len(err) < 8_000
    assert "TensorFlow" not in err, "it was not refused"
    for word in words:
        assert word in err


def short(value: object) -> str:
    return repr(value)[:50] if isinstance(value, bytes) else str(value)[:60].replace("\0", "NUL")


@pytest.mark.parametrize(("suffix", "content", "words"), IMAGE_FILES, ids=short)
def test_an_image_that_is_none_is_named(suffix: str, content: bytes, words: str) -> None:
    Path(IMAGES, "t1.png").unlink()
    Path(IMAGES, f"t1{suffix}").write_bytes(content)
    fitted(words)


LOSSY = (".jpg", ".webp")  # which hold no masks


@pytest.mark.parametrize(
    ("suffix", "content"),
    [(suffix, content) for suffix, content, _ in IMAGE_FILES if suffix not in LOSSY],
    ids=short,
)
def test_a_mask_that_is_none_is_named(suffix: str, content: bytes) -> None:
    for image_id in TRAINING:
        draw(Path("data/masks") / f"{image_id}.png", truth_of(image_id))
    begin("new", CONFIG.replace("train.csv", "masks"))
    Path("data/masks/t1.png").unlink()
    Path(f"data/masks/t1{suffix}").write_bytes(content)
    fitted("t1")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(os.path.relpath(path))


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


NO_FILES = (make_pipe, make_socket, link_to_device, Path.mkdir, link_to_itself)
PLACES = {
    f"{IMAGES}/t1.png": ("fit new", "t1"),
    f"{TEST}/s1.png": ("fit new", "s1"),
    LABELS: ("fit new", "train.csv"),
    SAMPLE: ("submit a", "sample_submission.csv"),
    "experiments/new/config.yaml": ("fit new", ""),
    "experiments/a/resolved.yaml": ("tune a", "a"),
    "experiments/a/score.json": ("submit a --threshold 0.4", ""),
    "experiments/a/tuned.json": ("submit a", "a"),
    "experiments/a/folds.csv": ("tune a", "folds.csv"),
    "experiments/a/predictions/oof/manifest.json": ("tune a", "a"),
    "experiments/a/predictions/oof/index.csv": ("tune a", "predictions"),
    "experiments/a/predictions/oof/000.bin": ("tune a", "predictions"),
    "submissions/log.csv": ("lb", "log.csv"),
}


@pytest.mark.parametrize(
    ("place", "make"),
    # A folder with a dot in its name is no image, but may be among them.
    [(place, make) for place in PLACES for make in NO_FILES if not (place.startswith(IMAGES) and make is Path.mkdir)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_is_no_file_is_not_opened(place: str, make: Callable[[Path], None]) -> None:
    command, words = PLACES[place]
    path = Path(place)
    if path.name == "000.bin":
        path = next(iter(path.parent.glob("*.bin")), path)
    path.unlink(missing_ok=True)
    make(path)
    fitted(words, command=command)


# The labels: the whole table, and words of the message.
HEADER = "id,rle_mask\n"
ROWS = "t0,\nt1,1 1\nt2,1 2\nt3,1 3\nt4,1 4\n"
TABLES = [
    ("", "train.csv"),
    ("\n\n\n", "train.csv"),
    ("id,rle_mask\n", "6 of 6"),
    ("id\n" + ROWS, "train.csv"),
    ("id,rle_mask,more\n" + ROWS, "train.csv"),
    ("rle_mask,id\n" + ROWS, "t5"),
    ("name,mask\n" + ROWS, "t5"),
    (HEADER + ROWS, "t5: the mask is missing"),
    (HEADER + ROWS + "t5,1\n", "t5"),
    (HEADER + ROWS + "t5,0 1\n", "t5"),
    (HEADER + ROWS + "t5,-1 1\n", "t5"),
    (HEADER + ROWS + "t5,1 -1\n", "t5"),
    (HEADER + ROWS + "t5,1 0\n", "empty"),
    (HEADER + ROWS + "t5,1.5 1\n", "t5"),
    (HEADER + ROWS + "t5,1 1e3\n", "t5"),
    (HEADER + ROWS + "t5,1 x\n", "'1 x'"),
    (HEADER + ROWS + "t5,nan\n", "empty"),
    (HEADER + ROWS + "t5,192 2\n", "193"),
    (HEADER + ROWS + "t5,1 5 3 5\n", "t5"),
    (HEADER + ROWS + "t5,9 2 1 2\n", "t5"),
    (HEADER + ROWS + f"t5,{'9' * 30} 1\n", "t5"),
    (HEADER + ROWS + f"t5,{'9' * 5000} 1\n", "t5"),
    (HEADER + ROWS + f"t5,1 {'9' * 5000}\n", "t5"),
    (HEADER + ROWS + "t5,²³ 1\n", "t5"),
    (HEADER + ROWS + 't5,"1 1\n', "train.csv"),
    (HEADER + ROWS + "t5,1 1,1 1\n", "train.csv"),
    (HEADER + ROWS + f"{'t' * 5000},1 1\n", "t5"),
    (HEADER + ROWS + "a\0b,1 1\n", "t5"),
    ("id;rle_mask\n" + ROWS, "unlabelled"),
    ("\0" * 100, "train.csv"),
    ("[" * 100_000, "train.csv"),
    (HEADER + "".join(f"{one},\n" for one in TRAINING), "are empty: there is no foreground"),
]


@pytest.mark.parametrize(("table", "words"), TABLES, ids=short)
def test_a_mistake_in_the_labels_is_named(table: str, words: str) -> None:
    Path(LABELS).write_text(table)
    fitted(words)


@pytest.mark.parametrize("content", [b"\xff\xfe" * 50, bytes(range(256)), b"id,rle_mask\nt\xe9,1 1\n"], ids=short)
def test_labels_that_are_no_text_are_named(content: bytes) -> None:
    Path(LABELS).write_bytes(content)
    fitted("train.csv")


SAMPLES = [
    ("", "sample_submission.csv"),
    (HEADER, "sample_submission.csv"),
    ("id\ns0\ns1\ns2\ns3\n", "sample_submission.csv"),
    (HEADER + "s0,\ns1,\ns2,\ns2,\ns3,\n", "several rows: s2"),
    (HEADER + "s0,\ns1,\ns2,\ns3,\ns4,\n", "s4"),
    (HEADER + "s0,\ns1,\ns2,\n,\n", "sample_submission.csv"),
    (HEADER + 's0,"\n', "sample_submission.csv"),
    (HEADER + f"s0,\ns1,\ns2,\n{'s' * 5000},\n", "1 ids without a test image"),
    ("\0" * 50, "sample_submission.csv"),
    ("[" * 100_000, "sample_submission.csv"),
]


@pytest.mark.parametrize(("table", "words"), SAMPLES, ids=short)
def test_a_mistake_in_the_sample_submission_is_named(table: str, words: str) -> None:
    Path(SAMPLE).write_text(table)
    fitted(words, command="submit a")


FOLDS = [
    ("", "folds.csv"),
    ("image_id,fold\n", "folds.csv"),
    ("image_id,fold\nt0,0\nt0,1\n", "t0"),
    ("image_id,fold\n" + "".join(f"t{one},{one % 2}\n" for one in range(5)), "t5"),
    ("image_id,fold\n" + "".join(f"t{one},{one % 3}\n" for one in range(6)), "0 to 1"),
    ("image_id,fold\n" + "".join(f"t{one},-1\n" for one in range(6)), "-1"),
    ("image_id,fold\n" + "".join(f"t{one},0.5\n" for one in range(6)), "0.5"),
    ("image_id,fold\n" + "".join(f"t{one},{'9' * 5000}\n" for one in range(6)), "t0"),
    ("image_id,fold\n" + "".join(f"t{one},holdout\n" for one in range(6)), "none"),
    ("image_id,fold\n" + "".join(f"t{one},train\n" for one in range(6)), "none"),
    ("image_id,fold\n" + "".join(f"t{one},²\n" for one in range(6)), "²"),
    ("fold\n0\n", "image_id"),
    ("image_id,fold,fold\nt0,0,0\n", "fold"),
]


@pytest.mark.parametrize(("table", "words"), FOLDS, ids=short)
@pytest.mark.parametrize("is_own", [True, False], ids=["folds.csv", "folds: FILE"])
def test_a_mistake_in_folds_is_named(table: str, words: str, is_own: bool) -> None:
    path = Path("experiments/new/folds.csv" if is_own else "data/folds.csv")
    path.write_text(table)
    if not is_own:
        begin("new", CONFIG + "folds: ../../data/folds.csv\n")
    fitted(words)


# What config.yaml says about few images, and words of the message.
FEW = [
    ("testSplit: 0.9", "testSplit"),
    ("testSplit: 0.999999", "testSplit"),
    ("folds_count: 7", "7 folds"),
    ("folds_count: 1000", "1000 folds"),
    ("testSplit: 0.99", "testSplit"),
]


@pytest.mark.parametrize(("lines", "words"), FEW, ids=short)
def test_shares_and_counts_that_few_images_cannot_serve_are_named(lines: str, words: str) -> None:
    kept = CONFIG.replace("folds_count: 2\n", "") if lines.startswith("folds_count") else CONFIG
    begin("new", f"{kept}{lines}\n")
    fitted(words)


METADATA = [
    ("id,w\n" + "".join(f"t{one},1e308\n" for one in range(6)), "1e308"),
    ("id,w\n" + "".join(f"t{one},nan\n" for one in range(6)), "nan"),
    ("id,w\n" + "".join(f"t{one},inf\n" for one in range(6)), "inf"),
    ("id,w\n" + "".join(f"t{one},-1\n" for one in range(6)), "-1"),
    ("id,w\n" + "".join(f"t{one},0\n" for one in range(6)), "w"),
    ("id,w\n" + "".join(f"t{one},heavy\n" for one in range(6)), "heavy"),
    ("id,w\nt0,1\n", "t1"),
    ("id,v\nt0,1\n", "w"),
    ("", "metadata.csv"),
    ("\0", "metadata.csv"),
]


@pytest.mark.parametrize(("table", "words"), METADATA, ids=short)
def test_a_mistake_in_weights_of_images_is_named(table: str, words: str) -> None:
    Path("data/metadata.csv").write_text(table)
    sample = "  sample_submission: ../../data/sample_submission.csv\n"
    begin("new", CONFIG.replace(sample, f"{sample}  metadata: ../../data/metadata.csv\n  weights: w\n"))
    fitted(words)
