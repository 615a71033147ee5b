"""Simulated coloured shapes on a textured background: several classes, and objects that touch or cover each other."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.randomness import generator
from toolkit.core.simulated.image import Field, Random, SimulatedImage, Size, blurred, smooth_field

SHAPE_CLASSES = ("background", "circle", "square", "triangle", "star", "ring", "cross")
"""The class of each label, 0 to 6."""

_EMPTY_SHARE = 0.05
_RADII = (0.07, 0.20)  # of the circle around a shape, as shares of the shorter side of the image
_SHAPES_AT_MOST = 9
_FINER = 4  # factor by which outlines are drawn larger
_TRIES = 8
_LEFT_VISIBLE = 0.5

_Points = npt.NDArray[np.float64]
"""Corners (row, column) of a polygon around 0, `float64 (corners, 2)`; the farthest are at distance 1."""

_Window = tuple[slice, slice]
"""Rows and columns."""


def simulate_shapes(index: int, *, seed: int, size: tuple[int, int] = (128, 128)) -> SimulatedImage:
    """Draw image `index` of the set `seed`, at `size` (height, width).

    The image is coloured; labels are positions in `SHAPE_CLASSES`; objects are numbered in drawing order. Class does
    not depend on colour or size. Shapes may cover others, at least half of which stays visible, and shapes of one class
    may touch, so that connected components are not always single objects. About 5 % of the images are empty. Every draw
    derives from seed and index.
    """
    rng = generator("simulated shapes", seed, index)
    canvas = _ground(rng, size)
    labels, objects = np.zeros(size, np.uint8), np.zeros(size, np.int32)
    wanted = 0 if rng.random() < _EMPTY_SHARE else int(rng.integers(1, _SHAPES_AT_MOST + 1))
    areas: list[int] = []
    for _ in range(wanted):
        label = int(rng.integers(1, len(SHAPE_CLASSES)))
        found = _free_place(rng, SHAPE_CLASSES[label], objects, areas)
        if found is None:
            continue
        window, cover = found
        inside = cover >= 0.5
        areas.append(int(np.count_nonzero(inside)))
        labels[window][inside], objects[window][inside] = label, len(areas)
        _paint(rng, canvas[window], cover)
    noise = rng.uniform(2, 10) * rng.standard_normal(canvas.shape, dtype=np.float32)
    canvas = blurred(canvas, rng.uniform(0.3, 0.8)) + noise
    return SimulatedImage(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), labels, objects)


def _ground(rng: Random, size: Size) -> Field:
    """A background of smoothly varying colour, `float32 (height, width, 3)`, 0–255."""
    bumps = rng.uniform(1.5, 12)
    common = rng.uniform(5, 20) * smooth_field(rng, size, bumps)
    channels = [common + rng.uniform(2, 8) * smooth_field(rng, size, bumps) for _ in range(3)]
    return np.asarray(np.stack(channels, axis=-1) + rng.uniform(60, 190, 3), np.float32)


def _free_place(
    rng: Random, name: str, objects: npt.NDArray[np.int32], areas: list[int]
) -> tuple[_Window, Field] | None:
    """Find a place where a shape leaves enough of all others visible: its window, and the cover of each pixel there.

    None if no such place is found.
    """
    seen = np.bincount(objects.ravel(), minlength=len(areas) + 1)[1:]
    outlines = _OUTLINES[name]()
    for _ in range(_TRIES):
        radius, centre = rng.uniform(*_RADII) * min(objects.shape), rng.uniform((0, 0), objects.shape)
        window, cover = _cover(objects.shape, outlines, centre, radius, rng.uniform(0, 2 * math.pi))
        inside = cover >= 0.5
        left = seen - np.bincount(objects[window][inside], minlength=len(areas) + 1)[1:]
        # Enough of the shape must be inside the image to recognise it.
        whole = np.count_nonzero(inside) >= max(1, _LEFT_VISIBLE * _area(outlines) * radius**2)
        if whole and (left >= _LEFT_VISIBLE * np.array(areas)).all():
            return window, cover
    return None


def _cover(
    size: Size, outlines: list[_Points], centre: npt.NDArray[np.float64], radius: float, turn: float
) -> tuple[_Window, Field]:
    """The window of a shape in an image, and the share of each pixel there that it covers, 0–1.

    Points inside one outline are covered; points inside two, as in a ring, are not.
    """
    starts = np.maximum(0, np.floor(centre - radius)).astype(int)
    ends = np.minimum(size, np.ceil(centre + radius) + 1).astype(int)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    height, width = ends - starts
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    corners = [(points @ rotation * radius + centre - starts) * _FINER for points in outlines]
    # OpenCV expects x before y, and fills by the even-odd rule.
    cv2.fillPoly(fine, [np.rint(points[:, ::-1]).astype(np.int32) for points in corners], 255)
    cover = cv2.resize(fine.astype(np.float32) / 255, (width, height), interpolation=cv2.INTER_AREA)
    return (slice(starts[0], ends[0]), slice(starts[1], ends[1])), np.asarray(cover, np.float32)


def _area(outlines: list[_Points]) -> float:
    """Area of a shape of radius 1."""
    areas = [cv2.contourArea(points.astype(np.float32)) for points in outlines]
    return areas[0] - sum(areas[1:])


def _paint(rng: Random, canvas: Field, cover: Field) -> None:
    """Paint a shape in place with a contrasting colour that varies smoothly."""
    covered = cover[..., None]
    ground = (canvas * covered).sum(axis=(0, 1)) / cover.sum()
    colour = rng.uniform(0, 255, 3)
    while np.abs(colour - ground).max() < 60:
        colour = rng.uniform(0, 255, 3)
    shade = 8 * smooth_field(rng, cover.shape, 3)[..., None]
    canvas += covered * (colour.astype(np.float32) + shade - canvas)


def _regular(corners: int) -> _Points:
    turn = 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.sin(turn), np.cos(turn)], axis=1)


def _star() -> list[_Points]:
    distance = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    return [_regular(10) * distance[:, None]]


def _cross() -> list[_Points]:
    arm = 0.32
    corners = [(-1, -arm), (-1, arm), (-arm, arm), (-arm, 1), (arm, 1), (arm, arm)]
    whole = np.array([*corners, *((-row, -column) for row, column in corners)])
    return [whole / math.hypot(1, arm)]


_OUTLINES: dict[str, Callable[[], list[_Points]]] = {
    "circle": lambda: [_regular(48)],
    "square": lambda: [_regular(4)],
    "triangle": lambda: [_regular(3)],
    "star": _star,
    "ring": lambda: [_regular(48), 0.55 * _regular(48)],
    "cross": _cross,
}
