"""What an experiment takes of time, from measured speeds, and what of it would fit into a number of hours.

Plain arithmetic: a part of the work is a count times the seconds that were measured for one. All seconds are `float`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

LEAST_DOUBT = 0.1
"""The smallest relative uncertainty of a plan: machines share their cores, warm up and slow down."""

_SHARES = 20
_SIDES = (0.75, 0.5)
_VIEWS = (("flips", 4), ("d4", 8))


@dataclass(frozen=True)
class StageSpeed:
    """Measured seconds of one stage.

    Attributes:
        compiling: of the first training step and the first validation, once for all folds.
        image: of one image of an epoch, with reading and augmentation.
        validated: of one image or tile of a validation, with its scores.
        epoch: of writing weights and checkpoint at the end of an epoch.
        doubt: the relative uncertainty of `image`, as it varied while it was measured.
    """

    compiling: float
    image: float
    validated: float
    epoch: float
    doubt: float = 0.0


@dataclass(frozen=True)
class Speed:
    """Measured seconds of an experiment.

    Attributes:
        start: of checking the data, importing TensorFlow and preparing images, once.
        fold: of building the network for each training.
        stages: of each stage.
        building: of building and compiling the networks that predict, once for each pass over images.
        weights: of loading a file of weights into them, and with OpenVINO of converting and comparing it.
        tile: of predicting one image or tile by one network with one view, with reading.
    """

    start: float
    fold: float
    stages: tuple[StageSpeed, ...]
    building: float
    weights: float
    tile: float

    def scaled(self, area: float) -> "Speed":
        """The same for inputs with this share of the pixels, if the seconds of an image are in proportion to them."""
        stages = tuple(replace(one, image=one.image * area, validated=one.validated * area) for one in self.stages)
        return replace(self, stages=stages, tile=self.tile * area)


@dataclass(frozen=True)
class StageWork:
    """One stage of one training: its epochs, the images of an epoch, the tiles of a validation, and how often it is.

    `images` and `tiles` are means over folds and epochs.
    """

    epochs: int
    images: float
    tiles: float
    validate_every: int = 1

    @property
    def validations(self) -> int:
        """How many epochs are validated."""
        return math.ceil(self.epochs / self.validate_every)


@dataclass(frozen=True)
class Work:
    """What an experiment trains and predicts.

    Attributes:
        folds: the number of folds that are trained, of `all_folds`.
        all_folds: that the images are divided into.
        seeds: trainings of each fold.
        stages: of each training.
        oof_tiles: tiles of all training images that some fold holds out.
        test_tiles: tiles of the images that all folds predict: test images and hold-out.
        views: with which these are predicted besides the plain prediction; 0 for none.
    """

    folds: int
    all_folds: int
    seeds: int
    stages: tuple[StageWork, ...]
    oof_tiles: int
    test_tiles: int
    views: int = 0

    @property
    def trainings(self) -> int:
        """The number of networks that are trained."""
        return self.folds * self.seeds

    @property
    def trained_images(self) -> float:
        """The images that all trainings see."""
        return self.trainings * sum(stage.epochs * stage.images for stage in self.stages)

    def with_epochs(self, share: float) -> "Work":
        """The same with this share of the epochs of each stage, at least one."""
        stages = tuple(replace(one, epochs=max(1, math.floor(one.epochs * share + 1e-9))) for one in self.stages)
        return replace(self, stages=stages)

    def with_folds(self, folds: int) -> "Work":
        """The same with at most so many folds."""
        return replace(self, folds=min(folds, self.folds))


@dataclass(frozen=True)
class Parts:
    """The seconds of the parts of an experiment."""

    start: float
    training: float
    validation: float
    writing: float
    out_of_fold: float
    test: float
    views: float

    @property
    def total(self) -> float:
        """The sum of all parts."""
        return float(sum(getattr(self, part.name) for part in fields(self)))


@dataclass(frozen=True)
class Estimate:
    """Seconds, and the range in which they are expected."""

    seconds: float
    low: float
    high: float

    def __add__(self, other: "Estimate") -> "Estimate":
        """The seconds of one after the other; their errors are taken to go the same way."""
        return Estimate(self.seconds + other.seconds, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Planned:
    """An experiment to plan: its work and speed.

    `recorded` is the time of its earlier epochs, as a multiple of what the measured speed gives; None without any.
    """

    work: Work
    speed: Speed
    recorded: float | None = None


def parts_of(work: Work, speed: Speed) -> Parts:
    """The seconds of each part."""
    pairs = list(zip(work.stages, speed.stages, strict=True))
    share = work.folds / work.all_folds
    oof, test = share * work.oof_tiles * work.seeds, work.trainings * work.test_tiles
    passes = 1 + (work.test_tiles > 0)
    viewed = 0.0
    if work.views:
        loading = passes * (speed.building + work.trainings * speed.weights)
        viewed = loading + work.views * (oof + test) * speed.tile
    return Parts(
        start=speed.start + work.trainings * speed.fold + sum(stage.compiling for _, stage in pairs),
        training=work.trainings * sum(do.epochs * do.images * took.image for do, took in pairs),
        validation=work.trainings * sum(do.validations * do.tiles * took.validated for do, took in pairs),
        writing=work.trainings * sum(do.epochs * took.epoch for do, took in pairs),
        out_of_fold=speed.building + work.trainings * speed.weights + oof * speed.tile,
        test=work.trainings * (speed.weights + work.test_tiles * speed.tile) if work.test_tiles else 0.0,
        views=viewed,
    )


def estimate_of(planned: Planned) -> Estimate:
    """The seconds of an experiment, with a range.

    The range is what the measured speed leaves in doubt. If earlier epochs took another time, it reaches to what the
    whole would take at their speed.
    """
    parts = parts_of(planned.work, planned.speed)
    doubt = max([LEAST_DOUBT, *(stage.doubt for stage in planned.speed.stages)])
    total = parts.total
    low, high = total * (1 - min(doubt, 0.9)), total * (1 + doubt)
    if planned.recorded is not None:
        as_recorded = total + (planned.recorded - 1) * (parts.training + parts.validation + parts.writing)
        low, high = min(low, as_recorded), max(high, as_recorded)
    return Estimate(total, low, high)


@dataclass(frozen=True)
class Variant:
    """A way to train all experiments, and the time of all together.

    Attributes:
        folds: the largest number of folds of an experiment.
        asked: the share of the epochs of each stage that was asked for.
        epochs: the share of all epochs that is trained: those of a stage are whole numbers.
        side: the share of the sides of the inputs; below 1 the time is scaled, not measured.
        views: the name of the set of views of predictions besides the plain ones; `none` for none.
        images: that all trainings see, each counted by the share of its pixels.
        time: of all experiments.
    """

    folds: int
    asked: float
    epochs: float
    side: float
    views: str
    images: float
    time: Estimate

    def fits(self, seconds: float) -> bool:
        """Whether it ends in time even at the upper end of its range."""
        return self.time.high <= seconds


def variants(planned: Sequence[Planned], seconds: float) -> list[Variant]:
    """The experiments as they are configured, then with more views, fewer folds, fewer epochs and smaller inputs.

    For each number of folds whose full training does not fit into the seconds, the largest share of the epochs that
    does is given, if there is one.
    """
    folds = max(one.work.folds for one in planned)
    found = [_variant(planned, folds)]
    found += [_variant(planned, folds, views=name, count=count) for name, count in _VIEWS]
    for number in range(folds, 0, -1):
        full = found[0] if number == folds else _variant(planned, number)
        found += [] if number == folds else [full]
        found += [] if full.fits(seconds) else list(_fewer_epochs(planned, number, seconds))
    return found + [_variant(planned, folds, side=side) for side in _SIDES]


def most(found: Sequence[Variant], seconds: float) -> Variant | None:
    """The variant without further views that trains on the most pixels of those that fit; None if none does."""
    fitting = [one for one in found if one.fits(seconds) and one.views == "none"]
    return max(fitting, key=lambda one: one.images, default=None)


def _fewer_epochs(planned: Sequence[Planned], folds: int, seconds: float) -> Iterator[Variant]:
    for number in range(_SHARES - 1, 0, -1):
        variant = _variant(planned, folds, epochs=number / _SHARES)
        if variant.fits(seconds):
            if variant.epochs < 1:
                yield variant
            return


def _variant(
    planned: Sequence[Planned], folds: int, *, epochs: float = 1.0, side: float = 1.0, views: str = "none",
    count: int = 0,
) -> Variant:  # fmt: skip
    area = side**2
    changed = [
        replace(
            one,
            work=replace(one.work.with_folds(folds).with_epochs(epochs), views=count),
            speed=one.speed.scaled(area),
        )
        for one in planned
    ]
    time = Estimate(0.0, 0.0, 0.0)
    for one in changed:
        time += estimate_of(one)
    images = area * sum(one.work.trained_images for one in changed)
    trained, of = (sum(stage.epochs for one in some for stage in one.work.stages) for some in (changed, planned))
    return Variant(folds, epochs, trained / of, side, views, images, time)
