"""Mask files with palettes: whether an index or the colour that a viewer shows is meant, decided for a whole source."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from toolkit.core.arrays import Colour
from toolkit.core.masks.palettes import BLACK, PaletteVerdict, read_palettes
from toolkit.errors import DataError, listing
from toolkit.files.images.decoding import UnreadableImageError, open_header, read_stored

_SUFFIXES = (".png", ".gif", ".bmp", ".tif", ".tiff")
_NO_PALETTES = PaletteVerdict("index", "no file has a palette")
_SHOWN = 12


def palette_verdict(paths: Iterable[Path]) -> PaletteVerdict:
    """How the files of a source are read if they have palettes; all of them decide together.

    Headers are enough if all palettes are the same and begin with black, or have the same colours as far as they go;
    otherwise the pixels say which colours occur.
    """
    there = [path for path in paths if path.suffix.lower() in _SUFFIXES]
    with ThreadPoolExecutor() as pool:
        found = [(path, palette) for path, palette in zip(there, pool.map(_palette, there), strict=True) if palette]
        longest = max((palette for _, palette in found), key=len, default=())
        if not found:
            return _NO_PALETTES
        if longest[0] == BLACK and all(palette == longest[: len(palette)] for _, palette in found):
            return PaletteVerdict("index", "all files have the same palette", colours=longest)
        used = [one for one in pool.map(_used, *zip(*found, strict=True)) if one]
    return read_palettes(used) if used else _NO_PALETTES


def refuse_palette(path: Path, verdict: PaletteVerdict) -> UnreadableImageError:
    """The error about a file of a source whose palettes leave open what is meant; it names the lines to write."""
    return UnreadableImageError(path, f"is a palette image, and the {verdict.why}", palette_advice(verdict))


def palette_advice(verdict: PaletteVerdict) -> str:
    """What to write where palettes leave open what is meant."""
    colours = listing((f'"#{red:02x}{green:02x}{blue:02x}"' for red, green, blue in verdict.colours), _SHOWN)
    return (
        "If the stored number, the index, is meant, write under data: palette: index. If each class has a colour: "
        f"colors, with a name for each of {colours}, for example colors: {{background: "
        '"#000000", car: "#ff0000"}. If everything that is not black is one class: palette: colors.'
    )


def _palette(path: Path) -> tuple[Colour, ...]:
    """The colours of the palette from the header alone; empty if the file has none, or cannot be opened."""
    try:
        with open_header(path) as image:
            if image.mode != "P" or image.palette is None:
                return ()
            values = np.frombuffer(bytes(image.palette.palette), np.uint8)
            if image.palette.rawmode == "BGRX":
                values = values.reshape(-1, 4)[:, 2::-1]
            elif image.palette.rawmode == "RGB;L":
                values = values.reshape(3, -1).T
    except (DataError, OSError, ValueError):  # reported where the mask is read
        return ()
    return tuple((red, green, blue) for red, green, blue in values.reshape(-1, 3).tolist())


def _used(path: Path, palette: tuple[Colour, ...]) -> Mapping[int, Colour]:
    """The colour of each index that occurs."""
    with suppress(DataError):  # reported where the mask is read
        stored = read_stored(path, palette_as_index=True)
        if stored.ndim == 2:
            return {int(index): (*palette, *[BLACK] * 256)[index] for index in np.unique(stored)}
    return {}
