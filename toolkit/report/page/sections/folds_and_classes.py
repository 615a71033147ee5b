"""Folds and classes: scores and their spread, the confusion matrix, scores by object size, and calibration."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.messages import score_text
from toolkit.report.colours import GREY, hex_of, line_colour
from toolkit.report.page.blocks import Block, Chart, HeatTable, Prose, Section, Series, TableBlock
from toolkit.report.page.values import Calibration, PageValues


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
        blocks += [_classes(evaluation), *_confusion(evaluation["confusion"]), *_sizes(evaluation, values.metric)]
    if values.calibration:
        blocks.append(_calibration(values.calibration))
    how = ""
    if evaluation is not None:
        single = len(values.classes) == 1
        text = f"{evaluation['recipe_text']} ({evaluation['recipe_source']})" if single else evaluation["recipe_source"]
        how = f" Recipe: {text}."
    return Section("folds", "Folds and classes", blocks, f"Scores of out-of-fold images.{how}")


def _folds(values: PageValues) -> TableBlock:
    score = values.score
    folds = [] if score is None else score["folds"]
    known = [one for one in folds if one is not None]
    by_class = values.folds_by_class
    names = list(by_class[0]) if by_class else []
    rows = [
        (f"fold {number}", score_text(one), *(score_text(by_class[number].get(name)) for name in names))
        for number, one in enumerate(folds)
    ]
    everything = None if score is None else score["all"]
    of_all = score.get("classes", {}) if score is not None else {}
    spread = statistics.stdev(known) if len(known) > 1 else None
    metric = values.metric
    rows.append(("all images", score_text(everything), *(score_text(of_all.get(n, {}).get(metric)) for n in names)))
    note = "" if spread is None else f"Standard deviation over the folds: {score_text(spread)}."
    if score is not None and score.get("holdout"):
        found = score["holdout"]
        rows.append((f"hold-out, {found['images']} images", score_text(found["all"]), *[""] * len(names)))
    return TableBlock(f"{metric} by fold, untuned", ("", metric, *names), rows, note, frozenset({len(folds)}))


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


def _sizes(evaluation: Mapping[str, Any], metric: str) -> list[Block]:
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
    columns = ("true pixels", "images", metric, "precision", "recall", "left empty")
    return [TableBlock("Images by the size of their foreground", columns, rows)]


def _calibration(found: Sequence[Calibration]) -> Chart:
    """The share of pixels of the class at each probability; on the diagonal, probabilities mean what they say."""
    middles = [(tenth + 0.5) / 10 for tenth in range(10)]
    series = [Series("as it should be", middles, hex_of(GREY), "dashed")]
    for number, one in enumerate(found):
        shares = [int(true) / int(all_) if all_ else None for all_, true in zip(one.pixels, one.true, strict=True)]
        series.append(Series(one.name, shares, hex_of(line_colour(number))))
    note = "Below the dashed line, the network says the class more often than it is true; above it, less often."
    title = "Calibration: how often pixels of a probability belong to the class"
    return Chart(title, "probability", middles, series, note=note, limits=(0, 1))
