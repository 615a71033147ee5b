"""What the page shows of an ensemble: its members, how alike they are, and what each adds."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from toolkit.commands.comparing.recorded_scores import image_scores
from toolkit.commands.reporting.measured import Material
from toolkit.commands.scoring.scores import labels_of
from toolkit.config.models import EnsembleConfig
from toolkit.core.arrays import Floats
from toolkit.core.ensembling.means import Blender
from toolkit.core.metrics.scorer import Scorer
from toolkit.core.recipe.probabilities import to_stored
from toolkit.errors import ToolkitError
from toolkit.files.disk.json_files import finite_or_none, read_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.score_json import StoredScore, known_score
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.report.page.values import EnsembleMember, EnsembleValues

_MOST_MEMBERS = 8
_FEWEST_IMAGES = 3


def ensemble_values(experiment: Experiment, score: StoredScore | None, material: Material | None) -> EnsembleValues:
    """The members, from the files of the ensemble and its members; what each adds is computed if there is material."""
    members, config = members_of(experiment)
    label = "" if score is None else score["metric"]
    notes: list[str] = []
    count = len(members)
    without: Sequence[float | None] = [None] * count
    viewed: Sequence[float | None] = [None] * count
    if material is not None and count <= _MOST_MEMBERS:
        others = [[weight * (at != out) for at, weight in enumerate(config.weights)] for out in range(count)]
        alone = [[float(at == one) for at in range(count)] for one in range(count)]
        blends = [*others, *(alone if config.views != "none" else [])]
        try:
            scores = _scores_of(blends, config, members, material)
            without, viewed = scores[:count], scores[count:] or viewed
        except ToolkitError as error:
            notes.append(f"What each member adds is not known: {error.message}")
    elif count > _MOST_MEMBERS:
        notes.append(f"What each member adds is computed for at most {_MOST_MEMBERS} members.")
    found = [
        EnsembleMember(member.name, weight, _score(member, label), left_out, with_views)
        for member, weight, left_out, with_views in zip(members, config.weights, without, viewed, strict=True)
    ]
    return EnsembleValues(
        config.mean,
        config.views,
        config.weighting,
        found,
        None if score is None else score["all"],
        _correlations(members, label),
        _searched(experiment.view_search),
        _searched(experiment.weight_search),
        notes,
    )


def _score(member: Member, label: str) -> float | None:
    """The recorded score of a whole member by the metric of the ensemble."""
    with suppress(ToolkitError):
        known = None if member.is_part else known_score(member.experiment)
        return known["all"] if known is not None and known["metric"] == label else None
    return None


def _correlations(members: Sequence[Member], label: str) -> list[list[float | None]]:
    """Of the scores of images, between all pairs of whole members; nothing if any is not known."""
    columns: list[Mapping[str, float]] = []
    for member in members:
        with suppress(ToolkitError):
            found = None if member.is_part else image_scores(member.experiment, label, "oof")
            if found is not None:
                columns.append(found)
    if len(columns) < len(members) or len(members) < 2:
        return []
    shared = sorted(set(columns[0]).intersection(*columns[1:]))
    rows = np.array([[column[one] for one in shared] for column in columns], np.float64)
    return [[_correlation(one, other) for other in rows] for one in rows]


def _correlation(one: Floats, other: Floats) -> float | None:
    known = ~(np.isnan(one) | np.isnan(other))
    if known.sum() < _FEWEST_IMAGES or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return None
    return float(np.corrcoef(one[known], other[known])[0, 1])


def _scores_of(
    blends: Sequence[Sequence[float]], config: EnsembleConfig, members: Sequence[Member], material: Material
) -> list[float | None]:
    """The untuned score of each of several blends, by the weights of the members; None for one without any weight.

    Raises:
        NotReadyError: the predictions of a member with the views of the ensemble are no longer there.
    """
    stores = [ProbabilityStore(member.predictions("oof", config.views)) for member in members]
    classes, truth = material.classes, material.truth
    blender = Blender(config.mean, classes.activation)
    metric = truth.for_searches({})[0].build_metric({})
    scorers = [Scorer([metric], classes.activation) for _ in blends]
    labelled, known = truth.labelled, [frozenset(store.ids) for store in stores]
    incomplete = {number for number, weights in enumerate(blends) if not any(weights)}
    with material.progress.task("measuring members", len(material.table.ids)) as task:
        for image_id in material.table.ids:
            labels = labels_of(labelled, material.store, image_id)
            objects = labelled.read_objects(image_id) if metric.needs_objects else None
            maps = {at: store.read(image_id) for at, store in enumerate(stores) if image_id in known[at]}
            for number, weights in enumerate(blends):
                if number in incomplete or not any(weights[at] for at in maps):
                    incomplete.add(number)
                    continue
                blend = blender.blend(maps, weights, material.store.stored_type)
                stored = to_stored(blend, material.store.stored_type)
                scorers[number].add(stored, labels, objects, image_id=image_id)
            task.advance()
    return [
        None if number in incomplete else finite_or_none(scorer.scores()[metric.label])
        for number, scorer in enumerate(scorers)
    ]


def _searched(path: Path) -> Mapping[str, Any] | None:
    """The record of a search, if there was one."""
    if not path.is_file():
        return None
    with suppress(ToolkitError):
        return read_json(path, TypeAdapter(dict[str, Any]), "Run tk ensemble again.")
    return None
