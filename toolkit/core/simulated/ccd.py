"""Simulated images of a charge-coupled device (CCD) that looks for particles: what they leave, and what only looks so.

The classes are those of https://github.com/aritzLizoain/Image-segmentation, in about its shares of pixels: background
of readout noise; glowing of the amplifiers along an edge or in a corner; hot pixels and hot columns, which leak charge;
and clusters, the tracks of particles, in the forms that DAMIC sees (Aguilar-Arevalo et al. 2016, arXiv:1607.07410):
straight muons that grow wider with depth, winding electrons, round blobs of alpha particles, and small diffuse spots.
"""

import math

import numpy as np
import numpy.typing as npt

from toolkit.core.randomness import generator
from toolkit.core.simulated.image import Field, Random, SimulatedImage, Size, smooth_field

CCD_CLASSES = ("background", "glowing", "hot_pixel", "cluster")
"""The class of each label, 0 to 3."""

_SIDE = 256
"""The side of the image, in pixels, that the numbers below are for; others get as much for each of their pixels."""

_PEDESTAL, _NOISE = (24.0, 40.0), (5.0, 7.0)  # grey levels: mean and standard deviation of an empty pixel
_GLOW_SHARE, _GLOW_BRIGHTNESS, _GLOW_VISIBLE = (0.03, 0.11), (50.0, 150.0), 12.0
_HOT_PIXELS, _HOT_COLUMNS, _HOT_LEVELS = 108.0, 1.0, (24.0, 215.0)
_CLUSTERS, _CLUSTER_VISIBLE = 3.75, 20.0

_Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Charges: row, column, amplitude in grey levels and width (standard deviation, pixels), each `float64 (points,)`."""


def simulate_ccd(index: int, *, seed: int, size: tuple[int, int] = (_SIDE, _SIDE)) -> SimulatedImage:
    """Draw image `index` of the detector `seed`, at `size` (height, width).

    The image is grey; labels are positions in `CCD_CLASSES`. A pixel is glowing or of a cluster where the light or
    charge that was put there, before any noise, exceeds a level that shows; a hot pixel is hot whatever lies under it,
    and a cluster on the glowing is a cluster. Grey values of hot pixels and clusters are spread over the same range, so
    that only their forms tell them apart. Every draw derives from seed and index.
    """
    rng = generator("simulated ccd", seed, index)
    glow, charge = _glow(rng, size), _clusters(rng, size)
    hot = _hot(rng, size)
    noise = rng.uniform(*_NOISE)
    # Light comes in photons: where there is more of it, it is noisier.
    level = noise * np.sqrt(1 + glow / 60) * rng.standard_normal(size, dtype=np.float32)
    level += rng.uniform(*_PEDESTAL) + 0.1 * noise * rng.standard_normal((size[0], 1), dtype=np.float32)
    labels = np.zeros(size, np.uint8)
    labels[glow > _GLOW_VISIBLE] = 1
    labels[charge > _CLUSTER_VISIBLE] = 3
    labels[hot > 0] = 2
    image = np.clip(np.rint(level + glow + charge + hot), 0, 255).astype(np.uint8)
    return SimulatedImage(image, labels)


def _glow(rng: Random, size: Size) -> Field:
    """Light of the amplifiers in grey levels: along one edge, or in one corner; some images have none."""
    height, width = size
    kind = rng.choice(("edge", "corner", "none"), p=(0.65, 0.30, 0.05))
    share, brightness = rng.uniform(*_GLOW_SHARE), rng.uniform(*_GLOW_BRIGHTNESS)
    # Distances as shares of the sides, from 0 on the edges that glow.
    down, across = np.mgrid[:height, :width].astype(np.float32) + 0.5
    down, across = down / height, across / width
    down, across = (1 - down if rng.random() < 0.5 else down), (1 - across if rng.random() < 0.5 else across)
    if kind == "none":
        return np.zeros(size, np.float32)
    if kind == "edge":
        distance, reach = (down if rng.random() < 0.5 else across), share
    else:
        stretch = rng.uniform(0.7, 1.4)
        distance, reach = np.hypot(down * stretch, across / stretch), math.sqrt(4 * share / math.pi)
    distance = distance * (1 + 0.06 * smooth_field(rng, size, rng.uniform(2, 6)))
    # It falls steeply, so that it ends where the share says: there it has the level that just shows.
    fall = math.log(brightness / _GLOW_VISIBLE)
    return np.asarray(brightness * np.exp(-fall * np.clip(distance / reach, 0, 3) ** 4), np.float32)


def _hot(rng: Random, size: Size) -> Field:
    """What hot pixels and columns add, in grey levels; 0 elsewhere."""
    height, width = size
    hot = np.zeros(size, np.float32)
    for _ in range(rng.poisson(_HOT_COLUMNS * width / _SIDE)):
        # Charge leaks into all that is read out through the defect: the column from there on.
        start = 0 if rng.random() < 0.6 else int(rng.integers(height))
        column = _hot_levels(rng, 1) * rng.normal(1, 0.12, height - start)
        hot[start:, rng.integers(width)] = np.clip(column, *_HOT_LEVELS)
    count = rng.poisson(_HOT_PIXELS * height * width / _SIDE**2)
    hot[rng.integers(height, size=count), rng.integers(width, size=count)] = _hot_levels(rng, count)
    return hot


def _hot_levels(rng: Random, count: int) -> npt.NDArray[np.float64]:
    """Log-uniform: faint ones are as frequent as bright ones."""
    low, high = _HOT_LEVELS
    return np.asarray(np.exp(rng.uniform(math.log(low), math.log(high), count)), np.float64)


def _clusters(rng: Random, size: Size) -> Field:
    """The charge of all particles in grey levels, before noise."""
    height, width = size
    charge = np.zeros(size, np.float32)
    for _ in range(rng.poisson(_CLUSTERS * height * width / _SIDE**2)):
        place = rng.uniform((0, 0), size)
        rows, columns, amplitude, spread = _FORMS[rng.choice(len(_FORMS), p=_FORM_SHARES)](rng)
        _deposit(charge, (rows + place[0], columns + place[1], amplitude, spread))
    return charge


def _spot(rng: Random) -> _Points:
    """An X-ray or a recoiling nucleus: all charge in one place, which diffuses on its way to the surface."""
    zero = np.zeros(1)
    return zero, zero, np.exp(rng.uniform(np.log(80), np.log(215), 1)), rng.uniform(0.7, 1.4, 1)


def _alpha(rng: Random) -> _Points:
    """So much charge in one place that it spills over evenly into all directions: a round plateau."""
    radius = rng.uniform(2.0, 4.0)
    turn, reach = rng.uniform(0, 2 * np.pi, 60), radius * np.sqrt(rng.random(60))
    return reach * np.sin(turn), reach * np.cos(turn), np.full(60, 60.0 / radius), np.full(60, 1.2)


def _worm(rng: Random) -> _Points:
    """An electron: it is scattered ever more and leaves ever more charge as it slows down."""
    steps = int(rng.integers(12, 60))
    slowing = np.linspace(0, 1, steps)
    turn = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.12 + 0.5 * slowing**2))
    amplitude = rng.uniform(25, 50) * (1 + 1.5 * slowing**3) * rng.gamma(5, 1 / 5, steps)
    return (
        0.5 * np.cumsum(np.sin(turn)),
        0.5 * np.cumsum(np.cos(turn)),
        amplitude,
        np.full(steps, rng.uniform(0.5, 0.9)),
    )


def _muon(rng: Random) -> _Points:
    """A straight track, sharp where it leaves the surface and wide where it was deep."""
    along = np.arange(0, rng.uniform(10, 60), 0.5)
    turn = rng.uniform(0, 2 * np.pi)
    width = np.linspace(0.4, rng.uniform(0.6, 1.1), len(along))
    # The same charge on a wider track is lower.
    amplitude = rng.uniform(16, 32) * rng.gamma(5, 1 / 5, len(along)) * (0.6 / width)
    return along * np.sin(turn), along * np.cos(turn), amplitude, width


_FORMS = (_spot, _worm, _muon, _alpha)
_FORM_SHARES = (0.70, 0.20, 0.07, 0.03)


def _deposit(charge: Field, points: _Points) -> None:
    """Add Gaussian charges to an image, in place."""
    rows, columns, amplitude, width = points
    margin = 4 * width.max()
    top, left = max(0, math.floor(rows.min() - margin)), max(0, math.floor(columns.min() - margin))
    bottom, right = (math.ceil(edge.max() + margin) + 1 for edge in (rows, columns))
    part = charge[top:bottom, left:right]
    scale = 2 * width[:, None] ** 2
    down = np.exp(-((np.arange(part.shape[0]) + top - rows[:, None]) ** 2) / scale)
    across = np.exp(-((np.arange(part.shape[1]) + left - columns[:, None]) ** 2) / scale)
    part += np.asarray((amplitude[:, None] * down).T @ across, np.float32)
