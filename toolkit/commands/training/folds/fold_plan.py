"""The fold that holds out each image: read from folds.csv or another file, or drawn."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from toolkit.commands.training.folds.divided_neighbours import divided_neighbours
from toolkit.config.data.folds import CLASSES, COVERAGE, GroupPattern, spread
from toolkit.config.loading import plain_config, with_defaults
from toolkit.config.models import Config
from toolkit.config.training.negatives import parse_negatives
from toolkit.core.arrays import Integers
from toolkit.core.folds.assignment import FoldRules, draw_folds
from toolkit.core.folds.strata import (
    Strata,
    by_column,
    by_coverage,
    groups_of_names,
    groups_of_positions,
    together,
    united,
)
from toolkit.core.images.duplicates import equal_groups, near_duplicate_groups
from toolkit.core.sampling.epoch_sampling import select_images
from toolkit.errors import ChangedError, DataError, FoldsError, listing
from toolkit.files.data.neighbours import volumes_of
from toolkit.files.data.user_source import GROUP
from toolkit.files.datasets.dataset import Dataset
from toolkit.files.datasets.training_pool import Pool
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table, read_folds, read_given_folds
from toolkit.files.experiment.resolved import changed_keys, read_resolved
from toolkit.files.inspection.checking import DataIndex
from toolkit.files.inspection.data_findings import warn_of
from toolkit.messages import Progress

FOLD_KEYS = (
    "folds_count",
    "stratified",
    "groups",
    "group_near_duplicates",
    "validationSplit",
    "testSplit",
    "testSplitSeed",
)
"""Keys that determine how folds are drawn, besides the seed."""

_UNEVEN = 1.2
_WHOLE = "The groups are the volumes of data.neighbours; to divide them all the same, set groups. "


def plan_folds(
    experiment: Experiment, config: Config, dataset: Dataset, progress: Progress, *, restart: bool
) -> FoldTable:
    """The folds to train, see `find_folds`; they must be the folds of earlier results.

    Raises:
        FoldsError: folds.csv is missing or was drawn with other keys, or a fold has no images to train on or to
            validate with.
        ChangedError: the keys have changed since folds were trained.
    """
    changes = _changes(experiment, config)
    if changes and experiment.has_training() and not restart:
        raise ChangedError(
            f"{experiment.folder} holds networks that were trained with other folds; changed since:\n"
            + "\n".join(f"  {change}" for change in changes),
            f"Undo the change, make a new experiment (tk new NAME --extends {experiment.name}), or discard the "
            f"results: delete {experiment.folds} and run: tk fit {experiment.name} --restart",
        )
    if changes and experiment.folds.is_file() and config.folds is None:
        raise FoldsError(
            f"{experiment.folds} was drawn with other keys: {'; '.join(changes)}",
            f"To draw new folds, delete {experiment.folds} and run: tk fit {experiment.name} --restart",
        )
    if experiment.has_training() and not restart and not experiment.folds.is_file():
        raise FoldsError(
            f"{experiment.folds} is missing, but folds were trained with it",
            f"Restore it, or train again: tk fit {experiment.name} --restart",
        )
    table = find_folds(experiment, config, dataset, progress)
    if config.folds is not None and experiment.has_training() and not restart:
        _refuse_other_file(experiment, config, table)
    _refuse_untrainable(config, dataset.pool(table.folds))
    if not experiment.folds.is_file():
        _tell(table, progress)
    return table


def find_folds(experiment: Experiment, config: Config, dataset: Dataset, progress: Progress) -> FoldTable:
    """The folds of the file that the configuration names, else those of folds.csv, else newly drawn ones.

    Nothing is written. A warning tells if they separate slices from their neighbours.

    Raises:
        FoldsError: the file does not match the data or splits a group, or there are too few images or groups.
        DataError: an image has no group or stratum.
    """
    table = _found(experiment, config, dataset, progress)
    warn_of(divided_neighbours(dataset.labelled.images, table), progress)
    return table


def _found(experiment: Experiment, config: Config, dataset: Dataset, progress: Progress) -> FoldTable:
    ids = dataset.index.ids
    groups = find_groups(config, dataset, progress)
    if config.folds is not None:
        table = read_given_folds(config.folds, "folds", ids, config.folds_count)
    elif experiment.folds.is_file():
        table = read_fold_table(experiment.folds, ids, config.folds_count)
        _refuse_other_kind(experiment, config, table)
    else:
        return _draw(config, dataset, groups, progress)
    if groups is None:
        return table
    numbers = groups_of_names(groups)
    divided = table.straddling(numbers)
    if divided:
        path = config.folds or experiment.folds
        names = [groups[int(np.flatnonzero(numbers == number)[0])] for number in divided]
        redraw = "leave out the key folds" if config.folds is not None else f"delete {path}"
        raise FoldsError(
            f"{path}: {len(divided)} groups are split over several folds: {listing(names)}",
            f"{_WHOLE if config.groups is None and config.data.neighbours else ''}Fix the file, or to draw new folds, "
            f"{redraw} and run: tk fit {experiment.name} --restart",
        )
    return FoldTable(table.ids, table.folds, groups)


def find_groups(config: Config, dataset: Dataset, progress: Progress) -> tuple[str, ...] | None:
    """The name of each image's group, in the order of the sorted ids; None if there are no groups.

    Groups that share near duplicates are merged, with the name of the first image's group.

    Raises:
        DataError: an image has no group.
    """
    ids = dataset.index.ids
    names, kinds = ids, []
    groups = config.groups
    if groups is None and config.data.metadata is None and GROUP in dataset.labelled.metadata.columns:
        groups = GROUP  # reported by the user's data source
    volumes = volumes_of(dataset.labelled.images) if groups is None else None
    if volumes is not None:
        names = tuple(volumes[image_id] for image_id in ids)
    elif isinstance(groups, GroupPattern):
        names = _names_by_pattern(groups.pattern, ids)
    elif groups is not None:
        names = _names_by_column(dataset, groups)
    if groups is not None or volumes is not None:
        kinds.append(groups_of_names(names))
    if config.group_near_duplicates:
        kinds += _duplicates(dataset.index)
    if not kinds:
        return None
    numbers = united(kinds)
    first = np.unique(numbers, return_index=True)[1]
    return tuple(names[first[number]] for number in numbers)


def find_strata(config: Config, dataset: Dataset, progress: Progress) -> Strata:
    """The strata that are spread evenly over the folds.

    Raises:
        DataError: there is no such column.
    """
    found = []
    for name in spread(config.stratified):
        if name == COVERAGE:
            found.append(by_coverage(dataset.index.coverage))
        elif name == CLASSES:
            first = 1 if config.activation == "softmax" else 0
            found.append(Strata(labels=dataset.index.pixels[:, first:] > 0))
        else:
            values = _column(dataset, "stratified", name)
            if len(set(values)) > len(values) / 2 and by_column(values).number is None:
                progress.warn(
                    f"stratified: {name} has {len(set(values))} values in {len(values)} images, too many to spread"
                )
            found.append(by_column(values))
    return together(found)


def _changes(experiment: Experiment, config: Config) -> list[str]:
    """`key: before → after` for each key of folds that has changed since the last run."""
    if not experiment.resolved.is_file():
        return []
    trees = (with_defaults(read_resolved(experiment).config), plain_config(config, experiment.folder))
    before, after = ({key: tree[key] for key in FOLD_KEYS} for tree in trees)
    return changed_keys(before, after)


def _refuse_other_file(experiment: Experiment, config: Config, table: FoldTable) -> None:
    """Refuse a file named by `folds` that differs from folds.csv, which later commands read."""
    known = read_folds(experiment.folds, table.ids)
    differing = [image_id for image_id, one, other in zip(table.ids, known, table.folds, strict=True) if one != other]
    if differing:
        raise ChangedError(
            f"{config.folds} has changed since folds were trained: it differs from {experiment.folds} in "
            f"{len(differing)} images: {listing(differing)}",
            f"Restore {config.folds}, or train again with it: tk fit {experiment.name} --restart",
        )


def _refuse_other_kind(experiment: Experiment, config: Config, table: FoldTable) -> None:
    """Refuse a folds.csv whose hold-out contradicts `testSplit`."""
    held_out, wanted = len(table.holdout.ids), config.testSplit is not None
    if bool(held_out) != wanted:
        has = f"a hold-out of {held_out} images, but testSplit is not set" if held_out else "no hold-out"
        raise FoldsError(
            f"{experiment.folds} has {has}" + (f", but testSplit is {config.testSplit}" if wanted else ""),
            f"To use it as it is, move it elsewhere and name it: folds: FILE.csv. To draw new folds, delete "
            f"{experiment.folds} and run: tk fit {experiment.name} --restart",
        )


def _draw(config: Config, dataset: Dataset, groups: Sequence[str] | None, progress: Progress) -> FoldTable:
    ids = dataset.index.ids
    numbers = np.arange(len(ids)) if groups is None else united([groups_of_names(groups)])
    rules = FoldRules(
        config.folds_count, config.seed, config.validationSplit, config.testSplit or 0, config.testSplitSeed or 0
    )
    needed = max(2, config.folds_count) + (config.testSplit is not None)
    available = len(np.unique(numbers))
    volumes = config.groups is None and config.data.neighbours is not None
    if available < needed:
        what = "images" if groups is None else "groups"
        hold_out = " and a hold-out" if config.testSplit is not None else ""
        wanted = "a validation fold" if config.folds_count == 1 else f"{config.folds_count} folds"
        raise FoldsError(
            f"folds_count: {wanted}{hold_out} require at least {needed} {what}, but there are {available}",
            f"{_WHOLE if volumes else ''}Use fewer folds{'' if groups is None else ', or other groups'}.",
        )
    try:
        folds = draw_folds(rules, find_strata(config, dataset, progress), numbers)
    except ValueError as error:  # too few groups are left after the hold-out
        raise FoldsError(f"testSplit: {error}", "Use a smaller testSplit, or fewer folds.") from error
    return FoldTable(ids, folds, None if groups is None else tuple(groups))


def _names_by_pattern(pattern: str, ids: Sequence[str]) -> tuple[str, ...]:
    matches = [re.fullmatch(pattern, image_id) for image_id in ids]
    missing = [image_id for image_id, match in zip(ids, matches, strict=True) if match is None]
    if missing:
        raise DataError(
            f"groups: {len(missing)} of {len(ids)} ids do not match the pattern {pattern!r}: {listing(missing)}",
            'The pattern must match every whole id; mark optional parts with (…)?, for example "(.+?)(?:_\\d+)?".',
        )
    return tuple("/".join(part or "" for part in match.groups()) for match in matches if match is not None)


def _names_by_column(dataset: Dataset, column: str) -> tuple[str, ...]:
    ids = dataset.index.ids
    names = tuple(name.strip() for name in _column(dataset, "groups", column))
    missing = [image_id for image_id, name in zip(ids, names, strict=True) if not name]
    if missing:
        raise DataError(
            f"groups: {len(missing)} of {len(ids)} images have no {column}: {listing(missing)}",
            "Give each of them a group; an image of its own group can use its id.",
        )
    return names


def _column(dataset: Dataset, key: str, name: str) -> Sequence[str]:
    """The values of a column of the metadata, in the order of the sorted ids."""
    try:
        return dataset.labelled.metadata.column(name)
    except DataError as error:
        raise DataError(f"{key}: {error.message}", error.advice) from error


def _duplicates(index: DataIndex) -> list[Integers]:
    """Groups of exact duplicates, and groups of near duplicates."""
    constant = np.isin(index.ids, index.constant)
    found = (equal_groups(index.images, constant), near_duplicate_groups(index.thumbnails))
    return [groups_of_positions(len(index.ids), groups) for groups in found]


def _refuse_untrainable(config: Config, pool: Pool) -> None:
    """Refuse folds without foreground to train on, and stages without images to validate with."""
    for fold in range(config.folds_count):
        if not pool.has_foreground[pool.training_positions(fold)].any():
            edges = pool.has_foreground & (pool.folds != fold) & np.array([not one.trains for one in pool.samples])
            if edges.any():
                raise FoldsError(
                    f"fold {fold}: all images with foreground to train on lie at the edge of their volume, and "
                    "data.neighbours.edges: leave_out leaves these out",
                    "Set edges: repeat, or use fewer offsets.",
                )
            raise FoldsError(
                f"fold {fold} holds out all images with foreground, so there are none to train on",
                "Add images with foreground, or use other folds.",
            )
        for number, stage in enumerate(config.stages):
            rule = parse_negatives(stage.validation_negatives)
            if not len(select_images(pool.has_foreground[pool.validation_positions(fold)], rule, config.seed, fold)):
                raise FoldsError(
                    f"fold {fold}, stages.{number}.validation_negatives: {stage.validation_negatives} leaves no image "
                    "for validation",
                    "Use validation_negatives: real, or fewer folds.",
                )


def _tell(table: FoldTable, progress: Progress) -> None:
    """Report the sizes of groups and folds."""
    parts = [table.out_of_fold.folds == fold for fold in range(table.folds_count)]
    sizes = [int(part.sum()) for part in parts]
    if table.groups is None:
        return
    counts = Counter(table.groups)
    largest, images = counts.most_common(1)[0]
    progress.say(
        f"{len(table.ids)} images form {len(counts)} groups; the largest, {largest}, has {images}; "
        f"folds hold out {min(sizes)} to {max(sizes)} images"
    )
    if max(sizes) > _UNEVEN * sum(sizes) / len(sizes):
        progress.warn(f"folds have different sizes, because groups are not split: {', '.join(map(str, sizes))} images")
