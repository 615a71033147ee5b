"""What each image adds to a score: sums over any images are scored at once, for a whole grid of recipes."""

from dataclasses import dataclass

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.metrics.area import PixelAccuracy, PooledMetric
from toolkit.core.metrics.metric import Metric, PairMetric


@dataclass(frozen=True)
class Tally:
    """A metric as a function of sums over images.

    Pooled metrics are scored on the sums of their statistics, all others are means: of how much, and of how many.
    """

    metric: Metric

    def contributions(self, statistics: Floats) -> Floats:
        """What images add, (…, k) to `float64 (…, m)`; `statistics` are those that the metric measures."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return np.asarray(statistics, np.float64)
        flat = statistics.reshape(-1, statistics.shape[-1])
        values = self.metric.taken(self.metric.pairs(flat)) if isinstance(self.metric, PairMetric) else flat
        counted = ~np.isnan(values)
        sums = np.where(counted, values, 0).sum(axis=1)
        return np.stack([sums, counted.sum(axis=1)], axis=-1).reshape(*statistics.shape[:-1], 2)

    def score(self, totals: Floats) -> Floats:
        """The metric of sums of contributions, (…, m) to `float64 (…)`; NaN where nothing counts."""
        if isinstance(self.metric, PooledMetric | PixelAccuracy):
            return self.metric.per_image(totals.reshape(-1, totals.shape[-1])).reshape(totals.shape[:-1])
        counts = totals[..., 1]
        return np.where(counts == 0, np.nan, totals[..., 0] / np.maximum(counts, 1))

    def worth(self, totals: Floats) -> Floats:
        """The same, with the sign that makes more the better one, and no score worse than any."""
        scores = self.score(totals)
        return np.where(np.isnan(scores), -np.inf, scores if self.metric.direction == "max" else -scores)
