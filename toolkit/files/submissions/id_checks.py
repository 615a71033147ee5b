"""Checks of a submission's header and ids: every required row once, with the id in the competition's form."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from toolkit.config.data.competitions import PLAIN, Competition, cell_reader
from toolkit.errors import listing
from toolkit.files.images.decoding import image_id_of
from toolkit.files.images.names.alike_ids import alike_ids, differences
from toolkit.files.masks.rle_rows import MaskRow
from toolkit.files.submissions.expectations import Expected, RowKey
from toolkit.files.submissions.findings import WHOLE_FILE, Findings
from toolkit.files.submissions.rows import RawRows

_PLAIN_ID = "{id}"
_AS_THE_SAMPLE = "Write ids as the sample submission does."
_AS_TEXT = (
    "The ids were read as numbers. Read them as text, pandas.read_csv(FILE, dtype=str), and write them as the sample "
    "submission does."
)


def check_ids(raw: RawRows, expected: Expected, findings: Findings) -> list[MaskRow]:
    """Check header, ids and order of a file; returns the rows whose image is known, for further checks."""
    positions = _positions(raw.header, expected, findings)
    if positions is None:
        return []
    wanted = expected.keys()
    rows = _named(raw, positions, expected, wanted, findings)
    _check_repeated(rows, expected, findings)
    if wanted is not None:
        _check_complete(rows, wanted, expected, findings)
    if expected.images is not None:
        _check_test_images(rows, expected, findings)
    return rows


def _positions(header: tuple[str, ...], expected: Expected, findings: Findings) -> list[int] | None:
    """The positions of the columns id, class (if there is one) and mask; None if they cannot be determined."""
    columns = expected.columns
    free = expected.sample is None and expected.competition is PLAIN
    if header == columns or (free and len(header) == len(columns)):
        return list(range(len(header)))
    came, allowed = ",".join(header), f"expected {','.join(columns)}"
    if len(header) != len(columns):
        separator = next((mark for mark in (";", "\t", "|") if mark in came), None)
        advice = "Write exactly these columns, without an index: to_csv(index=False)."
        if separator is not None:
            advice = f"Separate cells by commas, not by {separator!r}."
        findings.refuse("header", "line 1", came, allowed, advice)
        return None
    if sorted(header) == sorted(columns):
        findings.refuse("header", "line 1", came, allowed, "Put the columns in this order.")
        return [header.index(name) for name in columns]
    ids = expected.keys() or {}
    without = header[:-1] in ids.values() or header[0] in {image_id for image_id, _ in ids}
    advice = "The first line is a row: add the header before it." if without else "Write the header exactly like this."
    findings.refuse("header", "line 1", came, allowed, advice)
    return list(range(len(header)))


def _named(
    raw: RawRows,
    positions: Sequence[int],
    expected: Expected,
    wanted: Mapping[RowKey, tuple[str, ...]] | None,
    findings: Findings,
) -> list[MaskRow]:
    """The rows with the image and class of their ids."""
    reader = _IdReader(expected.competition, len(positions) == 3, wanted, findings, _whose(expected))
    *before, last = positions
    reader.learn(tuple(values[position] for position in before) for _, values in raw.rows)
    rows = []
    for line, values in raw.rows:
        cells = tuple(values[position] for position in before)
        key = reader.key_of(line, cells)
        if key is not None:
            rows.append(MaskRow(line, cells, *key, values[last]))
    return rows


class _IdReader:
    """Determines image and class from the cells before a mask, and checks their spelling."""

    def __init__(
        self,
        competition: Competition,
        with_class_column: bool,
        wanted: Mapping[RowKey, tuple[str, ...]] | None,
        findings: Findings,
        whose: str,
    ) -> None:
        self._read = cell_reader(competition, competition.id, with_class_column)
        self._may_be_file_name = competition.id == _PLAIN_ID
        self._wanted, self._findings = wanted, findings
        self._by_cells = {cells: key for key, cells in (wanted or {}).items()}
        self._alike: Mapping[str, str] = {}
        self._whose = whose

    def learn(self, rows: Iterable[tuple[str, ...]]) -> None:
        """Find out which ids that are not required are spelt otherwise than required ones."""
        read = []
        for cells in rows:
            with suppress(ValueError):  # reported by `key_of`
                read.append(self._reading(cells)[0])
        self._alike = alike_ids(read, {image_id for image_id, _ in self._wanted or ()})

    def _reading(self, cells: tuple[str, ...]) -> RowKey:
        """Image and class by the form of the competition; raises ValueError if the cells have another form."""
        if cells in self._by_cells:
            return self._by_cells[cells]
        readings = self._read([cell.strip() for cell in cells])
        keys = [(image_id_of(found) if self._may_be_file_name else found, name) for found, name in readings]
        return next((one for one in keys if one in (self._wanted or ())), keys[0])

    def key_of(self, line: int, cells: tuple[str, ...]) -> RowKey | None:
        """Image and class of a row; None if the row is not required."""
        where, written = f"line {line}", ",".join(cells)
        if cells in self._by_cells:
            return self._by_cells[cells]
        try:
            key = self._reading(cells)
        except ValueError as problem:
            self._findings.refuse("ids", where, str(problem), "", _AS_THE_SAMPLE)
            return None
        if self._wanted is None:
            if any(cell != cell.strip() for cell in cells):
                self._findings.refuse("ids", where, f"there are spaces around the id {written!r}", "", "Remove them.")
            return key
        meant = (self._alike.get(key[0], key[0]), key[1])
        if meant not in self._wanted:
            advice = f"No id of {self._whose} is like it. Check where this row comes from."
            self._findings.refuse("ids", where, f"the id {written!r} is unknown", "", advice)
            return None
        has = "the sample has" if self._whose.startswith("the sample") else f"{self._whose} have"
        allowed = f"{has} {','.join(self._wanted[meant])!r}"
        how = differences({key[0]: meant[0]}) if meant != key else ""
        advice = _AS_TEXT if how.startswith(("leading zeros", "a decimal point")) else _AS_THE_SAMPLE
        differ = f", which differs by {how.partition(' (')[0]}" if how else ""
        self._findings.refuse("ids", where, f"the id {written!r}{differ}", allowed, advice)
        return meant


def _check_repeated(rows: Iterable[MaskRow], expected: Expected, findings: Findings) -> None:
    """Each image, or each class of it, has one row; with rows of objects it has several, unless one is empty."""
    form = expected.competition
    seen: dict[RowKey, MaskRow] = {}
    empty = Counter[RowKey]()
    for row in rows:
        key = (row.image_id, row.class_name)
        empty[key] += row.text.strip() in form.empty_cells
        before = seen.setdefault(key, row)
        if before is row:
            continue
        where = f"line {row.line}, {','.join(row.cells)}"
        if form.rows != "object":
            came = f"line {before.line} already has this id"
            if expected.sample is not None and expected.sample.repeated:
                findings.warn("duplicates", where, came, "the sample also has some ids twice")
            else:
                findings.refuse("duplicates", where, came, "one row for each id", "Keep one of them.")
        elif empty[key]:
            came = "the image has an empty row besides other rows"
            findings.refuse("duplicates", where, came, "an image without objects has one empty row", "Remove it.")


def _whose(expected: Expected) -> str:
    return "the test images" if expected.sample is None else "the sample submission"


def _check_complete(
    rows: Sequence[MaskRow], wanted: Mapping[RowKey, tuple[str, ...]], expected: Expected, findings: Findings
) -> None:
    """Every required row exists, in the order of the sample."""
    order = list(dict.fromkeys((row.image_id, row.class_name) for row in rows))
    there = set(order)
    missing = [",".join(cells) for key, cells in wanted.items() if key not in there]
    whose = _whose(expected)
    if missing:
        came = f"{len(missing)} ids of {whose} have no row: {listing(missing)}"
        token = repr(expected.competition.empty) if expected.competition.empty else "an empty cell"
        advice = f"Images without foreground also have a row, with {token} as the mask."
        findings.refuse("ids", WHOLE_FILE, came, "one row for each id", advice)
    elif expected.sample is not None and order != list(wanted):
        first = next(place for place, (one, other) in enumerate(zip(order, wanted, strict=True)) if one != other)
        came = f"the order of the ids differs from the sample submission, from {','.join(wanted[order[first]])} on"
        findings.warn("order", WHOLE_FILE, came, "", "Most competitions join rows by id; if unsure, keep the order.")


def _check_test_images(rows: Iterable[MaskRow], expected: Expected, findings: Findings) -> None:
    """The sample and the test images belong together."""
    images = set(expected.images.ids) if expected.images is not None else set()
    asked = {row.image_id for row in rows} if expected.sample is None else set(expected.sample.image_ids)
    unknown, extra = sorted(asked - images), sorted(images - asked)
    if unknown:
        came = f"{len(unknown)} ids have no test image: {listing(unknown)}"
        findings.warn("test images", WHOLE_FILE, came, "", "Check that images and sample belong together.")
    if extra and expected.sample is not None:
        came = f"{len(extra)} test images are not in the sample submission: {listing(extra)}"
        findings.warn("test images", WHOLE_FILE, came, "", "They are left out of the submission.")
