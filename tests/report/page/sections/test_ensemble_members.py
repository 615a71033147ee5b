from dataclasses import replace

import pytest

from toolkit.report.page.blocks import HeatTable, TableBlock
from toolkit.report.page.sections.ensemble_members import ensemble_members
from toolkit.report.page.values import EnsembleMember, EnsembleValues, PageValues

SEARCH = {
    "metric": "dice",
    "members": ["a", "b"],
    "equal": [0.5, 0.5],
    "searched": [0.75, 0.25],
    "scores_of_equal": {"chosen": 0.5, "nested": 0.4},
    "scores_of_searched": {"chosen": 0.6, "nested": 0.5},
    "gain": {"gain": 0.1, "standard_error": 0.02, "taken": True},
}


@pytest.mark.parametrize(("direction", "adds"), [("max", "+0.1000"), ("min", "-0.1000")])
def test_what_a_member_adds_is_more_where_it_is_better(example_values: PageValues, direction: str, adds: str) -> None:
    members = [EnsembleMember("a", 1.0, 0.5, 0.6), EnsembleMember("b", 0.5, None, None)]
    found = EnsembleValues("probability", "none", "given", members, 0.7, [[1.0, -0.2], [-0.2, 1.0]])
    section = ensemble_members(replace(example_values, ensemble=found, direction=direction))  # type: ignore[arg-type]
    assert section is not None
    table, heat = section.blocks
    assert isinstance(table, TableBlock)
    assert table.rows == [
        ("a", "1", "0.5000", "0.6000", adds),
        ("b", "0.5", "–", "–", "–"),
        ("ensemble", "", "0.7000", "", ""),
    ]
    assert isinstance(heat, HeatTable)
    assert heat.texts[0] == ["1.00", "-0.20"]
    assert heat.shares[0] == [1.0, 0.0]  # -0.2 is the lowest, so that nothing is below the scale


def test_members_with_views_have_both_scores(example_values: PageValues) -> None:
    members = [EnsembleMember("a", 1.0, 0.5, None, 0.55)]
    found = EnsembleValues("probability", "hflip", "equal", members, 0.6)
    section = ensemble_members(replace(example_values, ensemble=found))
    assert section is not None
    table = section.blocks[0]
    assert isinstance(table, TableBlock)
    assert table.columns[2:4] == ("dice", "with views")
    assert table.rows == [("a", "1", "0.5000", "0.5500", "–", "–"), ("ensemble", "", "", "0.6000", "", "")]


def test_searches_are_shown(example_values: PageValues) -> None:
    views = {"metric": "dice", "views": "hflip", "alone": [{"view": "hflip", "score": 0.6, "gain": 0.1}]}
    found = EnsembleValues("logit", "hflip", "search", [], view_search=views, weight_search=SEARCH)
    section = ensemble_members(replace(example_values, ensemble=found))
    assert section is not None
    _, alone, weights = section.blocks
    assert isinstance(alone, TableBlock)
    assert isinstance(weights, TableBlock)
    assert alone.rows == [("hflip", "0.6000", "+0.1000")]
    assert weights.rows[0] == ("a", "0.5", "0.75")
    assert "the searched weights are used" in weights.note
    assert ensemble_members(example_values) is None
