"""Simulated images of a charge-coupled device (CCD) that detects particles.

The classes and roughly their shares of pixels are those of https://github.com/aritzLizoain/Image-segmentation:
background of readout noise; glow of the amplifiers along an edge or in a corner; hot pixels and hot columns, which leak
charge; and clusters, the tracks of particles, in the shapes seen by DAMIC (Aguilar-Arevalo et al. 2016,
arXiv:1607.07410): straight muons that widen with depth, winding electrons, round blobs of alpha particles, and small
diffuse spots.
"""

import math

import numpy as np
import numpy.typing as npt

from toolkit.core.randomness import generator
from toolkit.core.simulated.image import Field, Random, SimulatedImage, Size, smooth_field

CCD_CLASSES = ("background", "glowing", "hot_pixel", "cluster")
"""The class of each label, 0 to 3."""

_SIDE = 256
"""The image side in pixels for which the counts below are given; other sizes get the same density."""

_PEDESTAL, _NOISE = (24.0, 40.0), (5.0, 7.0)  # grey levels: mean and standard deviation of an empty pixel
_GLOW_SHARE, _GLOW_BRIGHTNESS, _GLOW_VISIBLE = (0.03, 0.11), (50.0, 150.0), 12.0
_HOT_PIXELS, _HOT_COLUMNS, _HOT_LEVELS = 108.0, 1.0, (24.0, 215.0)
_CLUSTERS, _CLUSTER_VISIBLE = 3.75, 20.0

_Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Charges: row, column, amplitude in grey levels and width (standard deviation, pixels), each `float64 (points,)`."""


def simulate_ccd(index: int, *, seed: int, size: tuple[int, int] = (_SIDE, _SIDE)) -> SimulatedImage:
    """Draw image `index` of the detector `seed`, at `size` (height, width).

    The image is grey; labels are positions in `CCD_CLASSES`. A pixel belongs to the glow or to a cluster if its light
    or charge, before noise, exceeds a visible level. Clusters take precedence over glow, and hot pixels over both. Hot
    pixels and clusters have the same range of grey values, so that only their shapes distinguish them. Every draw
    derives from seed and index.
    """
    rng = generator("simulated ccd", seed, index)
    glow, charge = _glow(rng, size), _clusters(rng, size)
    hot = _hot(rng, size)
    noise = rng.uniform(*_NOISE)
    # Shot noise: brighter light is noisier.
    level = noise * np.sqrt(1 + glow / 60) * rng.standard_normal(size, dtype=np.float32)
    level += rng.uniform(*_PEDESTAL) + 0.1 * noise * rng.standard_normal((size[0], 1), dtype=np.float32)
    labels = np.zeros(size, np.uint8)
    labels[glow > _GLOW_VISIBLE] = 1
    labels[charge > _CLUSTER_VISIBLE] = 3
    labels[hot > 0] = 2
    image = np.clip(np.rint(level + glow + charge + hot), 0, 255).astype(np.uint8)
    return SimulatedImage(image, labels)


def _glow(rng: Random, size: Size) -> Field:
    """Light of the amplifiers in grey levels, along one edge, in one corner, or absent."""
    height, width = size
    kind = rng.choice(("edge", "corner", "none"), p=(0.65, 0.30, 0.05))
    share, brightness = rng.uniform(*_GLOW_SHARE), rng.uniform(*_GLOW_BRIGHTNESS)
    # Distances from the glowing edges, as shares of the sides.
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
    # A steep decrease, so that the glow reaches the level that is just visible where the share ends.
    fall = math.log(brightness / _GLOW_VISIBLE)
    return np.asarray(brightness * np.exp(-fall * np.clip(distance / reach, 0, 3) ** 4), np.float32)


def _hot(rng: Random, size: Size) -> Field:
    """Grey levels added by hot pixels and columns; 0 elsewhere."""
    height, width = size
    hot = np.zeros(size, np.float32)
    for _ in range(rng.poisson(_HOT_COLUMNS * width / _SIDE)):
        # Charge leaks into all pixels read out through the defect, that is, the rest of the column.
        start = 0 if rng.random() < 0.6 else int(rng.integers(height))
        column = _hot_levels(rng, 1) * rng.normal(1, 0.12, height - start)
        hot[start:, rng.integers(width)] = np.clip(column, *_HOT_LEVELS)
    count = rng.poisson(_HOT_PIXELS * height * width / _SIDE**2)
    hot[rng.integers(height, size=count), rng.integers(width, size=count)] = _hot_levels(rng, count)
    return hot


def _hot_levels(rng: Random, count: int) -> npt.NDArray[np.float64]:
    """Log-uniform brightness of hot pixels, in grey levels."""
    low, high = _HOT_LEVELS
    return np.asarray(np.exp(rng.uniform(math.log(low), math.log(high), count)), np.float64)


def _clusters(rng: Random, size: Size) -> Field:
    """Charge of all particles in grey levels, before noise."""
    height, width = size
    charge = np.zeros(size, np.float32)
    for _ in range(rng.poisson(_CLUSTERS * height * width / _SIDE**2)):
        place = rng.uniform((0, 0), size)
        rows, columns, amplitude, spread = _FORMS[rng.choice(len(_FORMS), p=_FORM_SHARES)](rng)
        _deposit(charge, (rows + place[0], columns + place[1], amplitude, spread))
    return charge


def _spot(rng: Random) -> _Points:
    """An X-ray or a recoiling nucleus: charge from one point, which diffuses on its way to the surface."""
    zero = np.zeros(1)
    return zero, zero, np.exp(rng.uniform(np.log(80), np.log(215), 1)), rng.uniform(0.7, 1.4, 1)


def _alpha(rng: Random) -> _Points:
    """An alpha particle: so much charge in one place that it spills over evenly, forming a round plateau."""
    radius = rng.uniform(2.0, 4.0)
    turn, reach = rng.uniform(0, 2 * np.pi, 60), radius * np.sqrt(rng.random(60))
    return reach * np.sin(turn), reach * np.cos(turn), np.full(60, 60.0 / radius), np.full(60, 1.2)


def _worm(rng: Random) -> _Points:
    """An electron: as it slows down, it scatters more and leaves more charge."""
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
    """A muon: a straight track, sharp near the surface and wide in the depth."""
    along = np.arange(0, rng.uniform(10, 60), 0.5)
    turn = rng.uniform(0, 2 * np.pi)
    width = np.linspace(0.4, rng.uniform(0.6, 1.1), len(along))
    # The same charge on a wider track has a lower amplitude.
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
    around = charge[top:bottom, left:right]
    scale = 2 * width[:, None] ** 2
    down = np.exp(-((np.arange(around.shape[0]) + top - rows[:, None]) ** 2) / scale)
    across = np.exp(-((np.arange(around.shape[1]) + left - columns[:, None]) ** 2) / scale)
    around += np.asarray((amplitude[:, None] * down).T @ across, np.float32)
