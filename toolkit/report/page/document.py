"""The page as one HTML file: sections drawn by the template, with the style, the scripts and the data inside it.

A content-security policy allows what the file itself holds and nothing else: no address is loaded, and no script runs
but the one whose digest the policy names.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from toolkit.report.colours import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    IGNORE_COLOUR,
    MASK,
    TRUE_POSITIVE,
    TRUTH,
    VERMILION,
    hex_of,
)
from toolkit.report.page.blocks import Beside, Block, Chart, Folded, Live, Section
from toolkit.report.page.encoding import json_text
from toolkit.report.page.words import meaning

if TYPE_CHECKING:  # only where a page is written
    from jinja2 import Environment

_PACKAGE = "toolkit.report.page"
_STYLES = ("uplot/uPlot.min.css", "page.css")
_SCRIPTS = (
    "uplot/uPlot.iife.min.js",
    "scripts/data.js",
    "scripts/charts.js",
    "scripts/masks.js",
    "scripts/threshold.js",
    "scripts/surface.js",
    "scripts/viewer.js",
    "scripts/gallery.js",
    "scripts/page.js",
)
_MOST_IDS = 100
_LONG_WORD, _HEAD, _TAIL = re.compile(r"[\w.-]{40,}"), 14, 8
_COLOURS = {
    "truth": TRUTH,
    "mask": MASK,
    "true-positive": TRUE_POSITIVE,
    "false-negative": FALSE_NEGATIVE,
    "false-positive": FALSE_POSITIVE,
    "ignored": IGNORE_COLOUR,
    "vermilion": VERMILION,
}


@dataclass(frozen=True)
class Document:
    """A page: its title, a line below it, and its sections."""

    title: str
    line: str
    sections: Sequence[Section]

    def html(self) -> str:
        """The whole file."""
        script = "\n".join(map(_asset, _SCRIPTS))
        return (
            _environment()
            .get_template("page.html.j2")
            .render(
                document=self,
                words=self.words(),
                most_ids=_MOST_IDS,
                style="\n".join(map(_asset, _STYLES)),
                script=script,
                script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
                data=json_text(self._data()),
                colours={name: hex_of(colour) for name, colour in _COLOURS.items()},
            )
        )

    def words(self) -> dict[str, list[tuple[str, str]]]:
        """What each section explains: the words that it is the first to need, with their meaning."""
        found: dict[str, list[tuple[str, str]]] = {}
        told: set[str] = set()
        for section in self.sections:
            new = [word for word in dict.fromkeys(section.words) if word not in told and meaning(word)]
            found[section.name] = [(word, meaning(word)) for word in new]
            told.update(new)
        return found

    def _data(self) -> dict[str, Any]:
        """What the script reads: the charts in their order, and the parts that it brings to life by their name."""
        charts: list[dict[str, Any]] = []
        live: dict[str, Any] = {}
        for block in (block for section in self.sections for block in _all(section.blocks)):
            if isinstance(block, Chart):
                charts.append(block.data())
            elif isinstance(block, Live):
                live[block.name] = block.data
        colours = {name: list(colour) for name, colour in _COLOURS.items()}
        return {"charts": charts, "live": live, "colours": colours}


def _all(blocks: Iterable[Block | Beside | Folded]) -> Iterable[Block]:
    """Blocks in the order in which the template draws them."""
    for block in blocks:
        if isinstance(block, Beside | Folded):
            yield from _all(block.blocks)
        else:
            yield block


@cache
def _environment() -> "Environment":
    # Slow to import, and only pages need it.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    found = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["shortened"] = shortened
    return found


def shortened(text: str) -> str:
    """The text, each long word of it without its middle: an id of 64 letters would be wider than a phone."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:_HEAD]}…{word[0][-_TAIL:]}", text)


@cache
def _asset(name: str) -> str:
    """The text of a file of the package."""
    return files(_PACKAGE).joinpath("assets", *name.split("/")).read_text("utf-8")
