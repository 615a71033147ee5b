"""A search over keys: what the best trial is worth, which values scored how, and which keys matter."""

from toolkit.messages import score_text
from toolkit.report.colours import BLUE, ORANGE, VERMILION, Colour, hex_of
from toolkit.report.page.blocks import Bars, Block, Figure, Figures, Parallel, ParallelLine, Prose, Section, TableBlock
from toolkit.report.page.values import PageValues, SearchValues

_MOST_LINES = 300


def searched_keys(values: PageValues) -> Section | None:
    """The section; nothing without a search."""
    found = values.search
    if found is None:
        return None
    blocks: list[Block] = [
        Figures(
            [
                Figure(
                    "nested", score_text(found.nested), "each fold by the trial that the others chose", is_main=True
                ),
                Figure("best trial", score_text(found.optimistic), f"{found.winner}, optimistic: on what chose it"),
                Figure(values.name, score_text(found.itself), "as it is"),
            ]
        )
    ]
    blocks += _lines(found, values.metric, values.direction)
    if found.importance:
        bars = [(key, share, f"{share:.0%}") for key, share in sorted(found.importance, key=lambda one: -one[1])]
        note = "Share of what tells good trials from all (PED-ANOVA). With few trials this is rough."
        blocks.append(Bars("Which keys matter", bars, note))
    blocks.append(_table(found, values.metric))
    blocks += [Prose(note, is_quiet=True) for note in found.notes]
    return Section("search", "The search", blocks, f"{len(found.trials)} trials with other values of keys.")


def _lines(found: SearchValues, metric: str, direction: str) -> list[Block]:
    """One line for each finished trial, from the values of its keys to its score."""
    scored = [
        (one, [place for place in one.places if place is not None], one.score)
        for one in found.trials
        if one.score is not None and one.state == "finished"
    ][:_MOST_LINES]
    scored = [entry for entry in scored if len(entry[1]) == len(found.axes)]
    if len(scored) < 2:
        return []
    scores = [score for _, _, score in scored]
    low, high = min(scores), max(scores)
    span = high - low or 1.0
    lines = []
    for one, places, score in sorted(scored, key=lambda entry: entry[0].name == found.winner):
        height = (score - low) / span
        goodness = height if direction == "max" else 1 - height
        is_best = one.name == found.winner
        colour = hex_of(VERMILION if is_best else _between(ORANGE, BLUE, goodness))
        lines.append(ParallelLine(f"{one.name}: {score_text(score)}", [*places, height], colour, is_best))
    ends = [(0.0, score_text(low)), (1.0, score_text(high))] if high > low else [(0.0, score_text(low))]
    axes = [*((axis.key, axis.ticks) for axis in found.axes), (metric, ends)]
    note = "A line is a finished trial, the thick one the best. The bluer, the better."
    return [Parallel("Values and scores", axes, lines, note)]


def _between(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _table(found: SearchValues, metric: str) -> TableBlock:
    columns = ("trial", "state", metric, *(axis.key for axis in found.axes), "why")
    rows = [(one.name, one.state, score_text(one.score, missing=""), *one.texts, one.note) for one in found.trials]
    marked = frozenset(place for place, one in enumerate(found.trials) if one.name == found.winner)
    return TableBlock("Trials", columns, rows, marked=marked)
