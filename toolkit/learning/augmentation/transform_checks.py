"""Checks of transforms before training: each is tried on an image of noise, with several seeds."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from toolkit.config.training.augmentation import BACKGROUND_REPLACER, GROUPS, Transform
from toolkit.core.arrays import Image, Labels
from toolkit.errors import ConfigError, listing
from toolkit.learning.augmentation.transforms import ADVICE, Builder, Transforms, Where, readable

_SEEDS = 3
_SEEDS_FOR_FIXED = 8


def checked(
    transforms: Sequence[Transform], build: Builder, shape: tuple[int, int, int], allowed: Collection[int]
) -> tuple[Transform, ...]:
    """The transforms that are possible, each tried.

    Those of a preset that do not support the number of channels are left out; others must support it.

    Args:
        transforms: of an augmentation.
        build: makes them callable.
        shape: (height, width, channels) of the samples.
        allowed: the labels that a sample may have.

    Raises:
        ConfigError: transforms fail, or their results are not valid samples for the network; lists all of them.
    """
    possible = _possible(transforms, build, shape, allowed)
    problems = []
    for leaf in _leaves(possible):
        try:
            _try(build, leaf, shape, allowed)
        except ConfigError as error:
            problems.append(error)
    if len(problems) > 1:
        raise ConfigError("\n".join(problem.message for problem in problems), problems[0].advice)
    if problems:
        raise problems[0]
    return possible


def checked_fixed(
    transforms: Sequence[Transform], build: Builder, where: Where, channels: int
) -> tuple[Transform, ...]:
    """The transforms with probability 1, each tried on an image with so many channels.

    Raises:
        ConfigError: a transform fails, is applied by chance, draws at random, or changes more than pixel values.
    """
    certain = tuple(_certain(transform, where) for transform in transforms)
    for leaf in _leaves(certain):
        _try_fixed(build, leaf, channels)
    return certain


def _leaves(transforms: Sequence[Transform]) -> list[Transform]:
    """All transforms, without the groups that hold them."""
    found = []
    for transform in transforms:
        if transform.name not in GROUPS:
            found.append(transform)
        found += _leaves(transform.children)
    return found


def _possible(
    transforms: Sequence[Transform], build: Builder, shape: tuple[int, int, int], allowed: Collection[int]
) -> tuple[Transform, ...]:
    """The transforms without those of a preset that do not support the number of channels."""
    kept = []
    for transform in transforms:
        children = _possible(transform.children, build, shape, allowed)
        if transform.preset and transform.children and not children:
            continue
        if transform.preset and not transform.children:
            try:
                _try(build, transform, shape, allowed)
            except ConfigError:
                continue
        kept.append(replace(transform, children=children))
    return tuple(kept)


def _sure(leaf: Transform) -> Transform:
    """A transform on its own and always applied, to try it."""
    rate = {"rate": 0.0} if leaf.name == BACKGROUND_REPLACER else {"p": 1.0}
    return replace(leaf, arguments={**leaf.arguments, **rate}, children=())


def _try(build: Builder, leaf: Transform, shape: tuple[int, int, int], allowed: Collection[int]) -> None:
    """Try a transform on an image of noise: the result must be a valid sample for the network."""
    noise = np.random.default_rng(0)
    image = noise.integers(0, 256, shape, dtype=np.uint8)
    labels = noise.choice(np.array(sorted(allowed), np.uint8), shape[:2])
    for _, changed in _tried(build, leaf, image, labels, _SEEDS):
        strange = sorted(set(np.unique(changed).tolist()) - set(allowed))
        if strange:
            raise build.error(
                leaf,
                f"{leaf.name} creates labels that the data do not have: {listing(strange)}; set mask_interpolation: 0 "
                f"or fill_mask: {build.fill_label}",
            )


def _try_fixed(build: Builder, leaf: Transform, channels: int) -> None:
    # Noise of all values, a ramp and faint noise, large enough for transforms of tiles: a random draw changes one.
    noise = np.random.default_rng(0)
    image = noise.integers(0, 256, (240, 320, channels), dtype=np.uint8)
    image[:, 100:200] = np.linspace(40, 180, 100, dtype=np.uint8)[None, :, None]
    image[:, 200:] = 100 + image[:, 200:] // 8
    labels = noise.integers(0, 2, image.shape[:2], dtype=np.uint8)
    results = _tried(build, leaf, image, labels, _SEEDS_FOR_FIXED)
    if any(not np.array_equal(changed, labels) for _, changed in results):
        raise build.error(leaf, f"{leaf.name} moves pixels; transforms may only change pixel values")
    if any(not np.array_equal(changed, results[0][0]) for changed, _ in results):
        raise build.error(
            leaf,
            f"{leaf.name} draws at random, but transforms must be the same for every image; give ranges of one value "
            "(for example clip_limit: [2, 2]), or move it to augmentation",
        )


def _tried(build: Builder, leaf: Transform, image: Image, labels: Labels, times: int) -> list[tuple[Image, Labels]]:
    """The results of one transform for a sample with several seeds; checks their sizes and types."""
    alone = Transforms([build(_sure(leaf))])
    results = []
    for seed in range(times):
        try:
            results.append(alone(image, labels, seed))
        except Exception as error:
            what = f"an image of {image.shape[2]} channels and its labels"
            raise build.error(leaf, f"{leaf.name} cannot be applied to {what}: {readable(error)}") from error
        for what, before, after in zip(("image", "label map"), (image, labels), results[-1], strict=True):
            if not isinstance(after, np.ndarray) or after.shape != before.shape or after.dtype != np.uint8:
                became = f"{after.dtype} {after.shape}" if isinstance(after, np.ndarray) else type(after).__name__
                raise build.error(
                    leaf,
                    f"{leaf.name} turns a trial {what} uint8 {before.shape} into {became}; neither may change",
                )
    return results


def _certain(transform: Transform, where: Where) -> Transform:
    """A transform with probability 1.

    Raises:
        ConfigError: the transform is configured to be applied by chance.
    """
    by_chance = transform.name in ("OneOf", "SomeOf", BACKGROUND_REPLACER)
    if by_chance or transform.arguments.get("p", 1) != 1:
        raise ConfigError(
            f"{where(transform.path)}: {transform.name} is applied by chance, but transforms must always be applied",
            ADVICE,
        )
    children = tuple(_certain(child, where) for child in transform.children)
    return replace(transform, arguments={**transform.arguments, "p": 1.0}, children=children)
