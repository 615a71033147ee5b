"""Results as HTML for notebooks: tables, lines and pictures."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from toolkit.messages import Table

_EMBEDDED_AT_MOST = 2_000_000  # bytes; a notebook keeps embedded pictures in its file


def as_html(tables: Iterable[Table], lines: Iterable[str], pictures: Iterable[Path]) -> str:
    """Tables, the lines below them, and pictures: small ones are embedded, large ones are links."""
    shown = [*map(_table, tables), *(f"<div>{escape(line)}</div>" for line in lines), *map(_picture, pictures)]
    return "\n".join(shown)


def _table(table: Table) -> str:
    head = f"<thead>{_row('th', table.columns)}</thead>" if any(table.columns) else ""
    body = "".join(_row("td", row) for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption>{head}<tbody>{body}</tbody></table>"


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _picture(path: Path) -> str:
    name = escape(path.as_posix())
    if path.stat().st_size > _EMBEDDED_AT_MOST:
        return f'<a href="{name}">{name}</a>'
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{name}" src="data:image/png;base64,{content}">'
