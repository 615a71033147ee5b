"""Training: losses, scores and the learning rate of every epoch, the best epochs, and the time they took."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby

from toolkit.files.experiment.history import Epoch
from toolkit.messages import duration_text, score_text
from toolkit.report.colours import hex_of, line_colour
from toolkit.report.page.blocks import Beside, Block, Chart, Folded, Section, Series, TableBlock
from toolkit.report.page.values import PageValues
from toolkit.report.plots.curve_lines import TrainedFold

_BEST = ("fold", "stage", "best epoch", "of", "score", "time", "memory")

_MANY = 12


def training_curves(values: PageValues) -> Section | None:
    """The section; nothing for ensembles, and before an epoch is finished."""
    trained = values.trained
    if not trained:
        return None
    longest = _longest(trained)
    places = list(range(1, sum(longest) + 1))
    stages = _stage_marks(longest)
    labels = list(dict.fromkeys(name for one in trained for stage in one.stages for e in stage for name in e.scores))
    main = [label for label in labels if "[" not in label]
    of_classes = [label for label in labels if "[" in label]

    def chart(title: str, pick: Callable[[Epoch], float | None]) -> Chart:
        return Chart(title, "epoch", places, _series(trained, longest, pick), stages, is_whole=True)

    blocks: list[Block | Beside | Folded] = [
        Beside([*_losses(values, longest), *(chart(label, _score(label)) for label in main[:1])]),
        TableBlock("Best epochs", _BEST if _knows_memory(values) else _BEST[:-1], _best_rows(values)),
    ]
    further = [chart(label, _score(label)) for label in main[1:]]
    further.append(
        Chart(
            "Learning rate", "epoch", places, _series(trained[:1], longest, lambda epoch: epoch.learning_rate),
            stages, is_whole=True, logarithmic=True,
        )
    )  # fmt: skip
    pairs = [Beside(further[start : start + 2]) for start in range(0, len(further), 2)]
    blocks.append(Folded("Further metrics and the learning rate", pairs))
    if of_classes:
        shown = of_classes[: _MANY * 3]
        blocks.append(Folded("Every class", [_class_chart(values, longest, labels=shown, stages=stages)]))
    total = sum(seconds for _, _, seconds in values.seconds)
    epochs = sum(count for _, count, _ in values.seconds)
    lead = f"{epochs} epochs in {duration_text(total)}, all folds and stages together." if epochs else ""
    return Section("training", "Training", blocks, lead, ("fold", "stage", "epoch", *main))


def _losses(values: PageValues, longest: Sequence[int]) -> list[Chart]:
    """The losses; a chart for each run of stages with the same loss, because values of others cannot be compared."""
    of_stages = values.stage_losses or [""] * len(longest)
    first, charts = 0, []
    for loss, run in groupby(of_stages[: len(longest)]):
        last = first + len(list(run))
        trained = [replace(one, stages=one.stages[first:last], best=one.best[first:last]) for one in values.trained]
        start = sum(longest[:first])
        places = [start + place for place in range(1, sum(longest[first:last]) + 1)]
        series = _series(trained, longest[first:last], _validation_loss)
        series += _series(trained, longest[first:last], lambda epoch: epoch.loss, "dotted", ", training batches")
        marks = [mark for mark in _stage_marks(longest) if places and places[0] < mark[0] < places[-1]]
        is_all = last - first == len(longest)
        which = f"stage {first}" if last - first == 1 else f"stages {first} – {last - 1}"
        title = f"Validation loss{'' if is_all else f', {which}'}{f': {loss}' if loss else ''}"
        note = "Dotted: training batches." + ("" if is_all else " Values of different losses cannot be compared.")
        charts.append(Chart(title, "epoch", places, series, marks, note, is_whole=True))
        first = last
    return charts


def _longest(trained: Sequence[TrainedFold]) -> list[int]:
    stages = max(len(one.stages) for one in trained)
    return [max(len(one.stages[number]) for one in trained if number < len(one.stages)) for number in range(stages)]


def _stage_marks(longest: Sequence[int]) -> list[tuple[float, str]]:
    return [(sum(longest[:number]) + 0.5, f"stage {number}") for number in range(1, len(longest))]


def _series(
    trained: Sequence[TrainedFold],
    longest: Sequence[int],
    pick: Callable[[Epoch], float | None],
    style: str = "line",
    suffix: str = "",
) -> list[Series]:
    found = []
    for number, one in enumerate(trained):
        values: list[float | None] = []
        for length, stage in zip(longest, [*one.stages, *[[]] * (len(longest) - len(one.stages))], strict=True):
            picked = [pick(epoch) for epoch in stage]
            values += [*picked, *[None] * (length - len(picked))]
        colour = hex_of(line_colour(one.fold))
        name = one.title if len(trained) == len({each.title for each in trained}) else f"{one.title}, run {number}"
        found.append(Series(f"{name}{suffix}", [_known(value) for value in values], colour, style))  # type: ignore[arg-type]
    return found


def _class_chart(
    values: PageValues, longest: Sequence[int], *, labels: Sequence[str], stages: list[tuple[float, str]]
) -> Chart:
    """The mean over the folds of the score of each class."""
    names = list(dict.fromkeys(label.partition("[")[2].removesuffix("]") for label in labels))
    metric = labels[0].partition("[")[0]
    series = []
    for name in names:
        rows = [one.values for one in _series(values.trained, longest, _score(f"{metric}[{name}]"))]
        series.append(Series(name, [_mean(column) for column in zip(*rows, strict=True)], values.colour_of(name)))
    places = list(range(1, sum(longest) + 1))
    return Chart(f"{metric} of each class, mean of the folds", "epoch", places, series, stages, is_whole=True)


def _knows_memory(values: PageValues) -> bool:
    """Whether any epoch has its memory, which earlier versions did not record."""
    return any(epoch.memory for one in values.trained for stage in one.stages for epoch in stage)


def _best_rows(values: PageValues) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in values.trained:
        for number, (stage, best) in enumerate(zip(one.stages, one.best, strict=True)):
            epoch = next((epoch for epoch in stage if epoch.number == best), stage[-1])
            seconds = sum(each.seconds for each in stage)
            score, most = score_text(_known(epoch.primary)), max(each.memory for each in stage)
            spent = [
                duration_text(seconds),
                *([f"{most / 1000:.1f} GB" if most else "–"] if _knows_memory(values) else []),
            ]
            rows.append((one.title, str(number), str(best + 1), str(len(stage)), score, *spent))
    return rows


def _validation_loss(epoch: Epoch) -> float | None:
    return epoch.validation_loss


def _score(label: str) -> Callable[[Epoch], float | None]:
    return lambda epoch: epoch.scores.get(label)


def _known(value: float | None) -> float | None:
    """The number; None in the place of NaN and infinity, which the page cannot carry."""
    return value if value is not None and abs(value) < float("inf") else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
