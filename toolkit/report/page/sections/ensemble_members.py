"""An ensemble: its members and weights, how alike their errors are, what each adds, and what views gain."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.messages import score_text
from toolkit.report.page.blocks import Block, HeatTable, Prose, Section, TableBlock
from toolkit.report.page.values import EnsembleValues, PageValues

_MEANT = {"probability": "probabilities", "logit": "logits", "vote": "votes"}


def ensemble_members(values: PageValues) -> Section | None:
    """The section; nothing for an experiment of its own."""
    found = values.ensemble
    if found is None:
        return None
    blocks: list[Block] = [_members(found, values.metric, values.direction)]
    if found.correlations:
        blocks.append(_correlations(found))
    blocks += [*_views(found.view_search), *_weights(found.weight_search)]
    blocks += [Prose(note, is_quiet=True) for note in found.notes]
    lead = f"Weighted mean of {_MEANT.get(found.mean, found.mean)}; weights: {found.weighting}; views: {found.views}."
    return Section("ensemble", "The ensemble", blocks, lead, ("member", "view", "untuned", "nested"))


def _members(found: EnsembleValues, metric: str, direction: str) -> TableBlock:
    sign = 1 if direction == "max" else -1
    has_views = any(one.with_views is not None for one in found.members)
    rows: list[tuple[str, ...]] = []
    for one in found.members:
        adds = None if one.without is None or found.score is None else sign * (found.score - one.without)
        viewed = [score_text(one.with_views)] if has_views else []
        cells = score_text(one.without), score_text(adds, signed=True)
        rows.append((one.name, f"{one.weight:g}", score_text(one.score), *viewed, *cells))
    scores = ["", score_text(found.score)] if has_views else [score_text(found.score)]
    rows.append(("ensemble", "", *scores, "", ""))
    note = "What a member adds is the score of the ensemble less its score without the member, more being better."
    columns = ("member", "weight", metric, *(["with views"] if has_views else []), "ensemble without it", "it adds")
    return TableBlock("Members, untuned", columns, rows, note, frozenset({len(found.members)}))


def _correlations(found: EnsembleValues) -> HeatTable:
    names = [one.name for one in found.members]
    # The lightest shade is no correlation, or the lowest one if that is below 0: no value is outside of the scale.
    lowest = min([0.0, *(value for row in found.correlations for value in row if value is not None)])
    shares = [
        [None if value is None else (value - lowest) / (1 - lowest) for value in row] for row in found.correlations
    ]
    texts = [["–" if value is None else f"{value:.2f}" for value in row] for row in found.correlations]
    note = "Correlation of the scores of single images. The lower, the more the members help each other."
    return HeatTable("How alike the members' errors are", names, names, shares, texts, "", note)


def _views(search: Mapping[str, Any] | None) -> Sequence[Block]:
    if search is None:
        return []
    rows = [(one["view"], score_text(one["score"]), score_text(one["gain"], signed=True)) for one in search["alone"]]
    note = f"Chosen: {search['views']}."
    return [TableBlock("Views: each beside the unchanged image", ("view", search["metric"], "gain"), rows, note)]


def _weights(search: Mapping[str, Any] | None) -> Sequence[Block]:
    if search is None:
        return []
    rows = [
        (name, f"{equal:g}", f"{searched:g}")
        for name, equal, searched in zip(search["members"], search["equal"], search["searched"], strict=True)
    ]
    for title, key in (("optimistic score", "chosen"), ("nested score", "nested")):
        rows.append((title, score_text(search["scores_of_equal"][key]), score_text(search["scores_of_searched"][key])))
    gain = search["gain"]
    taken = "used" if gain["taken"] else "not used: the gain is within noise"
    note = (
        f"Nested gain {score_text(gain['gain'], signed=True)} ± {score_text(gain['standard_error'])}; the searched "
        f"weights are {taken}."
    )
    return [TableBlock("Search for weights", ("", "equal", "searched"), rows, note)]
