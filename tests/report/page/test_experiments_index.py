from toolkit.report.page.blocks import Chart, TableBlock
from toolkit.report.page.document import Document
from toolkit.report.page.experiments_index import IndexRow, index_sections


def row(name: str, metric: str, score: float | None, finished: float | None, link: str = "") -> IndexRow:
    return IndexRow(name, link, "experiment", "finished", metric, score, None, None, finished)


def test_the_last_finished_stands_first_and_metrics_have_charts_of_their_own() -> None:
    rows = [
        row("a", "dice", 0.5, 100.0, "../experiments/a/report.html"),
        row("b", "iou", 0.4, 300.0),
        row("c", "dice", 0.6, 200.0),
    ]
    listed, over_time = index_sections([*rows, row("d", "", None, None)])
    (table,) = listed.blocks
    assert isinstance(table, TableBlock)
    assert [cells[0] for cells in table.rows] == ["b", "c", "a", "d"]
    assert table.links == {"a": "../experiments/a/report.html"}
    charts = [block for block in over_time.blocks if isinstance(block, Chart)]
    assert [(chart.title, list(chart.places)) for chart in charts] == [("dice", [100.0, 200.0]), ("iou", [300.0])]
    assert [list(chart.series[0].values) for chart in charts] == [[0.5, 0.6], [0.4]]
    assert 'href="../experiments/a/report.html"' in Document("Experiments", "", [listed]).html()


def test_without_experiments_there_is_a_page_that_says_so() -> None:
    assert "There is no experiment yet." in Document("Experiments", "", index_sections([])).html()
