"""The overlay sheet of an experiment: its best and worst out-of-fold images."""

from collections.abc import Mapping
from itertools import islice

from toolkit.commands.scoring.scores import Scores
from toolkit.core.arrays import Floats
from toolkit.core.metrics.confusion import worst_first
from toolkit.core.metrics.metric import case_of
from toolkit.core.recipe.postprocess import Step, describe, masks_of
from toolkit.core.recipe.probabilities import to_probability
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.data.sources import LabelledImages
from toolkit.files.disk.png import write_png
from toolkit.files.experiment.folder import Experiment
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import score_text
from toolkit.report.drawing import as_rgb
from toolkit.report.overlay_sheet import OverlayRow, overlay_sheet

_ROWS = 6


def write_overlays(
    experiment: Experiment,
    store: ProbabilityStore,
    data: LabelledImages,
    scores: Scores,
    recipe: Recipe,
    *,
    plugins: Mapping[str, Step] | None = None,
) -> None:
    """Draw overlays.png: the worst images, and the best images with foreground.

    Ties are broken by the number of wrong pixels. With several classes a row shows one of them: for a bad image the
    class with most wrong pixels, for a good one the class with most true pixels.
    """
    rows = _Rows(store, data, scores, recipe, plugins)
    order = worst_first(rows.values, scores.scored.wrong, scores.scored.metrics[0].direction)
    worst = (rows.of(int(position), "wrong") for position in order[:_ROWS])
    every = (rows.of(int(position), "true") for position in order[::-1])
    # A correctly empty image shows nothing.
    best = islice((row for row in every if row.truth.any()), _ROWS)
    how = describe(recipe, data.classes.names, data.classes.activation)
    title = f"{experiment.name}: out-of-fold {scores.metric} {score_text(scores.all)}, {how}"
    sheet = overlay_sheet(title, [("Worst", worst), ("Best with foreground", best)])
    write_png(experiment.overlays, sheet)


class _Rows:
    """Makes the rows of the sheet."""

    def __init__(
        self,
        store: ProbabilityStore,
        data: LabelledImages,
        scores: Scores,
        recipe: Recipe,
        plugins: Mapping[str, Step] | None,
    ) -> None:
        self._store, self._data, self._scores = store, data, scores
        self._recipe, self._plugins = recipe, plugins
        self.values: Floats = scores.by_metric[scores.metric]

    def of(self, position: int, most: str) -> OverlayRow:
        """The row of one image, which shows the class with most `wrong` or `true` pixels."""
        scores = self._scores
        image_id = scores.ids[position]
        activation = self._data.classes.activation
        stored = self._store.read(image_id)
        masks = masks_of(stored, activation, self._recipe, self._store.presence(image_id), self._plugins)
        case = case_of(masks, self._data.read_labels(image_id), activation)
        pixels = (case.prediction ^ case.truth if most == "wrong" else case.truth).sum(axis=(0, 1))
        if activation == "softmax":
            pixels[0] = -1  # the background
        index = int(pixels.argmax())
        name = f"  {scores.classes[index]}" if len(scores.classes) > 1 else ""
        return OverlayRow(
            caption=f"{image_id}{name}  fold {scores.folds[position]}  {scores.metric} {self.values[position]:.3f}",
            image=as_rgb(self._data.images.read(image_id)),
            truth=case.truth[..., index],
            probability=to_probability(stored[..., index]),
            mask=case.prediction[..., index],
        )
