from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.messages import Table
from toolkit.report import html
from toolkit.report.html import as_html


def test_cells_and_lines_are_escaped() -> None:
    found = as_html([Table("a < b", ("<i>", "score"), [("x & y", "0.5")])], ['next: tk ls "<all>"'], [])
    assert found == (
        "<table><caption>a &lt; b</caption><thead><tr><th>&lt;i&gt;</th><th>score</th></tr></thead>"
        "<tbody><tr><td>x &amp; y</td><td>0.5</td></tr></tbody></table>\n"
        "<div>next: tk ls &quot;&lt;all&gt;&quot;</div>"
    )


def test_a_table_without_headings_has_no_head() -> None:
    assert "<thead>" not in as_html([Table("t", ("", ""), [("a", "1")])], [], [])


def test_small_pictures_are_embedded_and_large_ones_are_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a"b.png'
    cv2.imwrite(str(path), np.zeros((2, 2, 3), np.uint8))
    embedded = as_html([], [], [path])
    assert embedded.startswith("<img alt=")
    assert 'src="data:image/png;base64,iVBORw0KGgo' in embedded
    assert 'a"b' not in embedded
    monkeypatch.setattr(html, "_EMBEDDED_AT_MOST", 10)
    linked = as_html([], [], [path])
    assert linked.startswith("<a href=")
    assert "base64" not in linked
