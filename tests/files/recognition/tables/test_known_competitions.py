from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.config.data.competitions import PRESETS, find_competition
from toolkit.files.recognition.tables.known_competitions import matching_competitions
from toolkit.files.recognition.tables.recognised_tables import RecognisedTable, recognise_table

Table = Callable[..., Path]
TRAIN, TEST = ("a1", "b2", "c3"), ("x1", "y2")


def recognise(path: Path) -> RecognisedTable:
    return recognise_table(path, TRAIN, TEST)


@pytest.mark.parametrize(
    ("lines", "sample", "expected"),
    [
        (("id,rle_mask", "a1,1 2 4 4"), ("id,rle_mask", "x1,1 1"), ["tgs-salt"]),
        (("ImageId,EncodedPixels", "a1,1 2 4 4"), ("ImageId,EncodedPixels", "x1,-1"), ["siim-acr"]),
        (("ImageId,EncodedPixels", "a1.jpg,1 2 4 4"), ("ImageId,EncodedPixels", "x1.jpg,"), ["airbus"]),
        (("ImageId,ClassId,EncodedPixels", "a1.jpg,1,1 2", "a1.jpg,2,1 2"), None, ["severstal"]),
        (("img,rle_mask", "a1.jpg,1 2 4 4"), None, ["carvana"]),
        (("id,class,segmentation", "a1,stomach,1 2 4 4", "a1,large_bowel,1 2"), None, ["uw-madison"]),
        (("id,encoding", "a1,1 2 4 4"), ("id,predicted", "x1,"), ["hubmap"]),
        (("id,annotation", "a1,1 2 4 4"), ("id,predicted", "x1,"), ["sartorius", "hubmap"]),
        (("who,what", "a1,1 2 4 4"), None, []),
    ],
)
def test_competitions_are_known_by_columns_and_ids(
    table: Table, lines: tuple[str, ...], sample: tuple[str, ...] | None, expected: list[str]
) -> None:
    labels = recognise(table(*lines))
    submission = None if sample is None else recognise(table(*sample, name="sample_submission.csv"))
    found = matching_competitions(labels, submission, None, frozenset())
    assert [match.competition.name for match in found][: len(expected)] == expected
    assert found or not expected


@pytest.mark.parametrize("name", PRESETS)
def test_every_known_competition_is_recognised_by_its_own_tables(table: Table, name: str) -> None:
    form = find_competition(name)
    columns, template = form.label_form
    labels, sample = [",".join(columns)], [",".join(form.columns)]
    for kind in form.classes or ("",):
        for image_id in TRAIN:
            cell = template.replace("{id}", image_id).replace("{class}", kind)
            labels.append(",".join([cell, kind, "1 2 4 4"] if len(columns) == 3 else [cell, "1 2 4 4"]))
        sample += [",".join([*form.cells(image_id, kind), form.empty]) for image_id in TEST]
    labels += labels[1:3] if form.rows == "object" else []
    found = matching_competitions(
        recognise(table(*labels)), recognise(table(*sample, name="sample_submission.csv")), None, frozenset()
    )
    assert name in [match.competition.name for match in found if match.score == found[0].score]


def test_a_competition_is_known_by_the_names_of_its_channels_where_there_are_no_tables() -> None:
    (match,) = matching_competitions(None, None, None, frozenset(), "{id}/band_{channel}.npy")
    assert (match.competition.name, match.why) == ("contrails", "the files are named as in contrails")
    assert not matching_competitions(None, None, None, frozenset(), "{id}/images/{id}.png")
