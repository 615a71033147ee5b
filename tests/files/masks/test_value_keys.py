"""Covers toolkit/files/masks/value_keys.py and mask_examining.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolkit.core.masks.mask_values import MaskReading
from toolkit.core.masks.palettes import PaletteVerdict
from toolkit.files.masks.mask_examining import examine_mask_files, with_palettes
from toolkit.files.masks.value_keys import are_several, as_lines, keys_for, refuse_unclear

BLACK, RED, BLUE = (0, 0, 0), (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("reading", "keys"),
    [
        (MaskReading("binary", (0, 255)), {}),
        (MaskReading("empty", (0,)), {}),
        (MaskReading("soft", (0, 255)), {"value_ranges": {"foreground": [128, 255]}}),
        (MaskReading("soft", (0, 65535)), {"value_ranges": {"foreground": [32768, 65535]}}),
        (MaskReading("index", (0, 1), (255,)), {"ignore": 255}),
        (MaskReading("index", (1, 2)), {"mask_values": (2,)}),
        (MaskReading("index", (2, 1, 3)), {"mask_values": (2, 1, 3)}),
        (MaskReading("index", (0, 1, 2), (254, 255)), {"ignore": (254, 255)}),
        (MaskReading("alpha", (3,)), {"mask_encoding": "channels", "mask_values": (3,)}),
        (MaskReading("one_hot", (0, 1, 2, 3)), {"mask_encoding": "channels"}),
        (MaskReading("one_hot", (0, 1)), {"mask_encoding": "channels", "mask_values": (1,)}),
        (MaskReading("planes", (0, 1, 2, 3)), {"mask_encoding": "channels"}),
        (MaskReading("instances"), {"mask_encoding": "instances"}),
        (MaskReading("colours", colours=(BLACK, RED)), {}),
        (MaskReading("colours", colours=(BLUE, RED)), {"colors": {"foreground": [255, 0, 0]}}),
        (
            MaskReading("levels", (255, 0, 128)),
            {"value_ranges": {"level_255": [192, 255], "level_0": [0, 63], "level_128": [64, 191]}},
        ),
        (
            MaskReading("levels", (0, 128, 255)),
            {"value_ranges": {"level_0": [0, 63], "level_128": [64, 191], "level_255": [192, 255]}},
        ),
    ],
)
def test_the_keys_of_a_reading(reading: MaskReading, keys: dict[str, Any]) -> None:
    assert keys_for(reading) == keys
    assert refuse_unclear(reading, "masks") is None


def test_several_colours_have_names() -> None:
    reading = MaskReading("colours", colours=(BLACK, RED, BLUE))
    assert are_several(reading)
    assert list(keys_for(reading)["colors"]) == ["color_000000", "color_ff0000", "color_0000ff"]
    assert list(keys_for(reading, ("sky", "car", "sea"))["colors"]) == ["sky", "car", "sea"]


def test_keys_are_written_as_in_a_configuration() -> None:
    keys = {"value_ranges": {"cell": [128, 255]}, "mask_encoding": "channels"}
    assert as_lines(keys) == "value_ranges: {cell: [128, 255]}; mask_encoding: channels"


def test_an_unclear_reading_is_refused_with_what_it_says() -> None:
    error = refuse_unclear(MaskReading("unknown", why="the reason", other="write this"), "the folder")
    assert error is not None
    assert "the folder" in error.message
    assert "the reason" in error.message
    assert error.advice == "write this"
    error = refuse_unclear(MaskReading("unknown", colours=(BLACK, RED), why="many colours"), "masks")
    assert error is not None
    assert "#ff0000" in error.advice


def test_examined_files_have_kinds_sizes_and_values(tmp_path: Path) -> None:
    Image.fromarray(np.eye(6, 9, dtype=np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    found = examine_mask_files([tmp_path / "a.png", tmp_path / "b.png"])
    assert found.sizes == ((6, 9), None)
    assert found.kinds.total() == 2
    assert [one.values for one in found.values] == [{0: 48, 1: 6}]
    assert found.reading().code == "binary"


def test_palettes_that_leave_it_open_make_a_reading_unclear() -> None:
    reading = MaskReading("index", (0, 1, 2), why="masks hold 0, 1, 2")
    open_ = PaletteVerdict(None, "palettes differ from file to file", agree=True, grey=False, same=False)
    assert with_palettes(reading, open_).code == "unknown"
    assert with_palettes(reading, open_, one_class=True) == reading
    shown = with_palettes(reading, PaletteVerdict("colors", "palettes differ from file to file"))
    assert "palettes differ" in shown.why
    assert "palette: index" in shown.other
