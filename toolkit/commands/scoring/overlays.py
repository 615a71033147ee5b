"""The overlay sheet of an experiment: its best and worst out-of-fold images."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import ceil
from typing import Any

from toolkit.commands.scoring.scores import Scores
from toolkit.core.arrays import Floats
from toolkit.core.masks.labels import IGNORE
from toolkit.core.metrics.confusion import worst_first
from toolkit.core.metrics.metric import case_of
from toolkit.core.recipe.postprocess import Step, describe, masks_of
from toolkit.core.recipe.probabilities import to_probability
from toolkit.core.recipe.recipe import Recipe
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.data.sources import LabelledImages
from toolkit.files.disk.png import write_png
from toolkit.files.experiment.folder import Experiment
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import score_text
from toolkit.report.class_rows import CLASS_COLUMNS, ClassRow, class_rows_legend
from toolkit.report.drawing import as_rgb
from toolkit.report.overlay_sheet import OverlayRow, Row, overlay_sheet
from toolkit.report.preview_sheet import first_shown

_ROWS = 6
_CLASSES_HEIGHT = 180  # of a tile with all classes, in pixels


def write_overlays(
    experiment: Experiment,
    store: ProbabilityStore,
    data: LabelledImages,
    scores: Scores,
    recipe: Recipe,
    *,
    plugins: Mapping[str, Step] | None = None,
    fold: int | None = None,
) -> None:
    """Draw overlays.png: the worst images, and the best images with foreground; of one fold in its folder.

    Ties are broken by the number of wrong pixels. A row shows the image, its truth and its prediction: all classes if
    there are several besides the background, and otherwise the only one, with its probability.
    """
    rows = _Rows(store, data, scores, recipe, plugins)
    order = worst_first(rows.values, scores.scored.wrong, scores.scored.metrics[0].direction)
    worst, best = worst_and_best(order.tolist(), rows.has_foreground)
    groups = [("Worst", map(rows.of, worst)), ("Best with foreground", map(rows.of, best))]
    name = experiment.name if fold is None else f"{experiment.name} · fold {fold}"
    title = f"{name}: out-of-fold {scores.metric} {score_text(scores.all)}"
    how = describe(recipe, data.classes.names, data.classes.activation)
    sheet = overlay_sheet(title, groups, notes=[f"recipe: {how}"], **rows.look())
    write_png(experiment.overlays if fold is None else experiment.overlays_of(fold), sheet)


def worst_and_best(order: Sequence[int], has_foreground: Callable[[int], bool]) -> tuple[list[int], list[int]]:
    """The worst images, and the best ones with foreground, best first: up to six of each, and none in both.

    Of few images, half may be among the best. A correctly empty image shows nothing, so it is not among the best.
    """
    better = reversed(order[min(_ROWS, ceil(len(order) / 2)) :])
    best = list(islice(filter(has_foreground, better), _ROWS))
    return [position for position in order if position not in best][:_ROWS], best


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

    def look(self) -> dict[str, Any]:
        """The columns and the legend of the sheet."""
        if not self._shows_all:
            return {}
        classes = self._data.classes
        legend = class_rows_legend(classes.names, classes.activation)
        return {"columns": CLASS_COLUMNS, "legend": legend, "tile_height": _CLASSES_HEIGHT}

    def has_foreground(self, position: int) -> bool:
        """Whether the truth of an image shows a class besides the background."""
        labels = self._data.read_labels(self._scores.ids[position])
        return bool(((labels != 0) & (labels != IGNORE)).any())

    def of(self, position: int) -> Row:
        """The row of one image."""
        scores = self._scores
        image_id = scores.ids[position]
        activation = self._data.classes.activation
        stored = self._store.read(image_id)
        masks = masks_of(stored, activation, self._recipe, self._store.presence(image_id), self._plugins)
        case = case_of(masks, self._data.read_labels(image_id), activation)
        caption = f"{image_id}  fold {scores.folds[position]}  {scores.metric} {self.values[position]:.3f}"
        image = as_rgb(own_pixels(self._data.images, image_id))
        if self._shows_all:
            return ClassRow(caption, image, case, activation)
        return OverlayRow(
            caption=caption,
            image=image,
            truth=case.truth[..., -1],
            probability=to_probability(stored[..., -1]),
            mask=case.prediction[..., -1],
        )

    @property
    def _shows_all(self) -> bool:
        classes = self._data.classes
        return classes.count - first_shown(classes.activation) > 1
