"""Scores that were recorded when experiments were finished, for metrics and data whose code tk compare does not run."""

import math
from collections.abc import Mapping

import numpy as np

from toolkit.commands.comparing.comparable import Candidate
from toolkit.commands.scoring.scores import Scores
from toolkit.core.arrays import Mask
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import MetricSpec, PluginMetric, build_metric
from toolkit.core.metrics.scorer import ScoredImages
from toolkit.errors import StorageError
from toolkit.files.disk.tables import read_table
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import FoldTable
from toolkit.files.experiment.score_json import known_score

_HOLDOUT = "holdout"


def needs_own_code(base: Candidate) -> bool:
    """Whether scoring anew would run code that the experiment brings along: its metric, or the source of its data."""
    if base.resolved is None:
        return False
    return base.resolved.primary_metric.is_plugin or bool(base.resolved.config["data"].get("source"))


def direction_of(experiment: Experiment, spec: MetricSpec) -> Direction:
    """Whether more or less is better; of the user's metrics, score.json knows it."""
    if not spec.is_plugin:
        return build_metric(spec, 1, "sigmoid").direction
    score = known_score(experiment)
    return "min" if score is not None and spec.label in score.get("minimised", ()) else "max"


def recorded_scores(
    base: Candidate, tables: Mapping[str, tuple[Candidate, FoldTable]], split: Split
) -> dict[str, Scores]:
    """The scores of each image by the baseline's metric, as scores.csv has them, by the name of the candidate.

    Only of metrics that are the mean over the images: of others, scores of single images do not make that of a set.

    Args:
        base: the baseline.
        tables: the candidates with the images that are scored.
        split: out-of-fold images or hold-out.
    """
    if base.resolved is None:
        return {}
    spec = base.resolved.primary_metric
    metric = PluginMetric(spec.label, 1, direction=direction_of(base.experiment, spec), call=_refuse)
    groups = tables[base.name][1].group_numbers
    found = {}
    for name, (candidate, table) in tables.items():
        values = image_scores(candidate.experiment, spec.label, split)
        if values is None or not set(table.ids) <= values.keys():
            continue
        column = np.array([[values[image_id]] for image_id in table.ids])
        scored = ScoredImages((metric,), (column,), np.zeros(len(column), np.int64))
        scores = Scores(table.ids, table.folds, scored, (), groups)
        known = known_score(candidate.experiment)
        over_all = None if known is None else known["all"] if split == "oof" else known.get("holdout", {}).get("all")
        if over_all is not None and math.isclose(scores.all, over_all, rel_tol=1e-9, abs_tol=1e-12):
            found[name] = scores
    return found if base.name in found else {}


def image_scores(experiment: Experiment, label: str, split: Split) -> dict[str, float] | None:
    """The score of each image by a metric, as scores.csv has it; None if it has no such column.

    Raises:
        StorageError: the file is damaged.
    """
    path = experiment.image_scores
    if not path.is_file():
        return None
    table = read_table(path, None, str(path), StorageError)
    if label not in table.columns:
        return None
    place = table.columns.index(label)
    rows = [row for row in table.rows if (row[1] == _HOLDOUT) == (split == "holdout")]
    try:
        return {row[0]: float(row[place]) if row[place] else math.nan for row in rows}
    except ValueError as error:
        raise StorageError(f"{path} is damaged: {error}", "Delete it, and score the experiment again.") from error


def _refuse(prediction: Mask, truth: Mask, valid: Mask) -> float:
    raise RuntimeError("recorded scores are not computed again")
