"""The live threshold: the score of every threshold with every minimum area, and the recipes that were found."""

from dataclasses import asdict
from typing import Any

import numpy as np

from toolkit.core.arrays import Floats
from toolkit.core.recipe.postprocess import IDENTITY, describe
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.report.page.blocks import Live, Prose, Section
from toolkit.report.page.encoding import packed
from toolkit.report.page.values import ClassCurve, Curves, PageValues, rule_of

_LEAD = (
    "Where does the mask begin? Move the sliders: the score, the share of empty masks and the images below follow. "
    "The scores are exact for all out-of-fold images; they are optimistic if you choose by them."
)


def threshold(values: PageValues) -> Section | None:
    """The section; nothing before there are out-of-fold predictions."""
    if values.curves is None:
        why = values.missing.get("curves")
        return None if why is None else Section("threshold", "The threshold", [Prose(why)])
    curves = values.curves
    data = {
        "metric": curves.metric,
        "direction": values.direction,
        "images": curves.images,
        "together": curves.together,
        "classes": [_class(one, values, adds_up=curves.together == "sums") for one in curves.classes],
        "recipe": describe(_kept(values), values.classes, values.activation),
        "kept": None if values.kept is None else asdict(values.kept),
    }
    shown = {"curves": curves, "notes": _notes(values, curves), "alone": _alone(values, curves)}
    triplets = ["triplet"] if any(one.triplet is not None for one in curves.classes) else []
    objects = ["object"] if any(one.minimum == "minimum_object_size" for one in curves.classes) else []
    words = ("threshold", *triplets, *objects, "untuned", "tuned", "nested", "out-of-fold (OOF)", curves.metric)
    return Section("threshold", "The threshold", [Live("threshold.html.j2", shown, data, "threshold")], _LEAD, words)


def _kept(values: PageValues) -> Recipe:
    return IDENTITY if values.tuned is None else values.tuned.recipe


def _class(curve: ClassCurve, values: PageValues, *, adds_up: bool) -> dict[str, Any]:
    found = {
        "index": curve.index,
        "name": curve.name,
        "thresholds": packed(curve.thresholds),
        "levels": packed(curve.levels),
        "minimum": curve.minimum,
        "minimums": packed(curve.minimums),
        "scores": packed(curve.scores),
        "totals": packed(curve.totals) if adds_up else None,
        "empty": None if curve.empty is None else packed(curve.empty),
        "counts": curve.counts,
        "marks": _marks(curve, values),
        "kept": describe(Recipe((rule_of(_kept(values), curve.index),))) if _kept(values) != IDENTITY else "untuned",
        "triplet": None,
    }
    if (triplet := curve.triplet) is not None:
        found["triplet"] = {
            "bottoms": packed(triplet.bottoms),
            "areas": packed(triplet.areas),
            "tops": packed(triplet.tops),
            "scores": packed(triplet.scores),
            "totals": packed(triplet.totals) if adds_up else None,
            "empty": packed(triplet.empty),
        }
    return found


def _marks(curve: ClassCurve, values: PageValues) -> list[dict[str, Any]]:
    """The places of the untuned, the tuned and the nested recipes on the surface, and what they are called."""
    rules = [("untuned", ClassRecipe())]
    if values.tuned is not None:
        rules.append(("tuned", rule_of(values.tuned.best, curve.index)))
        rules += [("nested", rule_of(recipe, curve.index)) for recipe in values.tuned.by_fold]
    return [
        {
            "name": name,
            "threshold": _nearest(curve.thresholds, rule.threshold),
            "minimum": _nearest(curve.minimums.astype(np.float64), float(getattr(rule, curve.minimum))),
            "triplet": None if rule.triplet is None else _triplet(curve, rule),
            "text": describe(Recipe((rule,))),
        }
        for name, rule in rules
    ]


def _triplet(curve: ClassCurve, rule: ClassRecipe) -> list[int] | None:
    """The place of a triplet on the grid: bottom threshold, area, top threshold."""
    found, triplet = curve.triplet, rule.triplet
    if found is None or triplet is None:
        return None
    return [
        _nearest(found.bottoms, rule.threshold),
        _nearest(found.areas.astype(np.float64), float(triplet.minimum_area)),
        _nearest(found.tops, triplet.threshold),
    ]


def _nearest(places: Floats, value: float) -> int:
    return int(np.abs(places - value).argmin())


def _alone(values: PageValues, curves: Curves) -> str:
    """Why the sliders do not give the score of all classes; empty where they do."""
    if curves.together != "alone" or len(values.classes) == 1:
        return ""
    if values.activation == "softmax":
        return (
            "The sliders cannot give the score of all classes, because exclusive classes compete for pixels: a pixel "
            "that one class loses goes to another one, which depends on the thresholds of all others. They show one "
            "class alone, as if it could have every pixel above its threshold. “Kept recipe” has the exact score of "
            "all classes."
        )
    return f"The score of all classes by {curves.metric} does not follow from those of single classes."


def _notes(values: PageValues, curves: Curves) -> list[str]:
    """What the sliders do not show."""
    notes = []
    further = _further_steps(values, curves)
    if further:
        notes.append(
            f"The kept recipe has further steps ({further}), which the sliders do not apply. Choose “kept recipe” to "
            "see its exact masks and its exact score."
        )
    if curves.metric != values.metric:
        notes.append(f"{values.metric} is too slow to compute everywhere, so the curves show {curves.metric}.")
    return notes


def _further_steps(values: PageValues, curves: Curves) -> str:
    """The steps of the kept recipe that sliders do not have."""
    found: dict[str, None] = {}
    kept = _kept(values)
    for curve in curves.classes:
        rule = rule_of(kept, curve.index)
        plain = {"threshold", curve.minimum} | ({"triplet"} if curve.triplet is not None else set())
        for name, default in vars(ClassRecipe()).items():
            if name not in plain and getattr(rule, name) != default:
                found[name.replace("_", " ")] = None
    if kept.split is not None:
        found["split"] = None
    if values.activation == "sigmoid" and kept.between is not None:
        found["between classes"] = None
    return ", ".join(found)
