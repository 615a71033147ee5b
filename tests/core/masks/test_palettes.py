import pytest

from toolkit.core.arrays import Colour
from toolkit.core.masks.palettes import PaletteReading, read_palettes

BLACK, WHITE, GREY, RED, BLUE, PINK = (
    (0, 0, 0),
    (255, 255, 255),
    (128, 128, 128),
    (255, 0, 0),
    (0, 0, 255),
    (250, 0, 99),
)


@pytest.mark.parametrize(
    ("files", "reading"),
    [
        ([(BLACK, WHITE)] * 3, "index"),
        ([(BLACK, RED, BLUE), (BLACK, RED), (BLACK,)], "index"),
        ([(WHITE, RED)] * 3, "index"),
        ([(BLACK, WHITE, GREY)] * 3, "index"),
        ([(WHITE, BLACK)] * 3, "colors"),
        ([(WHITE,), (BLACK, WHITE)], "colors"),
        ([(BLACK, GREY), (BLACK, WHITE)], "colors"),
        ([(RED, BLACK)] * 3, "colors"),
        ([(BLACK, RED, BLUE), (BLUE, BLACK, RED)] * 2, "colors"),
        ([(RED, BLUE, BLACK)] * 3, None),
        ([(BLACK, RED), (BLACK, BLUE), (BLACK, PINK)], None),
        ([(RED, PINK), (BLUE, WHITE)], None),
    ],
)
def test_all_files_together_decide(files: list[tuple[Colour, ...]], reading: PaletteReading | None) -> None:
    verdict = read_palettes([dict(enumerate(colours)) for colours in files])
    assert verdict.reading == reading
    assert verdict.why
    assert read_palettes([dict(enumerate(colours)) for colours in reversed(files)]) == verdict


def test_only_colours_that_occur_count() -> None:
    assert read_palettes([{0: BLACK}, {0: BLACK, 1: WHITE}]).reading == "index"
    assert read_palettes([{1: WHITE}, {0: BLACK}]).reading == "index"


def test_both_readings_agree_if_black_is_the_first_index_everywhere() -> None:
    assert read_palettes([{0: BLACK, 1: RED}, {0: BLACK, 1: BLUE}, {0: BLACK, 1: PINK}]).agree
    assert not read_palettes([{0: RED, 1: BLACK, 2: BLUE}]).agree
    assert not read_palettes([{0: WHITE}, {0: BLACK, 1: WHITE}]).same
    assert read_palettes([{0: RED, 1: BLACK, 2: BLUE}]).colours[0] == BLACK
