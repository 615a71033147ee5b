"""The words on the page are those of the docs."""

from pathlib import Path

from toolkit.core.metrics.registry import METRICS as KNOWN
from toolkit.report.page.words import METRICS, WORDS, meaning

_DOCS = Path(__file__).parents[3] / "docs"


def rows_of(name: str) -> dict[str, list[str]]:
    """The rows of all tables of a page of the docs, by their first cell."""
    lines = (_DOCS / name).read_text("utf-8").replace("\\|", "¦").splitlines()
    cells = [
        [cell.strip().replace("¦", "|") for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    return {row[0].strip("`"): row[1:] for row in reversed(cells)}  # the first table of a name defines it


def test_words_are_those_of_the_docs() -> None:
    docs = rows_of("words.md")
    assert {word: docs[word][0] for word in WORDS} == WORDS


def test_metrics_are_those_of_the_docs_and_all_are_explained() -> None:
    docs = rows_of("metrics.md")
    assert {name: (docs[name][0], docs[name][1]) for name in METRICS} == METRICS
    assert set(METRICS) == set(KNOWN)


def test_a_metric_is_found_by_its_label_and_its_signs_are_explained() -> None:
    assert meaning("fbeta(beta=2; empty=skip)") == (
        "(1+β²)·|A∩B| / (|A|+β²·|B|); beta is 1 by default, averaged over images × classes. A is the prediction, B the "
        "truth, |·| counts pixels"
    )
    assert "t is 0.50, 0.55" in meaning("instance_map")
    assert meaning("mine") == ""
