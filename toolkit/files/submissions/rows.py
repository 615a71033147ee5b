"""Reads a CSV file and checks its encoding, newlines, quotes and cells, each of which can make it invalid."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import MissingFileError
from toolkit.files.disk.tables import numbered_rows
from toolkit.files.submissions.findings import WHOLE_FILE, Findings

_LARGE_MIB = 200
_ARCHIVES = {b"PK\x03\x04": "a ZIP archive", b"\x1f\x8b": "a gzip archive", b"7z": "a 7z archive"}
_BLANK_LINE = re.compile(r"\n\r?\n")
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class RawRows:
    """The unchanged cells of a CSV file: the header, and the rows with their line numbers."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read_raw_rows(path: Path, findings: Findings) -> RawRows | None:
    """Read a CSV file and check its text; None if it has no readable rows.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
    """
    try:
        content = regular(path).read_bytes()
    except OSError as error:
        raise MissingFileError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > _LARGE_MIB * 2**20:
        came, allowed = f"the file has {len(content) / 2**20:.0f} MiB", f"sites refuse more than about {_LARGE_MIB} MiB"
        advice = "Remove small objects with a minimum size, or upload the file as .zip."
        findings.warn("size", WHOLE_FILE, came, allowed, advice)
    text = _text(content, findings)
    if text is None:
        return None
    _check_newlines(text, findings)
    return _rows(text, findings)


def _text(content: bytes, findings: Findings) -> str | None:
    archive = next((name for start, name in _ARCHIVES.items() if content.startswith(start)), None)
    if archive is not None:
        findings.refuse(
            "encoding", WHOLE_FILE, f"the file is {archive}", "expected CSV text in UTF-8", "Unpack it first."
        )
        return None
    if content.startswith(_UTF16_MARKS) or b"\0" in content:
        came = "the file is UTF-16 or not text"
        findings.refuse("encoding", WHOLE_FILE, came, "expected CSV text in UTF-8", "Save it as UTF-8.")
        return None
    if content.startswith(_UTF8_MARK):
        came = "the file starts with a byte order mark, which some readers add to the name of the first column"
        findings.warn("encoding", "line 1", came, "", "Save it as UTF-8 without BOM.")
        content = content[len(_UTF8_MARK) :]
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        came = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        findings.refuse("encoding", f"line {line}", came, "expected CSV text in UTF-8", "Save it as UTF-8.")
        return None


def _check_newlines(text: str, findings: Findings) -> None:
    pairs = text.count("\r\n")
    returns, feeds = text.count("\r") - pairs, text.count("\n") - pairs
    advice = r"Write it with \n as the newline."
    if returns:
        findings.refuse("newlines", WHOLE_FILE, f"{returns} carriage returns without a newline", r"expected \n", advice)
    if pairs:
        mixed = f", and {feeds} of \\n" if feeds else ""
        findings.warn("newlines", WHOLE_FILE, f"{pairs} lines end in \\r\\n{mixed}", r"expected \n", advice)
    if text and not text.endswith(("\n", "\r")):
        came = "the last line does not end with a newline"
        findings.warn("newlines", f"line {text.count(chr(10)) + 1}", came, "", "Check that the file is complete.")


def _rows(text: str, findings: Findings) -> RawRows | None:
    advice = "Write it with a CSV library, for example pandas' to_csv(index=False)."
    try:
        rows = list(numbered_rows(text))
    except csv.Error as error:
        findings.refuse("quotes", WHOLE_FILE, str(error), "quotes must enclose whole cells", advice)
        return None
    if not rows:
        findings.refuse("rows", WHOLE_FILE, "the file is empty", "expected a header and rows", "")
        return None
    (_, header), *others = rows
    blank = _BLANK_LINE.search(text)
    if blank is not None:
        line = text[: blank.start()].count("\n") + 2
        findings.warn("rows", f"line {line}", "the line is empty", "", "Remove it.")
    kept = []
    for line, cells in others:
        if len(cells) == len(header):
            kept.append((line, cells))
        else:
            came = f"the row has {len(cells)} cells"
            findings.refuse("rows", f"line {line}", came, f"expected {len(header)}, as in the header", advice)
    return RawRows(header, tuple(kept))
