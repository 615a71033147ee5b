"""Folds and classes: scores and their spread, the confusion matrix, scores by object size, and calibration."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.messages import score_text
from toolkit.report.colours import GREY, hex_of
from toolkit.report.page.blocks import Block, Chart, HeatTable, Prose, Section, Series, TableBlock
from toolkit.report.page.values import PageValues


def folds_and_classes(values: PageValues) -> Section | None:
    """The section; nothing before there is a score."""
    if values.score is None:
        return None
    blocks: list[Block] = [_folds(values)]
    evaluation = values.evaluation
    if evaluation is None:
        why = values.missing.get("evaluation")
        blocks += [] if why is None else [Prose(why)]
    else:
        blocks += [_classes(evaluation), *_confusion(evaluation["confusion"]), *_sizes(evaluation, values)]
    if values.calibration:
        blocks.append(_calibration(values))
    how = ""
    if evaluation is not None:
        single = len(values.classes) == 1
        text = f"{evaluation['recipe_text']} ({evaluation['recipe_source']})" if single else evaluation["recipe_source"]
        how = f" Recipe: {text}."
    several = [] if evaluation is None else ["precision", "recall", "dice", "iou"]
    words = ("fold", "out-of-fold (OOF)", "untuned", values.metric, *several)
    return Section("folds", "Folds and classes", blocks, f"Scores of out-of-fold images.{how}", words)


def _folds(values: PageValues) -> TableBlock:
    score, metric = values.score, values.metric
    folds = [] if score is None else score["folds"]
    known = [one for one in folds if one is not None]
    by_class = values.folds_by_class
    names = list(by_class[0]) if by_class else []
    tuned = _tuned_scores(values, folds)
    columns = ("", "untuned", "tuned", "nested") if tuned else ("", "untuned")

    def row(title: str, score: float | None, further: Sequence[float | None], of_classes: Mapping[str, Any]) -> None:
        classes = [score_text(of_classes.get(name)) for name in names]
        rows.append((title, score_text(score), *map(score_text, further), *classes))

    rows: list[tuple[str, ...]] = []
    for number, one in enumerate(folds):
        row(f"fold {number}", one, tuned[number] if tuned else (), by_class[number] if by_class else {})
    of_all = score.get("classes", {}) if score is not None else {}
    whole = [values.tuned.tuned, values.tuned.nested] if tuned and values.tuned is not None else []
    everything = None if score is None else score["all"]
    row("all images", everything, whole, {name: found.get(metric) for name, found in of_all.items()})
    notes = (
        []
        if len(known) < 2
        else [f"Standard deviation over the folds, untuned: {score_text(statistics.stdev(known))}."]
    )
    if names:
        notes.append("Classes: untuned.")
    if score is not None and score.get("holdout"):
        found = score["holdout"]
        holdout = None if values.tuned is None else values.tuned.holdout
        further = [score_text(None if holdout is None else holdout.tuned), ""] if tuned else []
        rows.append((f"hold-out, {found['images']} images", score_text(found["all"]), *further, *[""] * len(names)))
    return TableBlock(f"{metric} by fold", (*columns, *names), rows, " ".join(notes), frozenset({len(folds)}))


def _tuned_scores(values: PageValues, folds: Sequence[float | None]) -> list[tuple[float | None, float | None]]:
    """The tuned and the nested score of each fold; nothing where tuned.json does not have those of these folds."""
    tuned = values.tuned
    if tuned is None or tuned.metric != values.metric or len(folds) < 2:
        return []
    if len(tuned.fold_scores) != sum(one is not None for one in folds):
        return []
    found = iter(tuned.fold_scores)
    pairs = [None if one is None else next(found) for one in folds]
    return [(None, None) if pair is None else (pair.tuned, pair.nested) for pair in pairs]


def _classes(evaluation: Mapping[str, Any]) -> TableBlock:
    rows = []
    for name, found in evaluation["classes"].items():
        pooled, each = found["pooled"], found["per_image"]
        rows.append(
            (
                name,
                *(score_text(pooled[key]) for key in ("precision", "recall", "f1", "iou")),
                score_text(each["f1"]),
                f"{found['images']:,}",
                f"{found['found']:,}",
            )
        )
    columns = ("class", "precision", "recall", "Dice", "IoU", "Dice per image", "images with it", "of these found")
    known = [row[4] for row in rows if row[4] != score_text(None)]
    lowest = min(known, default="")
    worst = [number for number, row in enumerate(rows) if row[4] == lowest] if len(known) > 1 else []
    note = f"Lowest IoU: {', '.join(rows[number][0] for number in worst)}." if worst else ""
    return TableBlock("Classes, pixels of all images together", columns, rows, note, frozenset(worst))


def _confusion(table: Mapping[str, Any]) -> list[Block]:
    names = table["names"]
    if len(names) < 2:
        return []
    texts = [["–" if share is None else f"{share:.1%}" for share in row] for row in table["shares"]]
    note = "Each row adds up to 100 %, unless classes share pixels."
    return [HeatTable("Confusion of pixels", names, names, table["shares"], texts, "true ↓ predicted →", note)]


def _sizes(evaluation: Mapping[str, Any], values: PageValues) -> list[Block]:
    rows = [
        (
            "none" if one["high"] == 0 else f"{one['low']:,} – {one['high']:,}",
            f"{one['images']:,}",
            score_text(one["score"]),
            score_text(one["precision"]),
            score_text(one["recall"]),
            f"{one['left_empty']:,}",
        )
        for one in evaluation["sizes"]
    ]
    columns = ("true pixels", "images", values.metric, "precision", "recall", "left empty")
    # Of several exclusive classes the first is often one like the others.
    what = "their foreground" if len(values.foreground) < 2 else "their pixels of all classes"
    if values.activation == "softmax" and len(values.foreground) > 1:
        what += f" but {values.classes[0]}"
    return [TableBlock(f"Images by the size of {what}", columns, rows)]


def _calibration(values: PageValues) -> Chart:
    """The share of pixels of the class at each probability; on the diagonal, probabilities mean what they say."""
    middles = [(tenth + 0.5) / 10 for tenth in range(10)]
    series = [Series("as it should be", middles, hex_of(GREY), "dashed")]
    for one in values.calibration:
        shares = [int(true) / int(all_) if all_ else None for all_, true in zip(one.pixels, one.true, strict=True)]
        series.append(Series(one.name, shares, values.colour_of(one.name)))
    note = "Below the dashed line, the network says the class more often than it is true; above it, less often."
    title = "Calibration: how often pixels of a probability belong to the class"
    return Chart(title, "probability", middles, series, note=note, limits=(0, 1))
