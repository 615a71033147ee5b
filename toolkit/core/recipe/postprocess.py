"""Applying a recipe: the only path from probability maps to masks, in validation, tuning and submission."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Mask, Objects, Planes, Presence, Probability
from toolkit.core.masks.labels import Activation
from toolkit.core.masks.objects import components, divided
from toolkit.core.recipe.probabilities import Stored, to_probability
from toolkit.core.recipe.recipe import (
    AFTER_PLUGINS,
    BEFORE_PLUGINS,
    WHOLE_MASK,
    ClassRecipe,
    CleaningStep,
    Emptiness,
    Recipe,
    Triplet,
    Watershed,
)
from toolkit.errors import ConfigError, ToolkitError, not_valid, raised_by

IDENTITY = Recipe()
"""The untuned recipe: probability above 0.5; for exclusive classes, the most probable class."""

Step = Callable[[Mask, Probability], Mask]
"""A step from plugins: takes a mask `bool (height, width)` and its probabilities `float32`, returns another mask."""

_LEVELS = np.arange(256, dtype=np.uint8)


def masks_of(
    stored: Stored,
    activation: Activation,
    recipe: Recipe = IDENTITY,
    presence: Presence | None = None,
    plugins: Mapping[str, Step] | None = None,
) -> Planes:
    """Turn the stored probabilities of an image into one mask for each class.

    Args:
        stored: probabilities, `uint8` 0–255 or `float16` 0–1, (height, width, classes).
        activation: `sigmoid` for independent classes, `softmax` for exclusive ones, whose masks give every pixel
            exactly one class.
        recipe: the recipe to apply.
        presence: output of the presence head, `float32 (classes,)`; None if there is none.
        plugins: steps from plugins by name.

    Returns:
        `bool (height, width, classes)`.

    Raises:
        ValueError: the recipe does not fit these classes, or it needs a presence head or a step that is missing.
        ConfigError: a step does not return a mask.
    """
    count = stored.shape[2]
    check_recipe(recipe, count, activation)
    rules = recipe.classes * count if len(recipe.classes) == 1 else recipe.classes
    present_at: Sequence[float | None] = [None] * count if presence is None else presence.tolist()
    if len(present_at) != count:
        raise ValueError(f"the presence head has {len(present_at)} classes, but the map has {count}")
    planes = [stored[..., number] for number in range(count)]
    exclusive = activation == "softmax"
    present = [not is_empty(*of_class) for of_class in zip(planes, rules, present_at, strict=True)]
    if exclusive:
        present[0] = True  # the background has no rule
    if exclusive and recipe.between is None:
        best = _most_probable(planes, present)
        claims = [best == number for number in range(count)]
    else:
        claims = [above(plane, rule.threshold) for plane, rule in zip(planes, rules, strict=True)]
    nothing = np.zeros(stored.shape[:2], np.bool_)
    for number in range(count):
        wanted = present[number] and not (exclusive and number == 0)
        claims[number] = cleaned(claims[number], planes[number], rules[number], plugins) if wanted else nothing
    claims = _settled(claims, planes, recipe, exclusive=exclusive)
    if exclusive:
        claims[0] = ~np.logical_or.reduce(claims)
    return claims[0][..., None] if count == 1 else np.stack(claims, axis=-1)


def above(stored: Stored, threshold: float) -> Mask:
    """The pixels whose stored probability exceeds a threshold, 0 ≤ threshold < 1."""
    if stored.dtype == np.uint8:
        lowest = np.count_nonzero(to_probability(_LEVELS) <= np.float64(threshold))
        return np.asarray(stored >= np.uint8(lowest), np.bool_)
    return np.asarray(to_probability(stored) > np.float64(threshold), np.bool_)


def is_empty(stored: Stored, rule: ClassRecipe, presence: float | None = None) -> bool:
    """Whether the rule leaves the image without this class; `stored` is (height, width)."""
    if rule.emptiness is not None and not emptiness_score(stored, rule.emptiness, presence) > rule.emptiness.threshold:
        return True
    triplet = rule.triplet
    return triplet is not None and int(above(stored, triplet.threshold).sum()) < triplet.minimum_area


def emptiness_score(stored: Stored, emptiness: Emptiness, presence: float | None = None) -> float:
    """The score that a class occurs in the image, 0–1; see `Emptiness`.

    If the image has fewer pixels than the mean of the top pixels needs, all are averaged.

    Raises:
        ValueError: the rule uses the presence head, but there is none.
    """
    if emptiness.score == "head":
        if presence is None:
            raise ValueError("the recipe uses the presence head, but these predictions have none")
        return float(presence)
    if emptiness.score == "maximum":
        return float(to_probability(stored.max(keepdims=True)).item())
    count = min(emptiness.pixels, stored.size)
    values = stored.flatten()
    values.partition(-count)
    return float(to_probability(values[-count:]).mean(dtype=np.float64))


def cleaned(mask: Mask, stored: Stored, rule: ClassRecipe, plugins: Mapping[str, Step] | None = None) -> Mask:
    """Apply all steps after the threshold to a mask `bool (height, width)` of one class."""
    mask = _with_steps(mask, rule, BEFORE_PLUGINS)
    if rule.steps:
        mask = _stepped(mask, to_probability(stored), rule.steps, {} if plugins is None else plugins)
    return _with_steps(mask, rule, AFTER_PLUGINS)


def _with_steps(mask: Mask, rule: ClassRecipe, steps: Mapping[str, CleaningStep]) -> Mask:
    for name, step in steps.items():
        if value := getattr(rule, name):
            mask = step(mask, value)
    return mask


def objects_of(mask: Mask, recipe: Recipe = IDENTITY) -> Objects:
    """Number the objects of a mask `bool (height, width)` as in a submission, from 1 and without gaps.

    Objects are the connected components (pixels that touch at a corner connect), divided further by `recipe.split`.

    Returns:
        `int32 (height, width)`, 0 outside the mask.
    """
    return components(mask) if recipe.split is None else divided(mask, recipe.split.distance)


def check_recipe(recipe: Recipe, classes: int, activation: Activation) -> None:
    """Check that a recipe fits the classes.

    Raises:
        ValueError: the recipe does not fit.
    """
    if len(recipe.classes) not in (1, classes):
        raise ValueError(f"the recipe has rules for {len(recipe.classes)} classes; expected one for all or {classes}")
    first = 1 if activation == "softmax" else 0
    if recipe.priority and sorted(recipe.priority) != list(range(first, classes)):
        raise ValueError(
            f"priority must list each class from {first} to {classes - 1} once, received {list(recipe.priority)}"
        )
    if activation == "sigmoid":
        return
    if recipe.between == "independent":
        raise ValueError("exclusive classes (softmax) cannot be independent")
    if len(recipe.classes) > 1 and recipe.classes[0] != ClassRecipe():
        raise ValueError(f"the background of exclusive classes takes no rule, received {_rule_text(recipe.classes[0])}")
    thresholds = [rule.threshold for rule in recipe.classes if rule.threshold != ClassRecipe().threshold]
    if recipe.between is None and thresholds:
        raise ValueError(
            "each pixel gets the most probable of exclusive classes (softmax), so thresholds have no effect; for the "
            "most probable class above its threshold, set between: most_probable (or priority); received thresholds "
            f"{', '.join(f'{threshold:.3f}' for threshold in thresholds)}"
        )


def _most_probable(planes: Sequence[Stored], taking_part: Sequence[Mask | bool]) -> npt.NDArray[np.int16]:
    """The most probable class at each pixel, the first among equals; `taking_part` limits classes or their pixels."""
    best = np.zeros(planes[0].shape, np.int16)
    highest = np.full(planes[0].shape, -1, np.int16 if planes[0].dtype == np.uint8 else np.float32)
    for number, (plane, takes_part) in enumerate(zip(planes, taking_part, strict=True)):
        higher = (plane > highest) & takes_part
        np.copyto(best, np.int16(number), where=higher)
        np.copyto(highest, plane, where=higher)
    return best


def _settled(claims: list[Mask], planes: Sequence[Stored], recipe: Recipe, *, exclusive: bool) -> list[Mask]:
    """Give each pixel to one of the classes that claim it, unless they are independent."""
    if recipe.between == "priority":
        settled, free = list(claims), np.ones_like(claims[0])
        for number in recipe.priority:
            settled[number] = claims[number] & free
            free &= ~claims[number]
        return settled
    if recipe.between != "most_probable" and not exclusive:
        return claims
    claimed = np.zeros_like(claims[0])
    for claim in claims:
        if (claimed & claim).any():
            best = _most_probable(planes, claims)
            return [claim & (best == number) for number, claim in enumerate(claims)]
        claimed |= claim
    return claims


def _stepped(mask: Mask, probability: Probability, names: tuple[str, ...], plugins: Mapping[str, Step]) -> Mask:
    """Apply steps from plugins in turn; each gets copies of the arrays, so that it may change them."""
    for name in names:
        if name not in plugins:
            raise ValueError(f"the recipe uses the step {name}, which plugins do not define")
        try:
            found = plugins[name](mask.copy(), probability.copy())
        except ToolkitError:
            raise
        except Exception as error:
            raise ConfigError(f"the step {name} failed: {raised_by(error)}") from error
        if not isinstance(found, np.ndarray) or found.dtype != np.bool_ or found.shape != mask.shape:
            what = f"{found.dtype} {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
            raise ConfigError(f"the step {name} must return a mask, bool {mask.shape}, but returned {what}")
        mask = found
    return mask


def describe(recipe: Recipe, names: Sequence[str] = (), activation: Activation = "sigmoid") -> str:
    """Describe a recipe in a few words; without `names`, classes are numbered."""
    exclusive = activation == "softmax"
    # If the most probable of exclusive classes wins, thresholds do not matter.
    most_probable = exclusive and recipe.between is None
    words = ["most probable class"] if most_probable else []
    if len(recipe.classes) == 1:
        words.append(_rule_text(recipe.classes[0], with_threshold=not most_probable))
    else:
        called = names or [f"class {index}" for index in range(len(recipe.classes))]
        rules = list(zip(called, recipe.classes, strict=True))[1 if exclusive else 0 :]  # the background has no rule
        texts = [(name, _rule_text(rule, with_threshold=not most_probable)) for name, rule in rules]
        words += [f"{name}: {text}" for name, text in texts if text]
    if recipe.between == "priority":
        words.append(f"priority {', '.join(names[index] if names else str(index) for index in recipe.priority)}")
    elif recipe.between is not None:
        words.append(f"between classes {recipe.between}")
    if recipe.split is not None:
        words.append(f"split at distance {recipe.split.distance}")
    return "; ".join(filter(None, words))


def _rule_text(rule: ClassRecipe, *, with_threshold: bool = True) -> str:
    words = [f"threshold {rule.threshold:.3f}"] if with_threshold else []
    if (emptiness := rule.emptiness) is not None:
        scores = {"maximum": "maximum", "mean_of_top": f"mean of top {emptiness.pixels} pixels", "head": "head"}
        words.append(f"{scores[emptiness.score]} above {emptiness.threshold:.3f}")
    if (triplet := rule.triplet) is not None:
        words.append(f"at least {triplet.minimum_area} pixels above {triplet.threshold:.3f}")
    words += _named(rule, *BEFORE_PLUGINS)
    words += [f"step {name}" for name in rule.steps]
    words += _named(rule, *AFTER_PLUGINS)
    return ", ".join(words).replace(f"fill holes {WHOLE_MASK}", "fill all holes")


def _named(rule: ClassRecipe, *names: str) -> list[str]:
    return [f"{name.replace('_', ' ')} {getattr(rule, name)}" for name in names if getattr(rule, name)]


def recipe_to_plain(recipe: Recipe) -> dict[str, Any]:
    """Convert a recipe to the types of JSON, with all values; `recipe_from_plain` reads it back."""
    plain: dict[str, Any] = _plain(asdict(recipe))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def recipe_from_plain(tree: Any) -> Recipe:
    """Read a recipe from maps, lists, numbers and texts; missing keys take their defaults.

    Raises:
        ValueError: a key is unknown, a value is invalid, or a required key is missing.
    """
    entries = _entries(tree, Recipe, "the recipe")
    if "classes" in entries:
        entries["classes"] = tuple(_class_recipe(entry) for entry in _list(entries["classes"], "classes"))
    if "priority" in entries:
        entries["priority"] = tuple(_list(entries["priority"], "priority"))
    if entries.get("split") is not None:
        entries["split"] = _built(Watershed, entries["split"], "split")
    return Recipe(**entries)


def _class_recipe(tree: Any) -> ClassRecipe:
    entries = _entries(tree, ClassRecipe, "the rule of a class")
    if "steps" in entries:
        entries["steps"] = tuple(_list(entries["steps"], "steps"))
    if entries.get("emptiness") is not None:
        entries["emptiness"] = _built(Emptiness, entries["emptiness"], "emptiness")
    if entries.get("triplet") is not None:
        entries["triplet"] = _built(Triplet, entries["triplet"], "triplet")
    return ClassRecipe(**entries)


_Value = TypeVar("_Value", Emptiness, Triplet, Watershed)


def _built(kind: type[_Value], tree: Any, where: str) -> _Value:
    try:
        return kind(**_entries(tree, kind, where))
    except TypeError as error:  # a required key is missing
        raise ValueError(f"{where}: {error}") from error


def _entries(tree: Any, kind: type, where: str) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise ValueError(f"{where} must be a map, received {tree!r}")
    allowed = [entry.name for entry in fields(kind)]
    for key in tree:
        if key not in allowed:
            raise ValueError(f"{where}: {not_valid(str(key), allowed)}")
    return dict(tree)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where} must be a list, received {value!r}")
    return list(value)
