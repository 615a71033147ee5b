from dataclasses import replace

import numpy as np

from toolkit.report.page.blocks import Bars, Beside, Folded, Notices, Prose, TableBlock
from toolkit.report.page.sections.data_found import data_found
from toolkit.report.page.values import DataValues, PageValues

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


def test_findings_have_their_first_ids_and_advice(example_values: PageValues) -> None:
    data = DataValues(FOUND, np.zeros((4, 6, 3), np.uint8), [("none", 3)], [("1 – 3", 7)])
    section = data_found(replace(example_values, data=data))
    assert section is not None
    files, classes, findings, bars, samples = section.blocks
    assert isinstance(files, TableBlock)
    assert files.columns == ("", "training")
    assert files.rows[1] == ("sizes", "8×8 (1,000), 4×4 (200)")
    assert isinstance(classes, TableBlock)
    assert isinstance(findings, Notices)
    assert findings.notices[0].text == "alike: 0, 1, 2, 3, 4, 5, 6, 7 and 2 more. Look."
    assert isinstance(bars, Beside)
    assert [block.bars for block in bars.blocks if isinstance(block, Bars)] == [
        [("none", 3.0, "3")],
        [("1 – 3", 7.0, "7")],
    ]
    assert isinstance(samples, Folded)


def test_data_that_were_not_examined_are_not_shown_as_sound(example_values: PageValues) -> None:
    section = data_found(replace(example_values, data=DataValues(None)))
    assert section is not None
    first = section.blocks[0]
    assert isinstance(first, Prose)
    assert "tk data exp042" in first.text
    assert data_found(example_values) is None
