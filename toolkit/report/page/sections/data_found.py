"""The data: what `tk data` found, sample masks, and how large the true masks are."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.report.page.blocks import Bars, Beside, Block, Folded, Notice, Notices, Picture, Prose, Section, TableBlock
from toolkit.report.page.encoding import webp_address
from toolkit.report.page.values import DataValues, PageValues


def data_found(values: PageValues) -> Section | None:
    """The section; nothing if nothing is known of the data."""
    data = values.data
    if data is None:
        return None
    blocks: list[Block | Beside | Folded] = []
    if data.found is None and values.is_ensemble:
        blocks.append(Prose("What tk data found is on the pages of the members.", is_quiet=True))
    elif data.found is None:
        blocks.append(Prose(f"The data were not examined. To do so, run: tk data {values.name}", is_quiet=True))
    else:
        blocks += _summary(data.found, has_foreground=not data.classes)
    if data.classes:
        blocks.append(_classes(data, values.images))
    elif data.found is not None:
        blocks += _examined_classes(data.found)
    if data.found is not None:
        blocks.append(Notices("Findings", _findings(data.found), "No problems were found."))
    if not data.classes:
        blocks.append(
            Beside(
                [
                    *_bars("Images by the share of their foreground", data.shares),
                    *_bars("Objects by their size in pixels", data.sizes, "Connected parts of the true masks."),
                ]
            )
        )
    if data.samples is not None:
        height, width = data.samples.shape[:2]
        address = webp_address(data.samples)
        picture = Picture("Samples", address, "Training images beside their masks", width, height)
        blocks.append(Folded("Sample images with their masks", [picture]))
    words = ("component",) if data.classes else ("foreground, background", "component")
    return Section("data", "The data", blocks, words=words)


def _bars(title: str, counts: Sequence[tuple[str, int]], note: str = "") -> list[Block]:
    return [Bars(title, [(name, float(count), f"{count:,}") for name, count in counts], note)] if counts else []


def _classes(data: DataValues, images: int) -> TableBlock:
    """How frequent each of several classes is; and how masks code it, where that is known."""
    codes = {} if data.found is None else {one["name"]: one["values"] for one in data.found.get("classes", ())}
    rows = [
        (
            one.name,
            *([codes.get(one.name, "")] if codes else []),
            f"{one.pixels:.2%}",
            f"{one.images:,}",
            f"{one.images / max(1, images):.0%}",
            f"{one.parts:,}",
            "–" if one.size is None else f"{one.size:,}",
        )
        for one in data.classes
    ]
    columns = ("share of pixels", "images", "of all images", "components", "median size, pixels")
    note = "Truth of the out-of-fold images, without ignored pixels."
    return TableBlock("Classes", ("class", *(["pixel values"] if codes else []), *columns), rows, note)


def _summary(found: Mapping[str, Any], *, has_foreground: bool) -> list[Block]:
    parts = [(name, found[name]) for name in ("training", "test") if found.get(name)]
    rows: list[tuple[str, ...]] = []

    def row(title: str, cell: Any) -> None:
        rows.append((title, *(cell(part) for _, part in parts)))

    row("images", lambda part: f"{part['images']:,}")
    row("sizes", lambda part: _counts(part["sizes"]))
    row("files", lambda part: _counts(part["kinds"]))
    if has_foreground:
        row("empty masks", lambda part: "" if part["empty"] is None else f"{part['empty']:,}")
        row("mean foreground", lambda part: "" if part["coverage"] is None else f"{part['coverage']:.2%}")
    return [TableBlock("Files", ("", *(name for name, _ in parts)), rows)] if parts else []


def _examined_classes(found: Mapping[str, Any]) -> list[Block]:
    classes = [
        (one["name"], one["values"], f"{one['pixels']:.3%}", f"{one['images']:,}", f"{one['of_images']:.0%}")
        for one in found.get("classes", ())
    ]
    columns = ("class", "pixel values", "pixels", "images", "of all images")
    return [TableBlock("Classes", columns, classes)] if classes else []


def _findings(found: Mapping[str, Any]) -> list[Notice]:
    """The findings with the ids of their images, unless they concern every image."""
    notices = []
    for one in found.get("findings", ()):
        part = found.get("test" if one["check"].startswith("test: ") else "training") or {}
        ids = tuple(one.get("ids") or ())
        ids = () if len(ids) == part.get("images") else ids
        advice = f" {one['advice']}" if one.get("advice") else ""
        end = "" if one["message"].endswith("?") else "."
        notices.append(Notice(one["level"], f"{one['message']}{end}{advice}", one["check"], ids))
    return notices


def _counts(counts: Mapping[str, int]) -> str:
    found = sorted(counts.items(), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} ({count:,})" for name, count in found[:3])
    return f"{shown}, {len(found) - 3} more" if len(found) > 3 else shown
