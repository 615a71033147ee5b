"""Covers toolkit/report/page/document.py, registry.py and values.py: the page as a file, without a browser."""

import base64
import hashlib
import re
from dataclasses import replace

from toolkit.report.class_rows import CLASS_COLUMNS
from toolkit.report.overlay_sheet import COLUMNS
from toolkit.report.page.blocks import Beside, Chart, Folded, Notice, Notices, Prose, Section, Series, TableBlock
from toolkit.report.page.document import Document, shortened
from toolkit.report.page.registry import SECTIONS
from toolkit.report.page.values import PageValues


def html_of(values: PageValues) -> str:
    sections = [section for make in SECTIONS.values() if (section := make(values)) is not None]
    return Document(values.name, "a line", sections).html()


def test_the_policy_names_the_script_of_the_page_and_nothing_else(example_values: PageValues) -> None:
    text = html_of(example_values)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy[1]
    assert policy[1].startswith("default-src 'none'; img-src data:;")


def test_the_page_names_no_address_to_load(example_values: PageValues) -> None:
    text = html_of(example_values)
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', text) == []
    assert "url(" not in text
    assert "@import" not in text


def test_markup_in_names_is_text(example_values: PageValues) -> None:
    hostile = '<b onclick="x">&'
    text = html_of(replace(example_values, name=hostile, doubts=[Notice("error", hostile, hostile)]))
    assert "<b onclick" not in text
    assert text.count("&lt;b onclick=&#34;x&#34;&gt;&amp;") >= 4


def test_charts_are_numbered_in_the_order_of_the_page() -> None:
    def chart(name: str) -> Chart:
        return Chart(name, "x", [1], [Series(name, [1], "#000000")])

    blocks = [chart("first"), Folded("more", [Prose("text"), Beside([chart("second"), chart("third")])]), chart("last")]
    text = Document("title", "", [Section("one", "One", blocks)]).html()
    places = [
        (text.index(f'data-chart="{number}"'), name) for number, name in enumerate(["first", "second", "third", "last"])
    ]
    assert places == sorted(places)
    data = re.search(r'id="page-data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert re.findall(r'"name":"(\w+)"', data[1]) == ["first", "second", "third", "last"]


def test_a_word_is_explained_where_it_is_first_needed() -> None:
    words = ("nested", "fbeta(beta=2)", "mine")
    sections = [Section("one", "One", [], words=words[:2]), Section("two", "Two", [], words=(*words, "fold"))]
    page = Document("title", "", sections)
    assert {name: [word for word, _ in found] for name, found in page.words().items()} == {
        "one": ["nested", "fbeta(beta=2)"],
        "two": ["fold"],
    }
    assert page.html().count("each fold scored with the recipe chosen on the other folds: honest") == 1


def test_long_ids_are_shortened_and_whole_on_demand() -> None:
    ids = tuple(f"{number:064x}" for number in range(120))
    assert shortened(f"see {ids[1]}, categorical_crossentropy+lovasz_loss") == (
        "see 00000000000000…00000001, categorical_crossentropy+lovasz_loss"
    )
    blocks = [Notices("Findings", [Notice("note", "alike", "twins", ids)]), TableBlock("Images", ("id",), [(ids[2],)])]
    text = Document("title", "", [Section("one", "One", blocks)]).html()
    assert "120 images: <bdi>00000000000000…00000000</bdi>, " in text
    assert "<bdi>" + ids[99] + "</bdi>" in text
    assert ids[100] not in text
    assert "and 20 more" in text
    assert re.search(
        rf"<details class=\"whole\"><summary><bdi>00000000000000…00000002</bdi></summary><bdi>{ids[2]}", text
    )


def test_errors_have_the_words_of_the_pictures(example_values: PageValues) -> None:
    text = html_of(example_values)
    for word in ("true positive", "false negative", "false positive"):
        assert f"</span>{word}</li>" in text
    assert "errors" in COLUMNS
    assert "errors" in CLASS_COLUMNS


def test_a_new_experiment_has_a_page_too() -> None:
    values = PageValues("new", False, "not fitted yet", "", "max", ("foreground",), "sigmoid", "tk fit new")
    text = html_of(values)
    assert "There is no score yet: not fitted yet." in text
    assert "tk fit new" in text
