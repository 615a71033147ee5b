"""Predicting images into a folder, with a file in each format for each image."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from toolkit.commands.predicting.forecaster import Failure, Forecast, Forecaster
from toolkit.commands.predicting.formats import FORMATS, About, Predicted
from toolkit.commands.predicting.one_file_formats import MAPS, RUNS
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.postprocess import describe, masks_of, recipe_to_plain
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import Inputs
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.experiment.fitted import Fitted, classes_of
from toolkit.files.experiment.members import Member
from toolkit.files.predictions.output_folder import InputRow, PredictionFolder
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress

_SECONDS_BETWEEN_SAVES = 2.0

Missing = Mapping[str, Mapping[str, str]]
"""The files to make for each image, with their keys."""

Elsewhere = Callable[[Missing], None]
"""Makes missing files of a folder, as far as it can."""


class PredictionJob:
    """Predicts images whose files are missing or stale, and writes the files."""

    def __init__(
        self,
        folder: PredictionFolder,
        member: Member,
        fitted: Fitted,
        *,
        rule: Recipe | None,
        formats: Sequence[str],
        progress: Progress,
        ends: float = math.inf,
    ) -> None:
        """Predict with a member and write files of these formats; `ends` is when to stop, by `time.monotonic`."""
        classes = classes_of(fitted)
        words = "" if rule is None else f", {described(rule, classes)}"
        self.about = About(classes, f"{member.name}{words}")
        self.folder, self.member, self.fitted, self.rule = folder, member, fitted, rule
        self.formats = [name for name in formats if name in FORMATS]
        self._progress, self._ends = progress, ends
        self.left = frozenset[str]()
        """Images that were not predicted because the time was over."""
        made_from = fitted.made_from() | {"version": version("segmentation-toolkit")}
        self._made_from = made_from | ({} if rule is None else {"recipe": recipe_to_plain(rule)})
        self._plain, self._masked = (digest(repr(one).encode()) for one in (made_from, self._made_from))
        self._plugins = Plugins.of(member.experiment, progress)
        self.forecaster = Forecaster(fitted, progress, spill=folder.folder)

    def run(self, inputs: Inputs, images: Images, elsewhere: Elsewhere | None = None) -> tuple[list[InputRow], int]:
        """One row for each file, in order, and the number of images that were predicted now.

        What is missing after `elsewhere` was called is predicted here.
        """
        failures, predicted = self.make(inputs, images, elsewhere)
        rows = [InputRow(file, "", None, reason) for file, reason in inputs.unusable.items()]
        for name in sorted(inputs.paths.keys() - self.left):
            failure = failures.get(name, "")
            rows.append(InputRow(inputs.file(name), name, None if failure else images.size(name), failure))
        return rows, predicted

    def make(self, inputs: Inputs, images: Images, elsewhere: Elsewhere | None = None) -> tuple[Mapping[str, str], int]:
        """The images that could not be predicted, with the reasons, and the number of those predicted now."""
        failures: dict[str, str] = {}
        missing = self._missing(inputs, failures)
        self._tell(len(inputs.paths), len(inputs.paths) - len(missing) - len(failures), missing)
        self.folder.announce([path for paths in missing.values() for path in paths], self._made_from)
        left = missing
        if elsewhere is not None and missing:
            elsewhere(missing)
            left = {name: keys for name, keys in missing.items() if not all(map(self.folder.has, keys, keys.values()))}
        failures |= self._predict(images, left)
        return failures, len(missing) - len(failures.keys() & missing.keys()) - len(self.left)

    @property
    def identity(self) -> str:
        """What tells predictions with these networks and this recipe from others."""
        return self._masked

    def files(self, inputs: Inputs, wanted: Sequence[str]) -> tuple[set[str], set[str]]:
        """The files of this run, and all files that runs with the same images may have."""
        extra = {"maps": MAPS, "rle": RUNS}
        paths = {
            kind: [path for name in inputs.paths for path in FORMATS[kind].paths(self.about, name)] for kind in FORMATS
        }
        paths |= {kind: [path] for kind, path in extra.items()}
        made = {path for kind in wanted for path in paths[kind]}
        return made, {path for found in paths.values() for path in found}

    def _missing(self, inputs: Inputs, failures: dict[str, str]) -> dict[str, dict[str, str]]:
        """The files to make for each image, with their keys; images that cannot be opened become failures."""
        missing: dict[str, dict[str, str]] = {}
        for name in sorted(inputs.paths):
            try:
                content = " ".join(map(file_digest, inputs.files(name)))
            except OSError as error:
                failures[name] = f"{inputs.paths[name]} cannot be opened ({error.strerror})"
                continue
            keys = {
                path: digest(f"{self._masked if kind.takes_masks else self._plain} {content} {path}".encode())
                for kind in map(FORMATS.__getitem__, self.formats)
                for path in kind.paths(self.about, name)
            }
            left = {path: key for path, key in keys.items() if not self.folder.has(path, key)}
            if left:
                missing[name] = left
        return missing

    def _tell(self, count: int, kept: int, missing: Mapping[str, Mapping[str, str]]) -> None:
        again = sum(any(map(self.folder.was_made, paths)) for paths in missing.values())
        if again:
            self._progress.say(
                f"{again} images are predicted again: their files were made from other weights, options or pixels"
            )
        if kept:
            self._progress.say(f"{kept} of {count} images are already predicted in {self.folder.folder}")

    def _predict(self, images: Images, missing: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Predict and write; returns the images that could not be predicted, with the reasons."""
        failures: dict[str, str] = {}
        saved, waiting = time.monotonic(), dict.fromkeys(missing)
        try:
            for found in self.forecaster.forecasts(images, list(missing), self.member.name, self._ends):
                del waiting[found.image_id]
                if isinstance(found, Failure):
                    failures[found.image_id] = found.reason
                    self.folder.discard(missing[found.image_id])
                    continue
                self._write(self._predicted(found), missing[found.image_id])
                if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    self.folder.save()
                    saved = time.monotonic()
        finally:
            self.folder.save()
        self.left = frozenset(waiting)
        return failures

    def _predicted(self, found: Forecast) -> Predicted:
        stored = found.stored(self.fitted.stored_type)
        masks = None
        if self.rule is not None:
            masks = masks_of(stored, self.about.classes.activation, self.rule, found.presence, self._plugins)
        return Predicted(found, stored, masks)

    def _write(self, predicted: Predicted, keys: Mapping[str, str]) -> None:
        for kind in map(FORMATS.__getitem__, self.formats):
            paths = kind.paths(self.about, predicted.forecast.image_id)
            if keys.keys() & set(paths):
                for path, write in zip(paths, kind.writers(self.about, predicted), strict=True):
                    with self.folder.replacing(path, keys.get(path, "")) as file:
                        write(file)


def described(rule: Recipe, classes: Classes) -> str:
    """A recipe in words, with the names of the classes."""
    return describe(rule, classes.names, classes.activation)
