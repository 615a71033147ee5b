"""Whether the masks of a source that have palettes mean the index of a pixel, or the colour that a viewer shows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from toolkit.core.arrays import Colour

PaletteReading = Literal["index", "colors"]

BLACK: Colour = (0, 0, 0)


@dataclass(frozen=True)
class PaletteVerdict:
    """How masks with palettes are read.

    Attributes:
        reading: `index`, `colors`, or None if neither is sure.
        why: the reason, in words.
        agree: whether both readings have the same background: black, which is index 0 in every file.
        grey: whether all colours are black, white or grey.
        same: whether an index has the same colour in all files, so that both readings tell the same classes apart.
        colours: that the files show, black first, then the most frequent.
    """

    reading: PaletteReading | None
    why: str
    agree: bool = True
    grey: bool = True
    same: bool = True
    colours: tuple[Colour, ...] = ()


def read_palettes(files: Sequence[Mapping[int, Colour]]) -> PaletteVerdict:
    """Decide from the colours of all files of a source together.

    Args:
        files: the colour of each index that occurs in a file.
    """
    shown: dict[int, set[Colour]] = defaultdict(set)
    times: dict[Colour, int] = defaultdict(int)
    for used in files:
        for index, colour in used.items():
            shown[index].add(colour)
        for colour in set(used.values()):
            times[colour] += 1
    colours = tuple(sorted(times, key=lambda colour: (colour != BLACK, -times[colour], colour)))
    grey = all(len(set(colour)) == 1 for colour in colours)
    agree = all((colour == BLACK) == (index == 0) for used in files for index, colour in used.items())
    if all(len(several) == 1 for several in shown.values()):
        if BLACK not in times or agree or 0 not in shown:
            return PaletteVerdict("index", "an index has the same colour in all files", agree, grey, True, colours)
        sure = grey or len(colours) == 2
        why = "palettes have black after other colours"
        return PaletteVerdict("colors" if sure else None, why, agree, grey, True, colours)
    others = [times[colour] for colour in colours if colour != BLACK]
    recur = len(others) <= 2 * max(shown) + 1 and sum(others) >= 2 * len(others)
    why = "palettes differ from file to file"
    return PaletteVerdict("colors" if grey or recur else None, why, agree, grey, False, colours)
