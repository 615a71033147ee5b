from dataclasses import replace

import numpy as np

from toolkit.report.page.blocks import Bars, Beside, Folded, Notices, Prose, TableBlock
from toolkit.report.page.sections.data_found import data_found
from toolkit.report.page.values import ClassFound, DataValues, PageValues

FOUND = {
    "training": {
        "images": 1200,
        "sizes": {"8×8": 1000, "4×4": 200},
        "kinds": {"PNG": 1200},
        "empty": 3,
        "coverage": 0.25,
    },
    "test": None,
    "classes": [{"name": "road", "values": "1", "pixels": 0.5, "images": 10, "of_images": 0.1}],
    "findings": [
        {
            "level": "warning",
            "check": "twins",
            "message": "alike",
            "ids": [str(n) for n in range(10)],
            "advice": "Look.",
        }
    ],
}


def test_findings_have_their_ids_and_advice(example_values: PageValues) -> None:
    data = DataValues(FOUND, np.zeros((4, 6, 3), np.uint8), [("none", 3)], [("1 – 3", 7)])
    section = data_found(replace(example_values, data=data))
    assert section is not None
    files, classes, findings, bars, samples = section.blocks
    assert isinstance(files, TableBlock)
    assert files.columns == ("", "training")
    assert files.rows[1] == ("sizes", "8×8 (1,000), 4×4 (200)")
    assert isinstance(classes, TableBlock)
    assert isinstance(findings, Notices)
    assert findings.notices[0].text == "alike. Look."
    assert findings.notices[0].ids == tuple(map(str, range(10)))
    assert isinstance(bars, Beside)
    assert [block.bars for block in bars.blocks if isinstance(block, Bars)] == [
        [("none", 3.0, "3")],
        [("1 – 3", 7.0, "7")],
    ]
    assert isinstance(samples, Folded)


def test_ids_are_not_listed_where_every_image_is_meant(example_values: PageValues) -> None:
    findings = [{"level": "note", "check": check, "message": "alpha?", "ids": ["a", "b"]} for check in ("x", "test: x")]
    found = {"training": FOUND["training"] | {"images": 2}, "test": {"images": 3}, "findings": findings}  # type: ignore[operator]
    section = data_found(replace(example_values, data=DataValues(found | {"test": None})))
    assert section is not None
    (notices,) = [block for block in section.blocks if isinstance(block, Notices)]
    assert [one.ids for one in notices.notices] == [(), ("a", "b")]
    assert notices.notices[0].text == "alpha?"


def test_several_classes_are_told_apart_instead_of_one_foreground(example_values: PageValues) -> None:
    classes = [ClassFound("road", 0.25, 10, 12, 300), ClassFound("tree", 0.0, 0, 0, None)]
    data = DataValues(FOUND, None, [("none", 3)], [("1 – 3", 7)], classes)
    section = data_found(replace(example_values, images=20, data=data))
    assert section is not None
    files, table, _ = section.blocks
    assert isinstance(files, TableBlock)
    assert "mean foreground" not in [row[0] for row in files.rows]
    assert isinstance(table, TableBlock)
    assert table.columns[:3] == ("class", "pixel values", "share of pixels")
    assert table.rows == [("road", "1", "25.00%", "10", "50%", "12", "300"), ("tree", "", "0.00%", "0", "0%", "0", "–")]


def test_data_that_were_not_examined_are_not_shown_as_sound(example_values: PageValues) -> None:
    section = data_found(replace(example_values, data=DataValues(None)))
    assert section is not None
    first = section.blocks[0]
    assert isinstance(first, Prose)
    assert "tk data exp042" in first.text
    assert data_found(example_values) is None
