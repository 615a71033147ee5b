"""An exported file is run by its own runtime on images of the experiment and compared with the toolkit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.resizing import scale_map
from toolkit.core.metrics.registry import build_metrics
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.closeness import Closeness
from toolkit.core.recipe.probabilities import to_stored
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import counted
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.datasets.scored_size import at_scored_size
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.fitted import Networks
from toolkit.files.experiment.folds_csv import read_folds
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks, at_size
from toolkit.messages import Progress

if TYPE_CHECKING:
    from toolkit.learning.engines.engine import MeanOverViews
    from toolkit.learning.predicting.exporting.file_maps import ToolkitMaps

_MOST_TILES = 64
"""Images are taken until they have so many tiles in all; an image without tiles counts as one."""


@dataclass(frozen=True)
class ImagesToCompare:
    """Labelled images, of which some are compared; `unseen` says that no network was trained on them."""

    labelled: LabelledImages
    ids: tuple[str, ...]
    unseen: bool


@dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes:
        images: how many images were compared.
        unseen: whether no network in the file was trained on them.
        largest: the largest difference of a probability.
        changed: the share of pixels whose mask changes, 0–1.
        metric: the metric of the scores.
        toolkit_score: the score of the toolkit's predictions; None if the metric skips all of the images.
        file_score: the score of the predictions of the file.
    """

    images: int
    unseen: bool
    largest: float
    changed: float
    metric: str
    toolkit_score: float | None
    file_score: float | None


def images_to_compare(members: Sequence[WeightedNetworks]) -> ImagesToCompare:
    """The labelled images on which an export is compared: those on which none of its networks was trained.

    If there are none, as with all folds of an experiment without a hold-out, they are the training images.

    Raises:
        MissingFileError, DataError, FoldsError: the images of the experiment are not there, or are others.
    """
    labelled = find_labelled(members[0].networks.config)
    held_out = [_held_out(member.networks, labelled.images.ids) for member in members]
    unseen = frozenset[str].intersection(*held_out)
    chosen = tuple(image_id for image_id in labelled.images.ids if image_id in unseen)
    return ImagesToCompare(labelled, chosen or labelled.images.ids, bool(chosen))


def compare_file(
    run: "MeanOverViews",
    members: Sequence[WeightedNetworks],
    found: ImagesToCompare,
    *,
    size: tuple[int, int] | None,
    recipe: Recipe,
    at_most: int = _MOST_TILES,
    progress: Progress,
) -> Compared:
    """Run an opened file on images of the experiment, and compare its maps and its score with the toolkit's.

    Args:
        run: the file, see `Converter.opened`.
        members: the networks in it.
        found: the images.
        size: (height, width) of the input; by default that of prediction.
        recipe: from probabilities to masks.
        at_most: about how many images or tiles to compare.
        progress: shows the work.

    Raises:
        DataError: an image cannot be read.
    """
    from toolkit.learning.predicting.exporting.file_maps import ToolkitMaps, maps_of_file

    first = members[0].networks
    config = first.config if size is None else at_size(first.config, size)
    ours = ToolkitMaps(members, size)
    ids, tiles = _chosen(ours, found, at_most)
    truth = at_scored_size(found.labelled, config.data.competition)
    closeness = Closeness(recipe, config.activation, config.stored_probability)
    scorers = [_scorer(first, recipe), _scorer(first, recipe)]
    images = found.labelled.images
    title = f"{first.experiment.name}: comparing {counted(len(ids), 'image')} with the toolkit"
    with progress.task(title, tiles * (ours.networks + 1)) as task:
        theirs = maps_of_file(run, config, images, ids, experiment=first.experiment, task=task)
        for image_id, own, other in zip(ids, ours.maps(images, ids, task), theirs, strict=True):
            closeness.add(own.probability, other.probability)
            if own.presence is not None and other.presence is not None:
                closeness.add_presence(own.presence, other.presence)
            labels = truth.read_labels(image_id)
            objects = truth.read_objects(image_id) if scorers[0].needs_objects else None
            for scorer, one in zip(scorers, (own, other), strict=True):
                probability = np.nan_to_num(one.probability)
                if config.scored_size is not None:
                    probability = scale_map(probability, config.scored_size)
                stored = to_stored(probability, config.stored_probability)
                scorer.add(stored, labels, objects, one.presence, image_id=image_id)
    scores = [scorer.scores()[scorer.primary.label] for scorer in scorers]
    return Compared(
        len(ids),
        found.unseen,
        closeness.largest,
        closeness.changed,
        scorers[0].primary.label,
        *map(finite_or_none, scores),
    )


def _chosen(ours: "ToolkitMaps", found: ImagesToCompare, at_most: int) -> tuple[list[str], int]:
    """Images that are evenly spread over all, until they have enough tiles; and the number of these tiles."""
    from toolkit.learning.predicting.exporting.file_maps import spread_evenly

    images, chosen, tiles = found.labelled.images, [], 0
    for image_id in spread_evenly(found.ids, at_most):
        if tiles < at_most:
            chosen.append(image_id)
            tiles += ours.count(images, image_id)
    return chosen, tiles


def _scorer(networks: Networks, recipe: Recipe) -> Scorer:
    config, plugins = networks.config, Plugins.of(networks.experiment)
    classes = config.task_classes
    metrics = build_metrics(
        config.metric_specs[:1],
        classes.count,
        classes.activation,
        names=classes.names,
        plugins=plugins,
        rules=config.scoring_rules,
    )
    return Scorer(metrics, classes.activation, recipe, plugins)


def _held_out(networks: Networks, ids: Sequence[str]) -> frozenset[str]:
    """The images on which none of the networks was trained."""
    folds = read_folds(networks.experiment.folds, ids)
    unseen = folds == HOLDOUT
    if len(networks.folds) == 1:
        unseen |= folds == networks.folds[0]
    return frozenset(ids[place] for place in np.flatnonzero(unseen).tolist())
