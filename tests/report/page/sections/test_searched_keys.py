"""Covers toolkit/commands/reporting/search_values.py too."""

from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.commands.reporting.search_values import search_values
from toolkit.errors import StorageError
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.report.page.blocks import Bars, Parallel, TableBlock
from toolkit.report.page.document import Document
from toolkit.report.page.sections.searched_keys import searched_keys
from toolkit.report.page.values import PageValues


def trial(number: int, state: str, rate: float, backbone: str, score: float | None) -> dict:
    values = {"lr": rate, "backbone": backbone}
    return {"experiment": f"e-trial00{number}", "state": state, "values": values, "score": score, "note": "<why>"}


SEARCH = {
    "keys": {"lr": {"low": 1e-4, "high": 1e-2, "log": True}, "backbone": {"choices": ["a", "b", "c"]}},
    "trials": [
        trial(0, "finished", 1e-4, "a", 0.4),
        trial(1, "finished", 1e-3, "b", 0.8),
        trial(2, "pruned", 1e-2, "c", None),
    ],
    "winner": "e-trial001",
    "estimate": {"itself": None, "optimistic": 0.8, "nested": 0.6},
    "importance": {"backbone": 0.25, "lr": 0.75},
    "notes": ["a note"],
}


def test_a_search_is_read_and_drawn(tmp_path: Path, example_values: PageValues) -> None:
    experiment = Experiment(tmp_path / "e")
    assert search_values(experiment) is None
    assert searched_keys(example_values) is None
    write_json(experiment.search, SEARCH)
    section = searched_keys(replace(example_values, search=search_values(experiment)))
    assert section is not None
    _, parallel, bars, table, _ = section.blocks
    assert isinstance(parallel, Parallel)
    assert [line.places for line in parallel.lines] == [[0.0, 0.0, 0.0], [pytest.approx(0.5), 0.5, 1.0]]
    assert [line.is_main for line in parallel.lines] == [False, True]
    assert parallel.points(parallel.lines[0]) == "90,240.0 270,240.0 450,240.0"
    assert isinstance(bars, Bars)
    assert bars.bars[0] == ("lr", 0.75, "75%")
    assert isinstance(table, TableBlock)
    assert table.rows[2] == ("e-trial002", "pruned", "", "0.01", "c", "<why>")
    html = Document("e", "", [section]).html()
    assert html.count("<polyline") == 2
    assert "<why>" not in html


def test_a_damaged_record_is_told(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "e")
    write_json(experiment.search, SEARCH | {"trials": 3})
    with pytest.raises(StorageError, match="is damaged: trials"):
        search_values(experiment)


def test_whole_numbers_are_written_without_a_point(tmp_path: Path) -> None:
    experiment = Experiment(tmp_path / "e")
    write_json(experiment.search, SEARCH | {"keys": {"batch": {"low": 2, "high": 8}}, "importance": {}})
    found = search_values(experiment)
    assert found is not None
    assert found.axes[0].ticks == [(0.0, "2"), (1.0, "8")]
