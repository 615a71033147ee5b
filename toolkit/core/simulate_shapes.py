"""Simulated coloured shapes on a textured ground: many classes, and objects that touch and cover each other."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.randomness import generator
from toolkit.core.simulated import Field, Random, SimulatedImage, Size, blurred, smooth_field

SHAPE_CLASSES = ("background", "circle", "square", "triangle", "star", "ring", "cross")
"""The class of each label, 0 to 6."""

_EMPTY_SHARE = 0.05
_RADII = (0.07, 0.20)  # of the circle around a shape, as a share of the image's shorter side
_SHAPES_AT_MOST = 9
_FINER = 4  # outlines are drawn so many times larger
_TRIES = 8
_LEFT_VISIBLE = 0.5

_Points = npt.NDArray[np.float64]
"""Corners (row, column) of a polygon around 0, `float64 (corners, 2)`; the farthest ones at distance 1."""


def simulate_shapes(index: int, *, seed: int, size: tuple[int, int] = (128, 128)) -> SimulatedImage:
    """Draw image `index` of the set `seed`, at `size` (height, width).

    The image has colours; labels are positions in `SHAPE_CLASSES`, objects are numbered in the order in which they were
    laid. Colour and size say nothing about the class. Shapes may cover others, of which at least half remains to be
    seen, and shapes of a class may touch, so that connected pixels are not always one object. About 5 % of the images
    show none. Every draw derives from seed and index.
    """
    rng = generator("simulated shapes", seed, index)
    canvas = _ground(rng, size)
    labels, objects = np.zeros(size, np.uint8), np.zeros(size, np.int32)
    wanted = 0 if rng.random() < _EMPTY_SHARE else int(rng.integers(1, _SHAPES_AT_MOST + 1))
    areas: list[int] = []
    for _ in range(wanted):
        label = int(rng.integers(1, len(SHAPE_CLASSES)))
        cover = _free_place(rng, SHAPE_CLASSES[label], objects, areas)
        if cover is None:
            continue
        inside = cover >= 0.5
        areas.append(int(np.count_nonzero(inside)))
        labels[inside], objects[inside] = label, len(areas)
        _paint(rng, canvas, cover)
    noise = rng.uniform(2, 10) * rng.standard_normal(canvas.shape, dtype=np.float32)
    canvas = blurred(canvas, rng.uniform(0.3, 0.8)) + noise
    return SimulatedImage(np.clip(np.rint(canvas), 0, 255).astype(np.uint8), labels, objects)


def _ground(rng: Random, size: Size) -> Field:
    """Three colours that change smoothly, `float32 (height, width, 3)`, grey levels."""
    bumps = rng.uniform(1.5, 12)
    common = rng.uniform(5, 20) * smooth_field(rng, size, bumps)
    channels = [common + rng.uniform(2, 8) * smooth_field(rng, size, bumps) for _ in range(3)]
    return np.asarray(np.stack(channels, axis=-1) + rng.uniform(60, 190, 3), np.float32)


def _free_place(rng: Random, name: str, objects: npt.NDArray[np.int32], areas: list[int]) -> Field | None:
    """How much of each pixel a shape covers, 0–1, at a place where it leaves enough of all others; None without one."""
    shape = objects.shape
    for _ in range(_TRIES):
        radius, centre = rng.uniform(*_RADII) * min(shape), rng.uniform((0, 0), shape)
        cover = _cover(shape, _OUTLINES[name](), centre, radius, rng.uniform(0, 2 * math.pi))
        inside = cover >= 0.5
        seen = np.bincount(objects[~inside], minlength=len(areas) + 1)[1:]
        # Of itself so much must lie in the image that its form can be told.
        whole = np.count_nonzero(inside) >= _LEFT_VISIBLE * _area(_OUTLINES[name]()) * radius**2
        if whole and inside.any() and (seen >= _LEFT_VISIBLE * np.array(areas)).all():
            return cover
    return None


def _cover(shape: Size, outlines: list[_Points], centre: npt.NDArray[np.float64], radius: float, turn: float) -> Field:
    """The share of each pixel, 0–1, that lies inside of one outline but not inside of a further one, as in a ring."""
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    fine = np.zeros((shape[0] * _FINER, shape[1] * _FINER), np.uint8)
    corners = [(points @ rotation * radius + centre) * _FINER for points in outlines]
    # OpenCV takes x before y, and fills by the even-odd rule.
    cv2.fillPoly(fine, [np.rint(points[:, ::-1]).astype(np.int32) for points in corners], 255)
    return np.asarray(cv2.resize(fine, shape[::-1], interpolation=cv2.INTER_AREA), np.float32) / 255


def _area(outlines: list[_Points]) -> float:
    """Of a shape of radius 1."""
    areas = [cv2.contourArea(points.astype(np.float32)) for points in outlines]
    return areas[0] - sum(areas[1:])


def _paint(rng: Random, canvas: Field, cover: Field) -> None:
    """Colour what a shape covers, in place: a colour that stands out, brighter on one side."""
    covered = cover[..., None]
    ground = (canvas * covered).sum(axis=(0, 1)) / max(float(cover.sum()), 1e-6)
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
