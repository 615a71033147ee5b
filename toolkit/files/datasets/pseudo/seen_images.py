"""Which images the networks of a fold saw in training: their own, and those of what they learnt from in turn."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.config.models import Config
from toolkit.config.training.networks import has_backbone
from toolkit.config.training.stages import is_weight_file, weights_of
from toolkit.core.arrays import Integers
from toolkit.core.folds.unseen import ImageSet, trained_on
from toolkit.errors import ChangedError, ConfigError, counted, listing
from toolkit.files.data.finding import find_extra_images
from toolkit.files.datasets.dataset import Dataset, find_labelled
from toolkit.files.datasets.pseudo.teacher import TeacherFold
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import read_fold_table
from toolkit.files.experiment.initial_weights import weights_now
from toolkit.files.experiment.resolved import Resolved, config_of, read_resolved
from toolkit.files.inspection.checking import DataIndex, check_training_data
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.messages import Progress


@with_config(STRICT)
class UsedByFold(TypedDict):
    """What a fold learnt from: networks by name, the numbers of images, and what the networks had seen.

    `ids` and `pictures` are what the networks had seen besides the images that the fold itself was trained on.
    """

    teachers: dict[str, list[str]]
    images: dict[str, int]
    ids: list[str]
    pictures: list[str]


@with_config(STRICT)
class LabelsUsed(TypedDict):
    """The content of pseudo.used.json; `pictures` are digests of all pseudo-labelled images."""

    folds: list[UsedByFold]
    pictures: list[str]


_SHAPE = TypeAdapter(LabelsUsed)


def read_labels_used(experiment: Experiment) -> LabelsUsed | None:
    """The pseudo-labels that an experiment was trained with; None if there were none.

    Raises:
        StorageError: the file is damaged.
    """
    path = experiment.pseudo_file("used.json")
    return read_json(path, _SHAPE, f"Run: tk fit {experiment.name} --restart") if path.is_file() else None


def write_labels_used(experiment: Experiment, used: LabelsUsed) -> None:
    """Write the pseudo-labels that an experiment is trained with."""
    write_json(experiment.pseudo_file("used.json"), used)


def pictures_of(facts: Sequence[ImageFacts]) -> list[str]:
    """The digest of the pixels of each image; empty for constant images, which may be different images."""
    return ["" if one.is_constant else one.picture for one in facts]


@dataclass(frozen=True)
class SeenImages:
    """Finds what networks saw, in the terms of the data of a student, whose `config` and `dataset` are given."""

    config: Config
    dataset: Dataset
    progress: Progress
    _started_from: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def by(self, fold: TeacherFold) -> ImageSet:
        """What the networks of a fold saw.

        Weights in files that belong to no experiment are named in a warning: what these saw is not known.

        Raises:
            ChangedError: it is no longer known what they saw.
            ConfigError: what their own teachers saw is known for another number of channels alone.
            ToolkitError: the data of an experiment cannot be read, as in `find_dataset`.
        """
        return self._by(fold.member.experiment, fold.fold, ())

    def _by(self, experiment: Experiment, fold: int, before: Collection[str]) -> ImageSet:
        resolved, table = read_resolved(experiment), read_fold_table(experiment.folds)
        found = trained_on(table.ids, self._pictures(experiment, resolved, table.ids), table.folds, fold)
        found |= self._extra(experiment, resolved)
        config, used = config_of(experiment, resolved), read_labels_used(experiment)
        if used is not None:
            _refuse_other_channels(experiment, config, self.config)
            of_fold = used["folds"][fold]
            found |= ImageSet(frozenset(of_fold["ids"]), frozenset(of_fold["pictures"]) | frozenset(used["pictures"]))
        elif "pseudo_labels" in resolved.digests:
            raise ChangedError(
                f"{experiment.pseudo_file('used.json')} is missing, so that it is not known what the teachers of "
                f"{experiment.name} had seen",
                f"Restore it, or train again: tk fit {experiment.name} --restart",
            )
        if experiment.name not in self._started_from:
            self._started_from[experiment.name] = _weights_from(experiment, resolved, config, self.progress)
        for name in self._started_from[experiment.name]:
            if name not in before:
                found |= self._by(experiment.sibling(name), fold, (*before, experiment.name))
        return found

    def _has_same_data(self, resolved: Resolved) -> bool:
        return all(
            resolved.digests.get(key) == self.dataset.digests.get(key) for key in ("training_data", "extra_data")
        )

    def _pictures(self, experiment: Experiment, resolved: Resolved, ids: Sequence[str]) -> list[str]:
        index = self.dataset.index if self._has_same_data(resolved) else self._index(experiment, resolved)
        known = dict(zip(index.ids, pictures_of(index.facts), strict=True))
        return [known.get(image_id, "") for image_id in ids]

    def _extra(self, experiment: Experiment, resolved: Resolved) -> ImageSet:
        """Extra images; with the same data, they are not images of the folds, which was checked."""
        if self._has_same_data(resolved) or "extra_data" not in resolved.digests:
            return ImageSet()
        config = config_of(experiment, resolved)
        found = find_extra_images(config.data, config.task_classes, self.config.shape[2])
        checked = [
            check_training_data(data, self.progress, "checking extra images", extra=True, cache=experiment.cache)
            for data in found
        ]
        return ImageSet(pictures=frozenset(one for index in checked for one in pictures_of(index.facts)) - {""})

    def _index(self, experiment: Experiment, resolved: Resolved) -> DataIndex:
        config = config_of(experiment, resolved)
        own = config.model_copy(update={"shape": (*config.shape[:2], self.config.shape[2])})
        return check_training_data(
            find_labelled(own), self.progress, f"checking images of {experiment.name}", cache=experiment.cache
        )


def _weights_from(experiment: Experiment, resolved: Resolved, config: Config, progress: Progress) -> list[str]:
    """The experiments whose weights stages started from; warns of files, and refuses what is gone or has changed."""
    given = [stage.initial_weights for stage in config.stages if stage.initial_weights is not None]
    files = [value for value in given if is_weight_file(value)]
    if isinstance(config.encoder_weights, Path) and has_backbone(config.architecture):
        files.append(str(config.encoder_weights))
    for file in dict.fromkeys(files):
        progress.warn(
            f"pseudo: {experiment.name} started from the weights in {file}, which belong to no experiment: whether "
            "they saw images that a fold or the hold-out keeps back cannot be checked"
        )
    names = [weights_of(value).experiment for value in given if not is_weight_file(value)]
    gone = [name for name in names if not _is_known(experiment.sibling(name))]
    if gone:
        raise ChangedError(
            f"{experiment.name} started from weights of {listing(gone)}, whose resolved.yaml or folds.csv is missing, "
            "so that it is not known which images they had seen",
            f"Restore it, or train again without it: tk fit {experiment.name} --restart",
        )
    now = weights_now(experiment, given, folds_count=config.folds_count, num_seeds=config.num_seeds)
    if names and now not in (None, resolved.digests.get("initial_weights")):
        raise ChangedError(
            f"{experiment.name} started from weights of {listing(names)} that have changed since, so that it is not "
            "known which images they had seen",
            f"Train again: tk fit {experiment.name} --restart",
        )
    return names


def _is_known(experiment: Experiment) -> bool:
    return experiment.resolved.is_file() and experiment.folds.is_file()


def _refuse_other_channels(experiment: Experiment, theirs: Config, own: Config) -> None:
    """Refuse pseudo.used.json of images with another number of channels: its digests are of other pixels."""
    if theirs.shape[2] != own.shape[2]:
        raise ConfigError(
            f"{experiment.name} learnt pseudo-labels of images with {counted(theirs.shape[2], 'channel')}, and what "
            f"its teachers had seen is recorded for these; this experiment reads {own.shape[2]}",
            f"Set the last number of shape to {theirs.shape[2]}, or use a teacher without pseudo-labels.",
        )


def beyond_training(
    seen: ImageSet, ids: Sequence[str], pictures: Sequence[str], folds: Integers, fold: int
) -> ImageSet:
    """What teachers saw that a fold itself is not trained on; the arguments are as for `held_back`."""
    own = trained_on(ids, pictures, np.asarray(folds), fold)
    return ImageSet(seen.ids - own.ids, seen.pictures - own.pictures)
