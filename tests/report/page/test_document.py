"""Covers toolkit/report/page/document.py, registry.py and values.py: the page as a file, without a browser."""

import base64
import hashlib
import re
from dataclasses import replace

from toolkit.report.page.blocks import Beside, Chart, Folded, Notice, Prose, Section, Series
from toolkit.report.page.document import Document
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


def test_a_new_experiment_has_a_page_too() -> None:
    values = PageValues("new", False, "not fitted yet", "", "max", ("foreground",), "sigmoid", "tk fit new")
    text = html_of(values)
    assert "There is no score yet: not fitted yet." in text
    assert "tk fit new" in text
