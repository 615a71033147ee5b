"""Looks at the stored values of mask files, and judges what they mean: the same for every command."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.core.masks.mask_values import MaskReading, MaskValues, interpret_values, values_of_mask
from toolkit.core.masks.palettes import PaletteVerdict
from toolkit.errors import DataError
from toolkit.files.images.decoding import MASK_ARRAYS, read_stored
from toolkit.files.images.kinds import file_kind
from toolkit.files.masks.palette_files import palette_advice, palette_verdict
from toolkit.messages import Progress, Silent

COMPONENTS_IN = 40
"""In how many masks connected components are counted."""


@dataclass(frozen=True)
class ExaminedMasks:
    """What mask files hold.

    Attributes:
        values: of each file that can be read.
        sizes: (height, width) of each file; None if it cannot be read.
        kinds: the number of files by kind.
        palettes: how files with palettes are read.
    """

    values: tuple[MaskValues, ...]
    sizes: tuple[tuple[int, int] | None, ...]
    kinds: Counter[str]
    palettes: PaletteVerdict

    def reading(self, named: int = 0) -> MaskReading:
        """The probable meaning of the values; `named` as for `interpret_values`."""
        return with_palettes(interpret_values(self.values, named), self.palettes)


def examine_mask_files(
    paths: Sequence[Path], palettes: PaletteVerdict | None = None, progress: Progress | None = None
) -> ExaminedMasks:
    """Read mask files and count their values; files that cannot be read are left out.

    Args:
        paths: the files.
        palettes: how files with palettes are read, if it is known; otherwise these files decide.
        progress: shows the work.
    """
    verdict = palette_verdict(paths) if palettes is None else palettes
    every = max(1, len(paths) // COMPONENTS_IN)
    found: list[MaskValues] = []
    sizes: list[tuple[int, int] | None] = []
    kinds = Counter[str]()

    def read(item: tuple[int, Path]) -> tuple[str, tuple[int, int] | None, MaskValues | None]:
        number, path = item
        kind = file_kind(path)
        with suppress(DataError):
            by_index = verdict.reading == "index" or (verdict.reading is None and not verdict.same)
            stored = read_stored(path, palette_as_index=by_index, whole_depth=True, arrays=MASK_ARRAYS)
            size = int(stored.shape[0]), int(stored.shape[1])
            return kind, size, values_of_mask(stored, with_components=number % every == 0)
        return kind, None, None

    with (progress or Silent()).task("examining masks", len(paths)) as task, ThreadPoolExecutor() as pool:
        for kind, size, values in pool.map(read, enumerate(paths)):
            kinds[kind] += 1
            sizes.append(size)
            found += [] if values is None else [values]
            task.advance()
    return ExaminedMasks(tuple(found), tuple(sizes), kinds, verdict)


def with_palettes(reading: MaskReading, palettes: PaletteVerdict, *, one_class: bool = False) -> MaskReading:
    """The reading, with what the palettes say: unknown if they leave open what is meant.

    With `one_class`, everything above 0 is one class; then only the background matters.
    """
    agree = palettes.agree and (one_class or reading.code in ("empty", "binary", "instances"))
    if palettes.reading is None and not palettes.same and not agree:
        why = f"{palettes.why}, so that an index has other colours in other files"
        return MaskReading("unknown", why=why, other=palette_advice(palettes))
    if palettes.why and (palettes.reading == "colors" or (palettes.reading is None and palettes.same)):
        other = "; ".join(filter(None, (reading.other, "palette: index, to read the stored numbers")))
        return replace(reading, why=f"{reading.why} ({palettes.why}, so colours are read)", other=other)
    return reading
