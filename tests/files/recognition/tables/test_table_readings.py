from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.config.data.competitions import find_competition
from toolkit.files.recognition.recognising import Recognised, recognise
from toolkit.files.recognition.tables.table_readings import (
    overlaps,
    remarks,
    strange_words,
    unlabelled,
    words_for_empty,
)
from toolkit.messages import Silent

IDS = ("001", "002", "003", "004")
Found = Callable[..., Recognised]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """What is recognised in a folder with four images of 6×9, a table with these lines and, perhaps, a sample."""

    def found(*lines: str, sample: tuple[str, ...] = ()) -> Recognised:
        (tmp_path / "train").mkdir()
        (tmp_path / "test").mkdir()
        for folder, ids in (("train", IDS), ("test", ("901", "902"))):
            for image_id in ids:
                pixels = np.random.default_rng(int(image_id)).integers(0, 256, (6, 9), np.uint8)
                Image.fromarray(pixels).save(tmp_path / folder / f"{image_id}.png")
        (tmp_path / "train.csv").write_text("\n".join([*lines, ""]))
        if sample:
            (tmp_path / "sample_submission.csv").write_text("\n".join([*sample, ""]))
        return recognise(tmp_path, Silent())

    return found


def test_words_for_an_empty_mask_become_keys(found: Found) -> None:
    known = found("id,m", "001,1 2", "002,nan", "003,", "004,None", sample=("id,m", "901,-", "902,1 1"))
    assert known.labels is not None
    assert strange_words(known.labels) == ("nan", "None")
    assert strange_words(known.labels, find_competition("tgs-salt").model_copy(update={"empty": "nan"})) == ("None",)
    assert words_for_empty(None, known.labels) == {"empty": "nan", "label_empty": "None"}
    assert words_for_empty(known.sample, known.labels) == {"empty": "-", "label_empty": "nan"}


def test_the_usual_words_need_no_key(found: Found) -> None:
    known = found("id,m", "001,1 2", "002,-1", "003,", "004,3 3")
    assert known.labels is not None
    assert strange_words(known.labels) == ()
    assert words_for_empty(None, known.labels) == {"empty": ""}


def test_images_without_a_row_are_empty_if_every_row_has_a_mask(found: Found) -> None:
    value, why, other = unlabelled(found("id,m", "001,1 2", "002,3 3"), None)
    assert (value, why) == ("empty", "2 images have no row, and every row has a mask")
    assert other.startswith("leave_out")


def test_otherwise_what_they_mean_is_asked(found: Found) -> None:
    value, why, _ = unlabelled(found("id,m", "001,1 2", "002,"), None)
    assert value is None
    assert "unlabelled: leave_out" in why
    assert "unlabelled: empty" in why


@pytest.mark.parametrize("lines", [("001,1 2", "002,", "003,", "004,")])
def test_nothing_is_said_if_every_image_has_a_row(found: Found, lines: tuple[str, ...]) -> None:
    assert unlabelled(found("id,m", *lines), None) == (None, "", "")


def test_a_competition_may_have_said_it(found: Found) -> None:
    assert unlabelled(found("id,m", "001,1 2"), {"unlisted": "empty"}) == (None, "", "")


@pytest.mark.parametrize(("second", "words"), [("2 3", "in 1 of 1 images"), ("9 3", "share no pixel in 1 images")])
def test_classes_that_share_pixels_are_counted(found: Found, second: str, words: str) -> None:
    known = found("id,c,m", "001,a,1 2", f"001,b,{second}", "002,a,1 2", "002,b,")
    value, why, _ = overlaps(known, known.labels)
    assert value is True
    assert words in why


def test_what_was_settled_is_told(found: Found) -> None:
    known = found("1,1 2", "2,3 3", "2,3 3", "3,", "3,5 2", "4,")
    assert known.labels is not None
    assert known.labels.image_ids == set(IDS)
    told = remarks(known.labels)
    for words in ("no header", "leading zeros", "1 row is repeated", "besides rows with a mask, of which", "003"):
        assert words in told
