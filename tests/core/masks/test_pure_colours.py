import numpy as np

from toolkit.core.arrays import Colour
from toolkit.core.masks.pure_colours import pure_colours

BLACK, RED, GREEN = (0, 0, 0), (255, 0, 0), (0, 255, 0)


def shades(colour: Colour, count: int, spread: int, seed: int) -> dict[Colour, int]:
    """Pixels near a colour, as compression makes them; most are close to it."""
    random = np.random.default_rng(seed)
    found: dict[Colour, int] = {}
    for _ in range(count):
        red, green, blue = np.clip(np.rint(random.normal(colour, spread / 3)), 0, 255).astype(int).tolist()
        found[red, green, blue] = found.get((red, green, blue), 0) + 1
    return found


def test_pure_colours_are_found_among_their_shades() -> None:
    counts = {**shades(RED, 300, 12, 0), **shades(GREEN, 200, 12, 1), **shades(BLACK, 500, 12, 2)}
    pixels = sum(counts.values())
    found = pure_colours(counts, pixels)
    assert len(found) == 3
    for colour, wanted in zip(found, (BLACK, RED, GREEN), strict=True):
        assert np.abs(np.subtract(colour, wanted)).max() <= 16


def test_the_border_between_two_colours_is_none() -> None:
    counts = {BLACK: 600, RED: 350, (127, 0, 0): 50}
    assert pure_colours(counts, 1000) == (BLACK, RED)


def test_a_photograph_has_none() -> None:
    random = np.random.default_rng(0).integers(0, 256, (5000, 3))
    assert pure_colours(dict.fromkeys(map(tuple, random.tolist()), 1), 5000) == ()
