"""The labelled images and the metric that predictions are scored with, for experiments and ensembles alike."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from toolkit.config.data.classes import scoring_rules, task_classes
from toolkit.core.masks.labels import Classes
from toolkit.core.metrics.metric import Metric
from toolkit.core.metrics.registry import MetricSpec, ScoringRules, build_metrics, searched_by
from toolkit.files.data.finding import find_training_images
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.scored_size import at_scored_size
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, damage_of, data_of

TRUTH_KEYS = ("classes", "activation", "shape", "benchmark_class")
"""Keys of resolved.yaml that a truth is built from, besides the data and the primary metric."""


@dataclass(frozen=True)
class Truth:
    """The labelled images, the primary metric, and what it counts."""

    labelled: LabelledImages
    metric: MetricSpec
    rules: ScoringRules

    @property
    def classes(self) -> Classes:
        """The classes of the labels."""
        return self.labelled.classes

    def only(self, ids: Collection[str]) -> "Truth":
        """The truth of the images with these ids."""
        return replace(self, labelled=only(self.labelled, ids))

    def build_metric(self, plugins: Mapping[str, Any]) -> Metric:
        """The primary metric; `plugins` are the user's metrics by name."""
        classes = self.classes
        metric, *_ = build_metrics(
            [self.metric], classes.count, classes.activation, names=classes.names, plugins=plugins, rules=self.rules
        )
        return metric

    def for_searches(self, plugins: Mapping[str, Any]) -> tuple["Truth", str]:
        """The same with the metric that searches use, and why it is another one: empty if it is not."""
        chosen = searched_by(self.metric)
        if chosen != self.metric:
            return replace(self, metric=chosen), "is too slow to search with"
        if self.metric.is_plugin and self.build_metric(plugins).needs_probabilities:
            return replace(self, metric=MetricSpec("dice")), "compares probabilities, which no recipe changes"
        return self, ""


def only(labelled: LabelledImages, ids: Collection[str]) -> LabelledImages:
    """The labelled images with these ids."""
    chosen = frozenset(ids)
    return replace(labelled, images=labelled.images.only(chosen))


def truth_of(experiment: Experiment, resolved: Resolved) -> Truth:
    """The truth of an experiment or ensemble, from the data that it was fitted with.

    Raises:
        MissingFileError: the data are no longer there.
        DataError: the data no longer fit the configuration.
    """
    config, data = resolved.config, data_of(experiment, resolved)
    with damage_of(experiment):
        classes = task_classes(config["classes"], config["activation"], data)
        rules = scoring_rules(data, classes, config["benchmark_class"])
    labelled = at_scored_size(find_training_images(data, classes, config["shape"][2]), data.competition)
    return Truth(labelled, resolved.primary_metric, rules)
