from toolkit.report.page.blocks import Bars, Chart, Interval, Intervals, Series, TableBlock


def test_columns_of_numbers_alone_are_numeric() -> None:
    table = TableBlock("", ("name", "score", "text", "empty"), [("1", "0.5", "a", ""), ("2", "–", "1 min", "")])
    assert table.numeric == {1}


def test_bars_and_intervals_know_how_far_they_reach() -> None:
    assert Bars("", [("a", 3, "3"), ("b", 7, "7")]).largest == 7
    assert Bars("", []).largest == 1
    assert Intervals("", [Interval("a", 0.1, -0.4, 0.2, "", ""), Interval("b", 0.0, 0.0, 0.1, "", "")]).reach == 0.4


def test_a_chart_is_plain_data() -> None:
    chart = Chart("t", "epoch", [1, 2], [Series("fold 0", [0.5, None], "#000000", "dashed")], [(1.5, "stage 1")])
    assert chart.data() == {
        "across": "epoch",
        "places": [1, 2],
        "series": [{"name": "fold 0", "values": [0.5, None], "colour": "#000000", "style": "dashed"}],
        "marks": [[1.5, "stage 1"]],
        "isTime": False,
        "isWhole": False,
        "logarithmic": False,
        "names": [],
        "limits": None,
    }
