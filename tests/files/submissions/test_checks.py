"""Covers toolkit/files/submissions/checks.py, rows.py, id_checks.py, mask_checks.py, expectations.py, findings.py."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from toolkit.config.data.competitions import PLAIN, Competition, find_competition
from toolkit.core.arrays import Mask
from toolkit.core.masks.rle import encode
from toolkit.core.simulated.salt import simulate_salt
from toolkit.errors import MissingFileError, SubmissionError
from toolkit.files.disk.digests import file_digest
from toolkit.files.submissions.checks import Checked, check_submission
from toolkit.files.submissions.expectations import Expected, TestImages, mask_digest
from toolkit.files.submissions.layout import sample_layout
from toolkit.files.submissions.log import LoggedSubmission
from toolkit.messages import Silent

SIZE = (8, 10)
IDS = ("a", "b", "c", "007")
SALT = find_competition("tgs-salt")
OBJECTS = find_competition("dsb2018")
SAMPLE = "id,rle_mask\n" + "".join(f"{one},1 1\n" for one in IDS)
GOOD = "id,rle_mask\na,1 2 9 3\nb,\nc,80 1\n007,5 6\n"


def images_of(ids: Iterable[str] = IDS, size: tuple[int, int] = SIZE) -> TestImages:
    known = frozenset(ids)
    return TestImages(known, lambda image_id: size if image_id in known else None)


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Checked]:
    """Checks a file with this content, by default against the sample and the test images."""

    def check(
        content: str | bytes, form: Competition = SALT, sample: str | None = SAMPLE, **expected: object
    ) -> Checked:
        path, sample_path = tmp_path / "submission.csv", tmp_path / "sample.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if sample is not None:
            sample_path.write_text(sample)
        layout = None if sample is None else sample_layout(sample_path, form)
        wanted = {"images": images_of(), "sample_path": sample_path if sample else None} | expected
        return check_submission(path, Expected(form, layout, **wanted), Silent())

    return check


def told(checked: Checked) -> list[tuple[str, str]]:
    return [(finding.level, finding.check) for finding in checked.findings]


def test_a_valid_file_passes(check: Callable[..., Checked]) -> None:
    for expected in ({}, {"images": None}, {"sample": None}, {"sample": None, "images": None, "form": PLAIN}):
        checked = check(GOOD, **expected)
        assert [finding for finding in checked.findings if finding.check != "sizes"] == []
        assert (checked.rows, checked.images, checked.empty_rows, checked.is_refused) == (4, 4, 1, False)


def changed(row: str, before: str = "b,") -> str:
    assert f"{before}\n" in GOOD
    return GOOD.replace(f"{before}\n", f"{row}\n")


ROWS = {
    "not a number": ("b,3.5 1", "refuse", "runs", "whole numbers"),
    "letters": ("b,1 1 x", "refuse", "runs", "whole numbers"),
    "commas for spaces": ('b,"1,1"', "refuse", "runs", "whole numbers"),
    "two spaces": ("b,1 1  5 1", "refuse", "runs", "single spaces"),
    "odd count": ("b,1 2 3", "refuse", "runs", "odd count of 3"),
    "start below 1": ("b,0 3", "refuse", "runs", "count from 1"),
    "length below 1": ("b,3 0", "refuse", "runs", "at least 1"),
    "negative": ("b,-3 4", "refuse", "runs", "whole numbers"),
    "unsorted": ("b,60 2 40 2", "refuse", "runs", "sorted"),
    "overlapping runs": ("b,1 5 3 2", "refuse", "runs", "not overlap"),
    "beyond the image": ("b,80 2", "refuse", "runs", "ends at pixel 81, but the image has 80"),
    "absurdly large": ("b,1 99999999999999999999", "refuse", "runs", "the image has 80"),
    "absurdly long": ("b," + " ".join(["1 1"] * 1000), "refuse", "runs", "characters, but a mask"),
    "nan": ("b,nan", "refuse", "empty masks", "'nan' is not a mask"),
    "None": ("b,None", "refuse", "empty masks", "'None' is not a mask"),
    "minus one": ("b,-1", "refuse", "empty masks", "'-1'"),
    "a space": ("b, ", "refuse", "empty masks", "' '"),
    "touching runs": ("b,1 2 3 2", "warn", "round trip", "runs touch"),
    "zeros before": ("b,01 2", "warn", "round trip", "leading zeros"),
    "spaces around": ("b, 1 2", "warn", "round trip", "extra spaces"),
    "an unknown id": ("z,", "refuse", "ids", "'z' is unknown"),
    "no id": (",", "refuse", "ids", ""),
    "an id of NaN": ("nan,", "refuse", "ids", "'nan' is unknown"),
    "an id as a number": ("7,", "refuse", "ids", "'7'"),
    "an id with a space": ("b ,", "refuse", "ids", "the sample has 'b'"),
    "an id with an extension": ("b.png,", "refuse", "ids", "the sample has 'b'"),
    "an id twice": ("b,\nb,", "refuse", "duplicates", "line 3 already has"),
    "a cell too many": ("b,1 1,", "refuse", "rows", "3 cells"),
    "a cell missing": ("b", "refuse", "rows", "1 cells"),
    "an empty line": ("\nb,", "warn", "rows", "line is empty"),
    "a quote that is not closed": ('b,"1 1', "refuse", "quotes", "line 5"),
    "text after a quote": ('b,"1 1"x', "refuse", "quotes", "line 3"),
}


@pytest.mark.parametrize(("row", "level", "name", "words"), ROWS.values(), ids=ROWS)
def test_invalid_rows_are_reported(check: Callable[..., Checked], row: str, level: str, name: str, words: str) -> None:
    checked = check(changed(row))
    found = next(finding for finding in checked.findings if (finding.level, finding.check) == (level, name))
    assert words in found.came + found.allowed
    if name not in {"quotes", "rows", "duplicates"}:
        assert found.where.startswith("line 3")
    assert checked.is_refused == (level == "refuse")


FILES = {
    "no file content": (b"", "refuse", "rows", "empty"),
    "a header only": (b"id,rle_mask\n", "refuse", "ids", "4 ids of the sample submission have no row: a, b, c, 007"),
    "other columns": (GOOD.replace("rle_mask", "mask").encode(), "refuse", "header", "expected id,rle_mask"),
    "capitals": (GOOD.replace("id,", "Id,").encode(), "refuse", "header", "expected id,rle_mask"),
    "a space in the header": (GOOD.replace("id,", "id, ").encode(), "refuse", "header", "id, rle_mask"),
    "columns the wrong way round": (b"rle_mask,id\n1 2,a\n,b\n,c\n,007\n", "refuse", "header", "expected"),
    "an index": (b",id,rle_mask\n0,a,\n1,b,\n", "refuse", "header", ",id,rle_mask"),
    "semicolons": (GOOD.replace(",", ";").encode(), "refuse", "header", "id;rle_mask"),
    "tabs": (GOOD.replace(",", "\t").encode(), "refuse", "header", "rle_mask"),
    "no header": (GOOD.partition("\n")[2].encode(), "refuse", "header", "a,1 2 9 3"),
    "a row missing": (GOOD.replace("c,80 1\n", "").encode(), "refuse", "ids", "1 ids of the sample submission"),
    "another order": (b"id,rle_mask\na,\nc,\nb,\n007,\n", "warn", "order", "from c on"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), "warn", "encoding", "byte order mark"),
    "UTF-16": (GOOD.encode("utf-16"), "refuse", "encoding", "UTF-16"),
    "Latin-1": (GOOD.replace("b,", "ü,").encode("latin-1"), "refuse", "encoding", "0xfc is not UTF-8"),
    "a zero byte": (GOOD.replace("b", "\0").encode(), "refuse", "encoding", "not text"),
    "a ZIP archive": (b"PK\x03\x04....", "refuse", "encoding", "ZIP"),
    "a gzip archive": (b"\x1f\x8b....", "refuse", "encoding", "gzip"),
    "Windows newlines": (GOOD.replace("\n", "\r\n").encode(), "warn", "newlines", "5 lines end in"),
    "mixed newlines": (GOOD.replace("\n", "\r\n", 2).encode(), "warn", "newlines", "and 3 of"),
    "old newlines": (GOOD.replace("\n", "\r").encode(), "refuse", "newlines", "5 carriage returns"),
    "no last newline": (GOOD.rstrip().encode(), "warn", "newlines", "does not end with a newline"),
    "all masks empty": (b"id,rle_mask\na,\nb,\nc,\n007,\n", "warn", "masks", "all 4 masks are empty"),
    "all masks the same": (b"id,rle_mask\na,1 2\nb,1 2\nc,1 2\n007,\n", "warn", "masks", "are the same"),
    "the sample": (SAMPLE.encode(), "warn", "novelty", "sample submission itself"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "level", "name", "words"), FILES.values(), ids=FILES)
def test_invalid_files_are_reported(
    check: Callable[..., Checked], content: bytes, level: str, name: str, words: str
) -> None:
    checked = check(content)
    found = next(finding for finding in checked.findings if (finding.level, finding.check) == (level, name))
    assert words in found.came + found.allowed
    assert checked.is_refused == (level == "refuse")


def test_a_problem_of_many_rows_is_reported_once(check: Callable[..., Checked]) -> None:
    checked = check("id,rle_mask\na,1 2 3\nb,4 5 6\nc,1 1\n007,70 20\n")
    assert told(checked) == [("refuse", "runs")] * 2
    assert [finding.count for finding in checked.findings] == [2, 1]
    assert checked.findings[0].describe() == (
        "runs: line 2, a (and 1 more): expected pairs of start and length, received an odd count of 3 numbers"
    )


def test_findings_that_refuse_come_first(check: Callable[..., Checked]) -> None:
    levels = [finding.level for finding in check(changed("b,nan").replace("\n", "\r\n")).findings]
    assert levels == ["refuse", "warn"]


def test_large_files_are_reported(check: Callable[..., Checked], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.files.submissions.rows._LARGE_MIB", 0)
    assert told(check(GOOD)) == [("warn", "size")]


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(MissingFileError, match="cannot read"):
            check_submission(path, Expected(SALT), Silent())


# Sample and test images


def test_test_images_define_the_rows_without_a_sample(check: Callable[..., Checked]) -> None:
    checked = check(GOOD, sample=None, images=images_of(["a", "b", "c", "d"]))
    assert told(checked) == [("refuse", "ids")] * 2
    assert "'007' is unknown" in checked.findings[0].came
    assert "1 ids of the test images have no row: d" in checked.findings[1].came


def test_a_sample_of_other_test_images_is_reported(check: Callable[..., Checked]) -> None:
    checked = check(GOOD, images=images_of(["a", "b", "c", "d"]))
    assert ("warn", "test images") in told(checked)
    words = " ".join(finding.came for finding in checked.findings)
    assert "1 ids have no test image: 007" in words
    assert "1 test images are not in the sample submission: d" in words
    assert not checked.is_refused


def test_runs_are_checked_without_sizes(check: Callable[..., Checked]) -> None:
    checked = check(changed("b,5 1 3 1"), images=None)
    assert told(checked) == [("refuse", "runs"), ("warn", "sizes")]
    assert "4 images are unknown: a, b, c, 007" in checked.findings[1].came
    assert told(check(changed("b,5 1 399999999999 1"), images=None)) == [("refuse", "runs"), ("warn", "sizes")]


def test_columns_may_have_any_names_without_sample_and_competition(check: Callable[..., Checked]) -> None:
    assert told(check(GOOD.replace("id,rle_mask", "x,y"), PLAIN, None)) == []


# Competitions


def test_each_competition_has_its_word_for_an_empty_mask(check: Callable[..., Checked]) -> None:
    contrails = SALT.model_copy(update={"empty": "-"})
    checked = check(changed("b,-"), contrails)
    assert told(checked) == []
    assert checked.empty_rows == 1
    checked = check(GOOD, contrails)
    assert told(checked) == [("refuse", "empty masks")]
    assert "an empty mask is written -" in checked.findings[0].allowed
    assert told(check(changed("b,-1"), PLAIN)) == [("warn", "empty masks")]


def test_relative_starts(check: Callable[..., Checked]) -> None:
    relative = SALT.model_copy(update={"relative": True})
    mask = np.zeros(SIZE, np.bool_)
    mask[2:5, 3:9] = True
    absolute = "id,rle_mask\n" + "".join(f"{one},{encode(mask)}\n" for one in IDS)
    checked = check(absolute, relative)
    assert ("refuse", "runs") in told(checked)
    assert any("all 4 invalid masks are valid with absolute" in found.came for found in checked.findings)
    assert not check(absolute.replace(encode(mask), encode(mask, relative=True)), relative).is_refused


def test_classes_of_an_image(check: Callable[..., Checked]) -> None:
    form = find_competition("severstal").model_copy(update={"output_size": SIZE, "overlaps": False})
    names = [f"{one}.jpg_{number}" for one in ("a", "b") for number in "1234"]
    sample = "ImageId_ClassId,EncodedPixels\n" + "".join(f"{name},1 1\n" for name in names)
    good = sample.replace("1 1", "").replace("a.jpg_1,", "a.jpg_1,1 5").replace("a.jpg_3,", "a.jpg_3,6 5")
    images = images_of(["a", "b"])
    assert told(check(good, form, sample, images=images)) == []
    overlapping = good.replace("6 5", "5 5")
    checked = check(overlapping, form, sample, images=images)
    assert told(checked) == [("refuse", "overlap")]
    assert checked.findings[0].came == "1 pixels are also in an earlier row of the same image"
    assert checked.findings[0].where == "line 4, a.jpg_3"
    assert told(check(overlapping, form.model_copy(update={"overlaps": True}), sample, images=images)) == []
    for wrong, words in (("a.jpg_5", "expected {id}.jpg_{class}"), ("a_4", "expected"), ("c.jpg_4", "is unknown")):
        checked = check(good.replace("a.jpg_4", wrong), form, sample, images=images)
        assert words in checked.findings[0].came
        assert "a.jpg_4" in checked.findings[1].came


def test_objects_of_an_image(check: Callable[..., Checked]) -> None:
    sample = SAMPLE.replace("id,rle_mask", "ImageId,EncodedPixels")
    good = "ImageId,EncodedPixels\na,1 5\na,7 2\na,20 3\nb,\nc,4 4\n007,\n"
    assert told(check(good, OBJECTS, sample)) == []
    checked = check(good.replace("7 2", "5 2").replace("20 3", "6 1"), OBJECTS, sample)
    assert told(checked) == [("refuse", "overlap")]
    assert checked.findings[0].count == 2
    assert "objects must not overlap" in checked.findings[0].allowed
    for wrong in (good + "c,\n", good.replace("b,\n", "b,\nb,\n"), good.replace("b,\n", "b,\nb,1 1\n")):
        assert ("refuse", "duplicates") in told(check(wrong, OBJECTS, sample))
    assert ("refuse", "ids") in told(check(good.replace("b,\n", ""), OBJECTS, sample))


def test_ids_may_repeat_if_the_sample_repeats_ids(check: Callable[..., Checked]) -> None:
    sample = SAMPLE + "a,1 1\n"
    assert told(check(GOOD + "a,1 2\n", SALT, sample)) == [("warn", "duplicates")]


# Masks


def masks_of(texts: dict[str, Mask]) -> dict[tuple[str, None], str]:
    return {(image_id, None): mask_digest(mask) for image_id, mask in texts.items()}


def test_masks_that_differ_from_their_source_are_reported(check: Callable[..., Checked]) -> None:
    random = np.random.default_rng(0)
    masks = {one: random.random(SIZE) < 0.3 for one in IDS}
    content = "id,rle_mask\n" + "".join(f"{one},{encode(mask)}\n" for one, mask in masks.items())
    assert told(check(content, masks=masks_of(masks))) == []
    flipped = {one: mask[:, ::-1] for one, mask in masks.items()}
    checked = check(content, masks=masks_of(flipped))
    assert told(checked) == [("refuse", "round trip")]
    assert checked.findings[0].count == 4


def simulated(count: int, size: tuple[int, int]) -> tuple[dict[str, Mask], TestImages]:
    drawn = {f"{index:03d}": simulate_salt(index, seed=5, size=size) for index in range(count)}
    images = TestImages(frozenset(drawn), lambda _: size, lambda image_id: drawn[image_id].image[..., None])
    return {image_id: one.mask for image_id, one in drawn.items()}, images


@pytest.mark.parametrize("size", [(48, 48), (40, 56)])
def test_masks_in_the_wrong_pixel_order_are_reported(check: Callable[..., Checked], size: tuple[int, int]) -> None:
    masks, images = simulated(60, size)
    for order, findings in (("column", []), ("row", [("warn", "orientation")])):
        content = "id,rle_mask\n" + "".join(f"{one},{encode(mask, order)}\n" for one, mask in masks.items())
        assert told(check(content, SALT, None, images=images)) == findings
        rows = SALT.model_copy(update={"pixel_order": "row"})
        assert (told(check(content, rows, None, images=images)) == []) == (order == "row")


def test_masks_whose_pixels_are_counted_from_zero_are_reported(check: Callable[..., Checked]) -> None:
    masks, images = simulated(60, (40, 56))
    for less, findings in ((1, [("warn", "runs")]), (0, [])):
        early = {one: np.roll(mask.ravel(order="F"), -less) for one, mask in masks.items()}
        written = {one: encode(flat.reshape(40, 56, order="F")) for one, flat in early.items()}
        content = "id,rle_mask\n" + "".join(f"{one},{runs}\n" for one, runs in written.items())
        assert told(check(content, SALT, None, images=images)) == findings
    relative = SALT.model_copy(update={"relative": True})
    content = "id,rle_mask\n" + "".join(f"{one},{encode(mask, relative=True)}\n" for one, mask in masks.items())
    assert told(check(content, relative, None, images=images)) == []


def test_runs_counted_from_zero_are_reported_without_any_contrast(check: Callable[..., Checked]) -> None:
    masks, _ = simulated(20, (40, 56))
    flat = TestImages(frozenset(masks), lambda _: (40, 56), lambda _: np.zeros((40, 56, 1), np.uint8))
    for less in (0, 1):
        written = {one: [int(number) for number in encode(mask).split()] for one, mask in masks.items()}
        rows = {
            one: [max(1, number - less * (place % 2 == 0)) for place, number in enumerate(runs)]
            for one, runs in written.items()
        }
        content = "id,rle_mask\n" + "".join(f"{one},{' '.join(map(str, runs))}\n" for one, runs in rows.items())
        checked = check(content, SALT, None, images=flat)
        assert [found.check for found in checked.findings if "last pixel" in found.came] == ["runs"] * less


@pytest.mark.parametrize(
    ("row", "differs", "advice"),
    [
        ("7,", "leading zeros", "dtype=str"),
        ("7.0,", "a decimal point and leading zeros", "dtype=str"),
        ("data/test/007,", "a folder", "as the sample submission does"),
        ("A,", "upper and lower case", "as the sample submission does"),
    ],
)
def test_ids_in_another_spelling_are_named(check: Callable[..., Checked], row: str, differs: str, advice: str) -> None:
    kept = [line for line in GOOD.splitlines() if not line.startswith("a," if row[0] == "A" else "007,")]
    (found,) = [one for one in check("\n".join([*kept, row, ""])).findings if one.check == "ids"]
    assert f"differs by {differs}" in found.came
    assert advice in found.advice


def test_no_advice_removes_a_row_of_an_unknown_id(check: Callable[..., Checked]) -> None:
    (found,) = [one for one in check(GOOD + "zz,\n").findings if one.check == "ids"]
    assert "No id of the sample submission is like it" in found.advice


def test_a_sample_with_other_spellings_keeps_them(check: Callable[..., Checked], tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("id,rle_mask\n7,1 1\n8,1 1\n")
    layout = sample_layout(tmp_path / "numbers.csv", known=("007", "008"))
    assert [(row.cells, row.image_id) for row in layout.rows] == [(("7",), "007"), (("8",), "008")]
    expected = Expected(SALT, layout, images=images_of(("007", "008")))
    (tmp_path / "s.csv").write_text("id,rle_mask\n7,1 2\n8,\n")
    assert check_submission(tmp_path / "s.csv", expected, Silent()).findings == []


def test_a_sample_without_a_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("a,1 1\nb,1 1\n")
    with pytest.raises(SubmissionError, match="first line is a row") as told:
        sample_layout(tmp_path / "sample.csv")
    assert told.value.advice.endswith("id,rle_mask")


def test_overlaps_name_the_key_that_allows_them(check: Callable[..., Checked]) -> None:
    own = OBJECTS.model_copy(update={"name": "mine"})
    for form, words in ((OBJECTS, "{extends: dsb2018, overlaps: true}"), (own, "write overlaps: true")):
        content = f"{','.join(form.columns)}\na,1 3\na,2 3\n"
        (found,) = [one for one in check(content, form, None, images=images_of("a")).findings if one.check == "overlap"]
        assert words in found.advice


def test_rows_that_are_shifted_to_the_next_image_are_reported(check: Callable[..., Checked]) -> None:
    masks, _ = simulated(20, (48, 48))
    noise = {one: np.random.default_rng(int(one)).integers(0, 60, (48, 48, 1)) for one in masks}
    pictures = {one: (noise[one] + 60 * mask[..., None]).astype(np.uint8) for one, mask in masks.items()}
    images = TestImages(frozenset(masks), lambda _: (48, 48), pictures.__getitem__)
    ids = sorted(masks)
    for step, findings in ((1, [("warn", "shifted rows")]), (-1, [("warn", "shifted rows")]), (0, [])):
        moved = zip(ids, [masks[ids[(place + step) % len(ids)]] for place in range(len(ids))], strict=True)
        content = "id,rle_mask\n" + "".join(f"{one},{encode(mask)}\n" for one, mask in moved)
        checked = check(content, SALT, None, images=images)
        assert told(checked) == findings
        if step:
            assert f"the row {'after' if step == 1 else 'before'} theirs" in checked.findings[0].came


def test_masks_that_cover_most_are_reported(check: Callable[..., Checked]) -> None:
    masks, images = simulated(20, (48, 48))
    blind = TestImages(images.ids, images.size)
    for inverted in (False, True):
        content = "id,rle_mask\n" + "".join(f"{one},{encode(mask ^ inverted)}\n" for one, mask in masks.items())
        assert (("warn", "polarity") in told(check(content, SALT, None, images=blind))) == inverted


def test_torn_masks_are_reported_without_images(check: Callable[..., Checked]) -> None:
    masks, images = simulated(12, (40, 56))
    content = "id,rle_mask\n" + "".join(f"{one},{encode(mask, 'row')}\n" for one, mask in masks.items())
    blind = TestImages(images.ids, images.size)
    checked = check(content, SALT, None, images=blind)
    assert told(checked) == [("warn", "orientation")]
    assert "torn if pixels are counted down the columns" in checked.findings[0].came


# Earlier submissions


def test_an_earlier_submission_of_the_same_file_is_reported(check: Callable[..., Checked], tmp_path: Path) -> None:
    assert told(check(GOOD)) == []
    digest = file_digest(tmp_path / "submission.csv")
    earlier = [LoggedSubmission("old", digest=digest), LoggedSubmission("other", digest="x", public=0.9)]
    assert told(check(GOOD, earlier=earlier[1:])) == []
    (found,) = check(GOOD, earlier=earlier).findings
    assert (found.level, found.came) == ("warn", "the file has the same content as old")
    uploaded = LoggedSubmission("new", digest=digest, uploaded="2026-11-03T12:00:00Z", competition="salt", public=0.8)
    (found,) = check(GOOD, earlier=[*earlier, uploaded]).findings
    assert found.came == "the file has the same content as new, uploaded 2026-11-03, public score 0.8"
    assert not check(GOOD, earlier=[uploaded], upload_to="other").is_refused
    assert check(GOOD, earlier=[uploaded], upload_to="salt").is_refused
