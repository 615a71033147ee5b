"""Simulated seismic images with salt bodies: a small salt-identification competition from a seed."""

import math

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Mask
from toolkit.core.randomness import generator
from toolkit.core.simulated.image import Field, Random, SimulatedImage, Size, blurred, smooth_field

_CONSTANT_SHARE = 0.02
_SALT_SHARE = 0.60

# Clear, subtle and vague salt: ranges of the share of layers that shows through, of the amplitude of salt texture,
# and of the strength of the reflector along its outline, all relative to the amplitude of the layers.
_VISIBILITY = (
    ((0.0, 0.12), (0.06, 0.3), (1.5, 9.0)),
    ((0.0, 0.3), (0.3, 0.8), (1.0, 5.0)),
    ((0.4, 0.8), (0.3, 1.0), (0.0, 1.5)),
)


def simulate_salt(index: int, *, seed: int, size: tuple[int, int] = (101, 101)) -> SimulatedImage:
    """Draw image `index` of the competition `seed`, at `size` (height, width).

    The image is grey; labels are 1 for salt, 0 elsewhere. About 40 % of the masks are empty, and about 2 % of the
    images are constant. Every draw derives from seed and index, so that an image does not depend on the others.
    Textures keep their scale in pixels: a larger image shows more ground.
    """
    rng = generator("simulated salt", seed, index)
    kind = rng.random()
    if kind < _CONSTANT_SHARE:
        grey = 0 if rng.random() < 0.7 else int(rng.integers(1, 256))
        return SimulatedImage(np.full(size, grey, np.uint8), np.zeros(size, np.uint8))
    wavelength = float(np.exp(rng.uniform(np.log(5), np.log(27))))
    if kind < _CONSTANT_SHARE + _SALT_SHARE:
        depth = _salt_depth(rng, size)
        ground = _insert_salt(rng, _strata(rng, size, wavelength, depth), wavelength, depth)
        return SimulatedImage(_to_grey(rng, ground), _annotate(rng, depth).astype(np.uint8))
    if rng.random() < 0.13:
        ground = _seabed(rng, size)
    else:
        ground = _strata(rng, size, wavelength, None)
        if rng.random() < 0.35:
            ground = _add_decoy(rng, ground, wavelength)
    return SimulatedImage(_to_grey(rng, ground), np.zeros(size, np.uint8))


def _standardized(field: Field) -> Field:
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), np.float32)


def _speckle(rng: Random, size: Size, grain: float, stretch: float = 1.0) -> Field:
    """Band-passed noise of unit variance: blobs `grain` pixels across, `stretch` times as tall as wide."""
    noise = rng.standard_normal(size, dtype=np.float32)
    fine = blurred(noise, grain / 2, grain * stretch / 2)
    coarse = blurred(fine, grain, grain * stretch)
    return _standardized(fine - 0.8 * coarse)


def _reflectors(rng: Random, size: Size, wavelength: float, length: float, sharpness: float) -> Field:
    """Flat reflectors of unit variance, `wavelength` pixels thick and about `length` pixels long.

    They fill a square large enough for rotated and folded coordinates. `sharpness` 0 gives even layers, higher values
    a few bright reflectors among dim ones.
    """
    side = round(1.6 * max(size))
    noise = rng.standard_normal((side, max(4, round(3 * side / length))), dtype=np.float32)
    noise *= np.abs(noise) ** sharpness
    noise *= np.exp(sharpness * 0.7 * rng.standard_normal((side, 1), dtype=np.float32))
    fine = blurred(noise, 1.2, wavelength / 5)
    coarse = blurred(fine, 0.4, wavelength / 2.8)
    full = cv2.resize(fine - coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return _standardized(np.asarray(full, np.float32))


def _grid(size: Size) -> tuple[Field, Field]:
    """Pixel coordinates x and y from the centre."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x - (width - 1) / 2, y - (height - 1) / 2


def _sample(canvas: Field, x: Field, y: Field) -> Field:
    """Sample the canvas at coordinates relative to its centre; it is mirrored beyond its edges."""
    height, width = canvas.shape
    sampled = cv2.remap(canvas, x + width / 2, y + height / 2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(sampled, np.float32)


def _folded_grid(rng: Random, size: Size, dip: float) -> tuple[Field, Field]:
    """Coordinates along and across dipping, folded and sometimes faulted layers."""
    x, y = _grid(size)
    across = y * math.cos(dip) - x * math.sin(dip)
    along = x * math.cos(dip) + y * math.sin(dip)
    across += rng.gamma(1.3, 2.0) * smooth_field(rng, size, rng.uniform(1.2, 3.5))
    across += rng.uniform(0.0, 0.7) * smooth_field(rng, size, rng.uniform(6, 12))
    if rng.random() < 0.15:  # a syncline or an anticline
        bend = np.hypot(along - rng.normal(0, 35), rng.uniform(12, 60))
        across += rng.choice((-1, 1)) * rng.uniform(0.3, 1.2) * np.asarray(bend, np.float32)
    for _ in range(rng.choice(3, p=(0.7, 0.2, 0.1))):
        slope = rng.uniform(-0.8, 0.8)
        side = x - slope * y - rng.normal(0, 0.3) * size[1] + 2 * smooth_field(rng, size, 3)
        across += rng.normal(0, 5) * np.asarray(np.clip(side, 0, 1), np.float32)
    return along, across


def _strata(rng: Random, size: Size, wavelength: float, depth: Field | None) -> Field:
    """Layered ground of about unit variance, dragged along the flanks of the salt if `depth` is given."""
    steep = rng.random() < 0.25
    dip = float(rng.uniform(-1.2, 1.2) if steep else rng.normal(0, 0.22))
    along, across = _folded_grid(rng, size, dip)
    if depth is not None and rng.random() < 0.6:
        across += rng.normal(0, 14) * np.asarray(np.exp(np.minimum(depth, 0) / rng.uniform(8, 35)), np.float32)
    length = wavelength * float(np.exp(rng.uniform(np.log(1.8), np.log(10))))
    beds = _reflectors(rng, size, wavelength, length, rng.uniform(0, 1))
    beds += rng.uniform(0.4, 1) * _reflectors(rng, size, 0.8 * wavelength, wavelength * rng.uniform(0.7, 1.8), 0.3)
    ground = _sample(beds, along, across)
    order = rng.choice(("orderly", "crossed", "chaotic"), p=(0.6, 0.3, 0.1))
    if order != "orderly":  # energy from other directions, as in poorly migrated data
        turned = dip + rng.choice((-1, 1)) * rng.uniform(0.3, 1.1)
        other = _reflectors(rng, size, wavelength, wavelength * rng.uniform(0.9, 2.5), 0.3)
        other = _sample(other, *_folded_grid(rng, size, float(turned)))
        ground = ground + rng.uniform(0.3, 0.9) * other
    # The bandwidth of real data limits the sharpness of edges, even at faults.
    ground = blurred(ground, 0.4 + 0.05 * wavelength)
    noise = rng.gamma(1.2, 0.12) if order != "chaotic" else rng.uniform(0.6, 2)
    grain = max(1.4, wavelength * rng.uniform(0.2, 0.4))
    ground = _standardized(ground) + np.float32(noise) * _speckle(rng, size, grain, rng.uniform(0.5, 1))
    ground = ground * np.exp(rng.uniform(0, 0.4) * smooth_field(rng, size, rng.uniform(1.5, 5)))
    # Every reflector has a faint echo below it; at the top edge, the ground is mirrored.
    above = np.abs(np.arange(size[0]) - max(2, round(wavelength * rng.uniform(0.8, 1.6))))
    return _standardized(ground + rng.uniform(-0.35, 0.35) * ground[np.minimum(above, size[0] - 1)])


def _seabed(rng: Random, size: Size) -> Field:
    """Water over parallel layers, brightest at the seabed."""
    x, y = _grid(size)
    curve = np.broadcast_to(smooth_field(rng, size, 2.5)[:1], size)
    floor = rng.uniform(-0.45, 0.45) * size[0] + rng.normal(0, 0.06) * x + rng.gamma(1.5, 1.5) * curve
    below = np.asarray(y - floor + 0.4 * smooth_field(rng, size, 12), np.float32)
    wavelength = float(rng.uniform(3.5, 9))
    layers = _sample(_reflectors(rng, size, wavelength, 80, rng.uniform(0.5, 1)), x, below)
    layers *= np.exp(-np.maximum(below, 0) / rng.uniform(15, 80)).astype(np.float32)
    pulse = rng.uniform(2, 5) * _wavelet(below - wavelength / 2, wavelength)
    noise = rng.uniform(0, 0.15) * _speckle(rng, size, 1.3)
    return np.asarray((layers + noise + pulse) * np.clip(below + 1, 0.01, 1), np.float32)


def _add_decoy(rng: Random, ground: Field, wavelength: float) -> Field:
    """Add features that resemble salt: a dim zone, a bright reflector, or both."""
    depth = _salt_depth(rng, ground.shape)
    kind = rng.random()
    if kind < 0.55:
        dim = rng.uniform(0.2, 0.6) * (0.5 + 0.5 * np.tanh(depth / rng.uniform(6, 20)))
        ground = ground * (1 - dim)
    if kind > 0.35:
        ground = ground + _outline_reflector(rng, depth, rng.uniform(1, 4), wavelength)
    return ground


def _salt_depth(rng: Random, size: Size) -> Field:
    """Signed distance in pixels to the outline of one or two salt bodies, positive inside."""
    longer = max(size)
    depth = _body(rng, size)
    if rng.random() < 0.12:
        depth = np.maximum(depth, _body(rng, size), dtype=np.float32)
    depth = depth + rng.gamma(1.5, 1.0) * smooth_field(rng, size, longer / rng.uniform(14, 26))
    if rng.random() < 0.45:  # a jagged top of cusps
        depth += rng.uniform(1, 3.5) * np.abs(smooth_field(rng, size, longer / rng.uniform(9, 18)))
    coverage = 0.006 + 0.984 * rng.beta(0.62, 0.92)
    depth = blurred(depth, 1)
    inside = (depth > np.quantile(depth, 1 - coverage)).astype(np.uint8)
    inward = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    outward = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_5)
    # Slightly blurred, because whole pixels would give a staircase in the reflector along the outline.
    return blurred(np.asarray(inward - outward, np.float32), 0.9)


def _body(rng: Random, size: Size) -> Field:
    """Depth of one body up to a constant, which is chosen later for the coverage of the image."""
    x, y = _grid(size)
    longer = max(size)
    bend = longer * rng.uniform(0.02, 0.08)
    x, y = x + bend * smooth_field(rng, size, 2.5), y + bend * smooth_field(rng, size, 2.5)
    # Direction into the salt: mostly down into a dome or sideways into a flank, rarely up into an overhang.
    inward = rng.choice((0.5, 0.0, 1.0, -0.5), p=(0.42, 0.22, 0.22, 0.14)) * np.pi + rng.normal(0, 0.35)
    deep, wide = x * np.cos(inward) + y * np.sin(inward), y * np.cos(inward) - x * np.sin(inward)
    wide = wide - rng.normal(0, 0.25) * longer
    form = rng.choice(("dome", "corner", "wedge", "lobe"), p=(0.52, 0.22, 0.11, 0.15))
    if form == "dome":
        return np.asarray(deep - rng.normal(0.4, 0.7) * wide**2 / longer, np.float32)
    if form == "corner":
        turn = rng.choice((-1, 1)) * rng.uniform(0.7, 1.8)
        side = deep * np.cos(turn) + wide * np.sin(turn) + rng.normal(0.15, 0.2) * longer
        return np.asarray((deep + side - np.hypot(deep - side, 6)) / 2, np.float32)
    if form == "wedge":
        middle = wide + rng.normal(0, 0.5) * deep**2 / longer
        return np.asarray(rng.uniform(0.1, 0.6) * deep - np.hypot(middle, 4), np.float32)
    lobe = np.hypot((deep - rng.uniform(0.35, 0.5) * longer) / rng.uniform(0.8, 1.6), wide)
    return np.asarray(-lobe, np.float32)


def _wavelet(distance: Field, wavelength: float) -> Field:
    """Ricker wavelet across a reflector: 1 on it, with a negative trough on either side."""
    scaled = (np.pi * distance / wavelength) ** 2
    return np.asarray((1 - 2 * scaled) * np.exp(-np.minimum(scaled, 40)), np.float32)


def _outline_reflector(rng: Random, depth: Field, strength: float, wavelength: float) -> Field:
    """A reflector along an outline, strongest where the outline is horizontal."""
    wavelength = float(np.clip(wavelength * rng.uniform(0.6, 1.1), 4.5, 17))
    level = np.abs(cv2.Sobel(np.clip(depth, -9, 9), cv2.CV_32F, 0, 1, scale=1 / 8))
    fading = 0.55 + 0.55 * smooth_field(rng, depth.shape, 4) + 0.25 * smooth_field(rng, depth.shape, 16)
    brightness = np.clip(fading, 0, None) * (0.15 + 0.85 * np.minimum(level, 1))
    pulse = _wavelet(depth - rng.normal(0, 0.15) * wavelength, wavelength)
    echo = _wavelet(depth + wavelength * rng.choice((-1, 1)), wavelength)
    polarity = rng.choice((-1, 1), p=(0.25, 0.75))
    return np.asarray(polarity * strength * brightness * (pulse + rng.uniform(-0.5, 0.2) * echo), np.float32)


def _insert_salt(rng: Random, ground: Field, wavelength: float, depth: Field) -> Field:
    """Insert the salt into the ground; in some images it is hardly visible."""
    rest, amplitude, strength = (rng.uniform(*limits) for limits in rng.choice(_VISIBILITY, p=(0.7, 0.2, 0.1)))
    salt = rest * ground + amplitude * _salt_texture(rng, ground.shape, wavelength)
    glow = rng.normal(0, 0.7) * np.exp(-np.maximum(depth, 0) / rng.uniform(5, 25))
    dimming = 1 - rng.uniform(0, 0.6) * np.exp(np.minimum(depth, 0) / rng.uniform(5, 25))
    inside = 0.5 + 0.5 * np.tanh(depth / rng.uniform(0.8, 3.2))
    mixed = np.asarray(inside * (salt + amplitude * glow) + (1 - inside) * ground * dimming, np.float32)
    return mixed if rng.random() < 0.15 else mixed + _outline_reflector(rng, depth, strength, wavelength)


def _salt_texture(rng: Random, size: Size, wavelength: float) -> Field:
    """The chaotic interior of a body, of about unit variance: speckle, blotches and faint steep streaks."""
    speckle = _speckle(rng, size, max(1.6, wavelength * rng.uniform(0.22, 0.6)), rng.uniform(0.8, 1.6))
    streaks = _reflectors(rng, size, wavelength * rng.uniform(0.8, 1.6), wavelength * rng.uniform(1.5, 4), 0)
    streaks = _sample(streaks, *_folded_grid(rng, size, float(rng.uniform(-1.5, 1.5))))
    blotches = smooth_field(rng, size, rng.uniform(1.5, 5))
    weights = rng.dirichlet((1.6, 0.5, 1.2))
    return _standardized(np.asarray(weights[0] * speckle + weights[1] * streaks + weights[2] * blotches, np.float32))


def _annotate(rng: Random, depth: Field) -> Mask:
    """Outline the salt as an annotator would: about a pixel off the visible edge, smooth, without tiny components."""
    drawn = blurred(np.clip(depth, -12, 12), 1.2)
    offset = rng.normal(0, 0.6) + rng.uniform(0, 1) * smooth_field(rng, depth.shape, 5)
    offset = np.minimum(offset, drawn.max() - 0.5)  # a small body stays visible
    _, labels, stats, _ = cv2.connectedComponentsWithStats((drawn > offset).astype(np.uint8))
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(np.isin(labels, 1 + np.flatnonzero(areas >= 0.1 * areas.max(initial=0))), np.bool_)


def _to_grey(rng: Random, ground: Field) -> npt.NDArray[np.uint8]:
    """Scale amplitudes to 0–255; a skewed response sets the mean brightness."""
    clipped = np.clip(ground, -6, 6)
    skewed = np.expm1(rng.normal(0, 0.12) * clipped) + 0.5 * clipped
    low, high = float(skewed.min()), float(skewed.max())
    return np.asarray(np.rint((skewed - low) * (255 / max(high - low, 1e-6))), np.uint8)
