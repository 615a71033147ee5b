"""`tk submit --images`: predict test images that are not those of the configuration, and write their submission.

It needs what `tk predict` needs: no training images and no stored predictions. So it works in a bundle, too.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.commands.predicting.forecaster import Failure, Forecast, Forecaster
from toolkit.commands.session import Session
from toolkit.commands.submitting.masks import EncodedMasks, Maker, chosen_classes, encode_masks
from toolkit.commands.submitting.submit import (
    SubmitOptions,
    check_options,
    maker_of,
    recipe_of,
    source_words,
    tuned_of,
    write_checked,
)
from toolkit.config.data.classes import scoring_rules
from toolkit.config.data.data import DataConfig
from toolkit.core.arrays import Presence
from toolkit.core.recipe.postprocess import describe
from toolkit.core.recipe.probabilities import Stored, StoredType
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import ConfigError, DataError, MissingFileError, OutOfTimeError, counted
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import refuse_other_channels
from toolkit.files.disk.changes import make_folder
from toolkit.files.experiment.fitted import classes_of, find_fitted, first_networks
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.resolved import data_of, read_resolved
from toolkit.files.experiment.trained import tell_untrained
from toolkit.files.submissions.expectations import Expected, TestImages
from toolkit.files.submissions.findings import Finding
from toolkit.files.submissions.layout import SubmissionLayout, default_layout, sample_layout_for
from toolkit.messages import Progress, Silent, Table, duration_text
from toolkit.report.result import Result

_KEYS = ("--sample", "--images")
_NO_PRESENCE: Presence | None = None
_FIRST = 60.0
"""Seconds of prediction after which it is told whether the time will do."""


@dataclass(frozen=True)
class TestFolder:
    """The test images, the sample submission, the file to write, and the time there is.

    `folders` are several if the channels of images are. Without a `sample`, that of the configuration is taken, or else
    rows are sorted by id. `minutes` is the time limit, None for none.
    """

    __test__ = False  # pytest would collect a class with this name

    folders: Sequence[Path]
    out: Path
    sample: Path | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class ImagesSubmission(Result):
    """The submission that `tk submit --images` has written."""

    experiment: str
    path: str
    images: int
    rows: int
    networks: int
    engine: str
    recipe: Recipe
    recipe_text: str
    recipe_source: str
    masks: dict[str, tuple[float, float]]
    findings: list[Finding]
    warnings: list[str]
    seconds: float
    sample: str | None = None
    """The sample submission, if there is one."""

    def tables(self) -> list[Table]:
        """What was written, and how the masks are."""
        rows = [
            ("test images", f"{self.images}"),
            ("rows", f"{self.rows}"),
            ("networks", f"{self.networks}, {self.engine}"),
            ("time", duration_text(self.seconds)),
        ]
        for name, (empty, area) in self.masks.items():
            of = f" of {name}" if len(self.masks) > 1 else ""
            rows += [
                (f"share of empty masks{of}", f"{empty:.1%}"),
                (f"mean area of non-empty masks{of}", f"{area:.1%}"),
            ]
        return [Table(f"{self.path}: {self.recipe_text} ({self.recipe_source})", ("", "submission"), rows)]

    def next_steps(self) -> list[str]:
        """Where the file goes."""
        return [f"next: submit {self.path}"]


def submit_images(session: Session, name: str | None, test: TestFolder, *, options: SubmitOptions) -> ImagesSubmission:
    """Predict the images of a folder with an experiment or ensemble, and write their submission after checking it.

    The masks are those of `tk submit` for the same images: the same networks, recipe, encoding and checks. Nothing else
    is written, and nothing is logged. Images that the sample leaves out are not predicted.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path of an experiment, an ensemble, or a part of an experiment; None for the one finished last.
        test: the images, the file to write, and the time.
        options: the recipe; an upload or another name is refused.

    Raises:
        ConfigError: an option does not fit.
        NotReadyError: there is neither a threshold nor a tuned recipe, or weights are missing.
        DataError: an image cannot be read; nothing is written.
        SubmissionError: images and sample do not fit together, or a check fails; nothing is written.
        OutOfTimeError: the time is used up before all images are predicted; nothing is written.
    """
    started = time.monotonic()
    workspace, progress = session.workspace, session.progress
    _check(test, options)
    workspace.refuse_inside_experiment(test.out)
    member = find_member(workspace, name or str(workspace.find_or_last(name, progress).folder))
    experiment, fitted = member.experiment, find_fitted(member)
    resolved, classes = read_resolved(experiment), classes_of(fitted)
    if not member.is_part:
        tell_untrained(experiment, resolved.config, progress, "prediction")
    tuned = tuned_of(experiment, classes, progress) if options.threshold is None else None
    of_mean = fitted.is_mean_of_folds or not member.is_part
    recipe = recipe_of(None if tuned is None else tuned.for_predictions(of_mean=of_mean), options, classes)
    data = data_of(experiment, resolved)
    rules = scoring_rules(data, classes, resolved.config["benchmark_class"])
    chosen = chosen_classes(experiment.name, classes, rules, data.table_format, progress)
    maker = maker_of(experiment, classes, recipe, chosen, progress)
    networks = first_networks(fitted)
    refuse_other_channels(networks, len(test.folders))
    images = _images(data, test.folders, networks.config.shape[2])
    sample = test.sample or (data.sample_submission if _is_there(data.sample_submission) else None)
    layout = _layout(sample, images, data, progress)
    images = images.only(frozenset(layout.image_ids))
    make_folder(test.out.parent)
    forecaster = Forecaster(fitted, progress, spill=test.out.parent)
    deadline = None if test.minutes is None else _Deadline(started + 60 * test.minutes, progress)
    maps = _PredictedMaps(
        forecaster.forecasts(images, layout.image_ids, member.name), layout.image_ids,
        stored_type=fitted.stored_type, size=networks.config.scored_size, deadline=deadline,
    )  # fmt: skip
    encoded = encode_masks(maps, maker, Silent())
    maps.finish()
    expected = Expected(
        data.table_format, layout if sample else None, sample,
        TestImages(frozenset(images.ids), maps.sizes.get, images.read), encoded.digests,
    )  # fmt: skip
    if test.out.is_file():
        progress.say(f"overwriting {test.out}")
    checked = write_checked(test.out, layout, encoded, expected, progress)
    warnings = [finding.describe() for finding in checked.findings]
    for warning in warnings:
        progress.warn(warning)
    return ImagesSubmission(
        experiment=member.name,
        path=str(test.out),
        images=checked.images,
        rows=checked.rows,
        networks=fitted.count,
        engine=forecaster.engine,
        recipe=recipe,
        recipe_text=describe(recipe, classes.names, classes.activation),
        recipe_source=source_words(tuned, options, of_mean=of_mean),
        masks=_coverages(maker, encoded, classes.names),
        findings=checked.findings,
        warnings=warnings,
        seconds=round(time.monotonic() - started, 1),
        sample=None if sample is None else str(sample),
    )


def _check(test: TestFolder, options: SubmitOptions) -> None:
    if options.upload is not None or options.file_name is not None:
        raise ConfigError(
            "--upload and --name are for the test images of the configuration",
            "With --images, name a file: --out FILE.",
        )
    if test.minutes is not None and not test.minutes > 0:
        raise ConfigError(f"--minutes: expected a number above 0; received {test.minutes:g}")
    if test.out.suffix != ".csv":
        raise ConfigError(f"--out: expected a file that ends in .csv; received {test.out}")
    check_options(options)


def _is_there(path: Path | None) -> bool:
    return path is not None and path.is_file()


def _images(data: DataConfig, folders: Sequence[Path], channels: int) -> Images:
    """The images of the folders, read and named as those of `data.test` are."""
    where = folders[0] if len(folders) == 1 else tuple(folders)
    found = find_test_images(data.model_copy(update={"test": where, "test_source": None}), channels, _KEYS[1])
    if found is None:
        raise MissingFileError("no folder of images is named", "Name the folder of the test images: --images FOLDER")
    return found


def _layout(sample: Path | None, images: Images, data: DataConfig, progress: Progress) -> SubmissionLayout:
    form = data.table_format
    if sample is not None:
        return sample_layout_for(sample, images.ids, progress, form, _KEYS)
    progress.warn(f"without --sample the columns are {' and '.join(form.columns)}, and rows are sorted by id")
    return default_layout(images.ids, form)


def _coverages(maker: Maker, encoded: EncodedMasks, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The share of empty masks and the mean area of the others, by the name of each submitted class."""
    found = zip(maker.chosen.numbers, encoded.coverages, strict=True)
    return {names[number]: (one.empty_share, one.mean_area) for number, one in found}


@dataclass
class _Deadline:
    """Ends the prediction when the time is used up, and says once whether it will do.

    The speed is measured for a minute from the first image on, because networks compile before it. Images come in
    groups that are predicted at once, so a speed is right where the next group begins.
    """

    ends: float
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    first: tuple[int, float] | None = field(default=None, init=False)
    told: bool = field(default=False, init=False)

    def check(self, done: int, total: int) -> None:
        """Raise OutOfTimeError if the time is over and images are left."""
        now = self.clock()
        if done == total:
            return
        if now >= self.ends:
            raise OutOfTimeError(
                f"--minutes: the time is used up: {done} of {counted(total, 'image')} are predicted",
                "Nothing is written. Give more minutes, or predict with one fold (NAME:fold0) or one member.",
            )
        if self.told or not done:
            return
        self.first = self.first or (done, now)
        images, seconds = done - self.first[0], now - self.first[1]
        if seconds < _FIRST:
            return
        self.told, needed = True, seconds / images * (total - done)
        if now + needed > self.ends:
            self.progress.warn(
                f"at this speed the prediction takes another {duration_text(needed)}, but only "
                f"{duration_text(self.ends - now)} are left"
            )


class _PredictedMaps:
    """Maps that are predicted when they are read, in the order of the ids; none is kept. `sizes` grows with them."""

    def __init__(
        self,
        predicted: Iterator[Forecast | Failure],
        ids: tuple[str, ...],
        *,
        stored_type: StoredType,
        size: tuple[int, int] | None,
        deadline: _Deadline | None,
    ) -> None:
        """Read from `predicted`, in the type and size (height, width; None for that of each image) of stores."""
        self.ids, self.sizes = ids, dict[str, tuple[int, int]]()
        self._predicted, self._presence = predicted, _NO_PRESENCE
        self._stored_type, self._size, self._deadline = stored_type, size, deadline

    def read(self, image_id: str) -> Stored:
        """The map of the next image."""
        if self._deadline is not None:
            self._deadline.check(len(self.sizes), len(self.ids))
        found = next(self._predicted)
        if isinstance(found, Failure):
            raise DataError(found.reason, "Nothing was written. Replace the image, or leave it out of the sample.")
        self._presence = found.presence
        stored = found.stored(self._stored_type, self._size)
        self.sizes[image_id] = stored.shape[:2]
        return stored

    def presence(self, _: str) -> Presence | None:
        """That of the image that was read last."""
        return self._presence

    def size(self, image_id: str) -> tuple[int, int]:
        """That of the map, which was read."""
        return self.sizes[image_id]

    def finish(self) -> None:
        """End the progress of the prediction."""
        next(self._predicted, None)
