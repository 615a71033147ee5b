"""Several experiments: paired differences with intervals, which images changed, and the leaderboard."""

from toolkit.messages import interval_text, score_text
from toolkit.report.page.blocks import Block, Interval, Intervals, Prose, Section, TableBlock
from toolkit.report.page.values import ComparisonValues, PageValues


def comparison(values: PageValues) -> Section | None:
    """The section; nothing on the page of a single experiment."""
    found = values.comparison
    if found is None:
        return None
    blocks: list[Block] = [_scores(found), *_differences(found, values.name), *_changed(found, values)]
    if found.keys:
        names = [row.name for row in found.rows]
        blocks.append(TableBlock("Keys that differ", ("key", *names), [(key, *cells) for key, cells in found.keys]))
    blocks += [Prose(text) for text in found.leaderboard]
    blocks += [Prose(note, is_quiet=True) for note in found.notes]
    lead = f"{values.name} is the baseline of all differences."
    words = ("untuned", "tuned", "nested", "out-of-fold (OOF)", *(row.metric for row in found.rows))
    return Section("comparison", "Several experiments", blocks, lead, words)


def _scores(found: ComparisonValues) -> TableBlock:
    has_board = any(row.public is not None or row.private is not None for row in found.rows)
    rows = []
    for row in found.rows:
        mean = score_text(row.mean) if row.spread is None else f"{score_text(row.mean)} ± {score_text(row.spread)}"
        board = [score_text(row.public, missing=""), score_text(row.private, missing="")] if has_board else []
        scores = map(score_text, (row.all, row.tuned, row.nested))
        rows.append((row.name, row.kind, row.metric, mean, *scores, *board))
    board_columns = ["public", "private"] if has_board else []
    columns = ("", "kind", "metric", "mean of folds", "all images", "tuned", "nested", *board_columns)
    return TableBlock("Scores and leaderboard", columns, rows)


def _differences(found: ComparisonValues, name: str) -> list[Block]:
    known = [
        Interval(
            row.name,
            *row.difference,
            text=f"{score_text(row.difference[0], signed=True)} ({interval_text(*row.difference[1:])})",
            verdict=row.verdict,
        )
        for row in found.rows
        if row.difference is not None
    ]
    note = "The bar is the 95 % interval, untuned. If it crosses zero, chance explains the difference."
    return [Intervals(f"Difference from {name}, image by image", known, note)] if known else []


def _changed(found: ComparisonValues, values: PageValues) -> list[Block]:
    if not found.other:
        return []
    text = (
        f"Of {found.better + found.worse + found.equal:,} images, {found.other} scores {found.better:,} better and "
        f"{found.worse:,} worse than {values.name}; {found.equal:,} are equal."
    )
    rows = [
        (
            one.image_id,
            str(one.fold),
            score_text(one.ours),
            score_text(one.theirs),
            score_text(one.theirs - one.ours, signed=True),
        )
        for one in found.changed
    ]
    columns = ("image", "fold", values.name, found.other, "difference")
    return [Prose(text), TableBlock("The images that changed most, untuned", columns, rows)]
