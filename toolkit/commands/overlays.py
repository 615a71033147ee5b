"""The overlay sheet of an experiment: its best and worst out-of-fold images."""

import cv2
import numpy as np

from toolkit.commands.scoring import Scores
from toolkit.core.blend import to_probability
from toolkit.core.postprocess import Recipe
from toolkit.files.experiment import Experiment
from toolkit.files.sources import LabelledImages
from toolkit.files.store import ProbabilityStore
from toolkit.files.writing import replacing
from toolkit.report.overlays import OverlayRow, overlay_sheet

_ROWS = 6


def write_overlays(
    experiment: Experiment, store: ProbabilityStore, data: LabelledImages, scores: Scores, recipe: Recipe
) -> None:
    """Draw overlays.png: the worst images of all, and the best of those with foreground."""
    values = scores.by_metric[scores.metric]
    largest_first = scores.judgement.metrics[0].direction == "min"
    order = np.argsort(-values if largest_first else values, kind="stable")
    order = order[~np.isnan(values[order])]  # skipped images are neither the best nor the worst
    worst = [_row(store, data, scores, int(position), recipe) for position in order[:_ROWS]]
    best: list[OverlayRow] = []
    for position in order[::-1]:
        row = _row(store, data, scores, int(position), recipe)
        # An empty image that was left empty is right, and nothing to look at.
        if row.truth.any():
            best.append(row)
        if len(best) == _ROWS:
            break
    title = f"{experiment.name}: out-of-fold {scores.metric} {scores.all:.4f}, {recipe.describe()}"
    sheet = overlay_sheet(title, [("Worst", worst), ("Best with foreground", best)])
    encoded = cv2.imencode(".png", sheet[:, :, ::-1])[1]
    with replacing(experiment.overlays) as file:
        file.write(encoded.tobytes())


def _row(store: ProbabilityStore, data: LabelledImages, scores: Scores, position: int, recipe: Recipe) -> OverlayRow:
    image_id = scores.ids[position]
    stored = store.read(image_id)[..., 0]
    score = scores.by_metric[scores.metric][position]
    return OverlayRow(
        caption=f"{image_id}  fold {scores.folds[position]}  {scores.metric} {score:.3f}",
        image=data.images.read(image_id),
        truth=data.read_labels(image_id) == 1,
        probability=to_probability(stored),
        mask=recipe.apply(stored),
    )
