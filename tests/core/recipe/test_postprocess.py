import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from toolkit.core.masks.cleaning_steps import closed, largest_objects, opened, without_holes, without_small_objects
from toolkit.core.masks.objects import components
from toolkit.core.recipe.postprocess import (
    IDENTITY,
    Step,
    check_recipe,
    describe,
    emptiness_score,
    masks_of,
    objects_of,
    recipe_from_plain,
    recipe_to_plain,
)
from toolkit.core.recipe.probabilities import Stored, to_probability, to_stored
from toolkit.core.recipe.recipe import WHOLE_MASK, ClassRecipe, Emptiness, Recipe, Triplet, Watershed
from toolkit.errors import ConfigError

STORED = pytest.mark.parametrize("stored_type", ["uint8", "float16"])


def mask_of(stored: Stored, rule: ClassRecipe | None = None, steps: Mapping[str, Step] | None = None) -> np.ndarray:
    """The mask of a single class."""
    return masks_of(stored[..., None], "sigmoid", Recipe((rule or ClassRecipe(),)), plugins=steps)[..., 0]


def random_map(seed: int, stored_type: Any = "uint8", size: tuple[int, ...] = (17, 24)) -> Stored:
    """Blobs of a few pixels."""
    noise = np.random.default_rng(seed).random((size[0] + 2, size[1] + 2, *size[2:]))
    rows = noise[:-2] + noise[1:-1] + noise[2:]
    smooth = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9
    return to_stored(np.clip(4 * smooth - 1.5, 0, 1).astype(np.float32), stored_type)


def test_pixels_above_the_threshold_are_foreground() -> None:
    stored = np.array([[0, 127, 128], [191, 192, 255]], np.uint8)
    assert mask_of(stored).tolist() == [[False, False, True], [True, True, True]]
    assert mask_of(stored, ClassRecipe(0.75)).tolist() == [[False, False, False], [False, True, True]]
    assert mask_of(stored, ClassRecipe(0)).tolist() == [[False, True, True], [True, True, True]]


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 0.75])
def test_a_pixel_at_the_threshold_is_background(threshold: float) -> None:
    stored = np.array([[threshold, np.nextafter(np.float16(threshold), np.float16(1))]], np.float16)
    assert mask_of(stored, ClassRecipe(threshold)).tolist() == [[False, True]]


def test_levels_are_compared_like_their_probabilities() -> None:
    levels = np.arange(256, dtype=np.uint8)[None]
    probability = to_probability(levels)
    thresholds = [*np.linspace(0, 0.999, 77), *probability[0, :-1].astype(float), *(np.arange(255) / 255)]
    for threshold in map(float, thresholds):
        expected = probability > np.float64(threshold)
        assert np.array_equal(mask_of(levels, ClassRecipe(threshold)), expected), threshold


@pytest.mark.parametrize(("minimum_area", "kept"), [(0, True), (1, True), (5, True), (6, False), (1000, False)])
def test_a_mask_below_the_minimum_area_is_emptied(minimum_area: int, kept: bool) -> None:
    stored = np.zeros((4, 6), np.uint8)
    stored[0, :3] = stored[3, 4:] = 200
    mask = mask_of(stored, ClassRecipe(minimum_area=minimum_area))
    assert np.array_equal(mask, (stored > 0) & kept)


@STORED
def test_a_higher_threshold_or_area_never_adds_pixels(stored_type: str) -> None:
    stored = to_stored(np.random.default_rng(0).random((20, 30), np.float32), stored_type)
    masks = [mask_of(stored, ClassRecipe(threshold)) for threshold in np.linspace(0, 0.99, 40).tolist()]
    for lower, higher in itertools.pairwise(masks):
        assert (higher <= lower).all()
    for area in (0, 100, 300, 600):
        assert (mask_of(stored, ClassRecipe(minimum_area=area)) <= mask_of(stored)).all()
    assert masks[0].sum() > masks[-1].sum()


def test_the_stored_map_is_not_changed() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 6), np.uint8)
    before = stored.copy()
    mask = mask_of(stored, ClassRecipe(0.4, minimum_area=1000))
    assert (mask.shape, mask.dtype) == ((5, 6), np.bool_)
    assert np.array_equal(stored, before)


def test_the_identity_only_applies_a_threshold_of_one_half() -> None:
    assert Recipe((ClassRecipe(threshold=0.5),)) == IDENTITY


# The rule of one class


def slowly(stored: Stored, rule: ClassRecipe, steps: dict[str, Step]) -> np.ndarray:
    """The rule as documented, step by step."""
    probability = to_probability(stored)
    values = np.sort(probability.ravel().astype(np.float64))[::-1]
    if rule.emptiness is not None:
        scores = {"maximum": values[0], "mean_of_top": np.mean(values[: rule.emptiness.pixels])}
        if scores[rule.emptiness.score] <= rule.emptiness.threshold:
            return np.zeros(stored.shape, np.bool_)
    if rule.triplet is not None and (values > rule.triplet.threshold).sum() < rule.triplet.minimum_area:
        return np.zeros(stored.shape, np.bool_)
    mask = probability.astype(np.float64) > rule.threshold
    mask = opened(mask, rule.opening)
    mask = closed(mask, rule.closing)
    mask = without_holes(mask, rule.fill_holes)
    for name in rule.steps:
        mask = steps[name](mask, probability)
    mask = without_small_objects(mask, rule.minimum_object_size)
    mask = largest_objects(mask, rule.keep_largest or mask.size)
    return mask if mask.sum() >= rule.minimum_area else np.zeros(stored.shape, np.bool_)


STEPS: dict[str, Step] = {
    "shifted": lambda mask, probability: np.roll(mask, 1, axis=1),
    "surest": lambda mask, probability: mask & (probability > 0.6),
}


def random_rule(random: np.random.Generator) -> ClassRecipe:
    def perhaps(*values: Any) -> Any:
        return random.choice(values).item() if random.random() < 0.5 else 0

    emptiness = Emptiness(random.choice(["maximum", "mean_of_top"]).item(), random.uniform(0.5, 0.95), 20)
    return ClassRecipe(
        threshold=random.uniform(0.2, 0.7),
        emptiness=emptiness if random.random() < 0.3 else None,
        triplet=Triplet(random.uniform(0.5, 0.9), int(random.integers(0, 60))) if random.random() < 0.3 else None,
        opening=perhaps(1, 2),
        closing=perhaps(1, 2),
        fill_holes=perhaps(1, 5, WHOLE_MASK),
        steps=tuple(random.permutation(list(STEPS)).tolist()) if random.random() < 0.4 else (),
        minimum_object_size=perhaps(2, 8, 30),
        keep_largest=perhaps(1, 3),
        minimum_area=perhaps(20, 100),
    )


@STORED
@pytest.mark.parametrize("size", [(17, 24), (1, 1), (1, 9), (9, 1)])
def test_the_steps_of_a_rule_are_applied_in_order(stored_type: str, size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    filled = 0
    for seed in range(60):
        stored, rule = random_map(seed, stored_type, size), random_rule(random)
        mask = mask_of(stored, rule, steps=STEPS)
        assert (mask.shape, mask.dtype) == (size, np.bool_)
        assert np.array_equal(mask, slowly(stored, rule, STEPS)), rule
        filled += mask.any()
    assert filled > 5 or min(size) == 1


@pytest.mark.parametrize("level", [0, 255])
def test_empty_and_full_masks_stay_so(level: int) -> None:
    rule = ClassRecipe(
        0.5, Emptiness("maximum", 0.5), Triplet(0.9, 5), 1, 1, 9, ("surest",), 5, 1, minimum_area=5
    )  # fmt: skip
    assert (mask_of(np.full((5, 8), level, np.uint8), rule, steps=STEPS) == bool(level)).all()


def drawn(text: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in text.split(" / ")])


def test_holes_are_filled_before_objects_are_counted() -> None:
    ring = drawn("..... / .###. / .#.#. / .###. / .....")
    stored = np.where(ring, 200, 0).astype(np.uint8)
    assert mask_of(stored, ClassRecipe(fill_holes=1, minimum_object_size=9)).sum() == 9
    assert not mask_of(stored, ClassRecipe(minimum_object_size=9)).any()


def test_a_mask_is_opened_before_it_is_closed() -> None:
    stored = np.where(drawn("....... / .#.#.#. / ....... / ......."), 200, 0).astype(np.uint8)
    assert mask_of(stored, ClassRecipe(closing=1)).any()
    assert not mask_of(stored, ClassRecipe(opening=1, closing=1)).any()


def test_the_minimum_area_applies_to_the_cleaned_mask() -> None:
    stored = np.where(drawn("##.## / ##... / ....# / ....#"), 200, 0).astype(np.uint8)
    rule = ClassRecipe(keep_largest=1, minimum_area=4)
    assert np.array_equal(mask_of(stored, rule), drawn("##... / ##... / ..... / ....."))
    assert not mask_of(stored, replace(rule, minimum_area=5)).any()
    assert mask_of(stored, replace(rule, minimum_area=5, keep_largest=0)).sum() == 8


def test_emptiness_is_decided_before_the_threshold() -> None:
    stored = np.array([[120, 130, 250, 0]], np.uint8)
    for triplet, pixels in ((Triplet(0.9, 1), 3), (Triplet(0.9, 2), 0), (Triplet(0.45, 3), 3), (Triplet(0.45, 4), 0)):
        assert mask_of(stored, ClassRecipe(0.2, triplet=triplet)).sum() == pixels


@STORED
def test_emptiness_scores(stored_type: Any) -> None:
    stored = to_stored(np.array([[0.2, 0.8], [0.4, 0.6], [0, 0]], np.float32), stored_type)
    values = np.sort(to_probability(stored).ravel())[::-1]
    assert emptiness_score(stored, Emptiness("maximum", 0)) == values[0]
    for pixels in (1, 2, 5, 6, 7, 1000):
        score = emptiness_score(stored, Emptiness("mean_of_top", 0, pixels))
        assert score == pytest.approx(values[:pixels].mean(dtype=float), abs=1e-12)
    assert emptiness_score(stored, Emptiness("head", 0), 0.25) == 0.25
    for threshold, pixels in ((float(values[0]) - 0.01, 2), (float(values[0]), 0)):
        assert mask_of(stored, ClassRecipe(emptiness=Emptiness("maximum", threshold))).sum() == pixels


def test_the_presence_head_has_a_value_for_each_class() -> None:
    stored = np.full((3, 4, 2), 200, np.uint8)
    recipe = Recipe((ClassRecipe(emptiness=Emptiness("head", 0.5)),))
    masks = masks_of(stored, "sigmoid", recipe, np.array([0.4, 0.6], np.float32))
    assert masks.sum(axis=(0, 1)).tolist() == [0, 12]
    with pytest.raises(ValueError, match="uses the presence head, but these predictions have none"):
        masks_of(stored, "sigmoid", recipe)
    with pytest.raises(ValueError, match="presence head has 3 classes, but the map has 2"):
        masks_of(stored, "sigmoid", recipe, np.zeros(3, np.float32))


# The user's own steps


def test_steps_from_plugins_may_change_their_arguments() -> None:
    def spoilt(mask: np.ndarray, probability: np.ndarray) -> np.ndarray:
        probability[:] = 0
        mask[:] = False
        return mask

    stored = random_map(3)
    before = stored.copy()
    rule = ClassRecipe(steps=("spoilt", "checked"))

    def checked(mask: np.ndarray, probability: np.ndarray) -> np.ndarray:
        assert np.array_equal(probability, to_probability(before))
        assert probability.dtype == np.float32
        return ~mask

    assert mask_of(stored, rule, steps={"spoilt": spoilt, "checked": checked}).all()
    assert np.array_equal(stored, before)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "NoneType"),
        (np.zeros((3, 4)), r"float64 \(3, 4\)"),
        (np.zeros((4, 3), np.bool_), r"bool \(4, 3\)"),
        ([[True]], "list"),
    ],
)
def test_steps_that_do_not_return_a_mask_are_rejected(returned: Any, words: str) -> None:
    rule = ClassRecipe(steps=("odd",))
    with pytest.raises(ConfigError, match=rf"the step odd must return a mask, bool \(3, 4\), but returned {words}"):
        mask_of(np.zeros((3, 4), np.uint8), rule, steps={"odd": lambda mask, probability: returned})


def test_steps_that_fail_are_reported_with_their_line() -> None:
    rule = ClassRecipe(steps=("odd",))
    with pytest.raises(ConfigError, match=r"the step odd failed: .*test_postprocess\.py:\d+: ZeroDivisionError"):
        mask_of(np.zeros((3, 4), np.uint8), rule, steps={"odd": lambda mask, probability: 1 / 0})


def test_missing_steps_are_rejected() -> None:
    with pytest.raises(ValueError, match="uses the step odd, which plugins do not define"):
        mask_of(np.zeros((3, 4), np.uint8), ClassRecipe(steps=("odd",)))


# Independent classes


def test_independent_classes_follow_their_own_rules() -> None:
    stored = random_map(0, size=(12, 15, 3))
    one = ClassRecipe(0.3, minimum_area=20)
    for classes in ((one,), (one, ClassRecipe(), ClassRecipe(0.6, keep_largest=1))):
        rules = classes * 3 if len(classes) == 1 else classes
        for between in (None, "independent"):
            masks = masks_of(stored, "sigmoid", Recipe(classes, between=between))
            assert masks.shape == (12, 15, 3)
            for index, rule in enumerate(rules):
                assert np.array_equal(masks[..., index], mask_of(stored[..., index], rule))


@STORED
def test_the_most_probable_class_gets_a_pixel_claimed_by_several(stored_type: str) -> None:
    stored = random_map(1, stored_type, (12, 15, 3))
    rules = (ClassRecipe(0.3), ClassRecipe(0.2, minimum_object_size=4), ClassRecipe(0.4))
    claims = masks_of(stored, "sigmoid", Recipe(rules))
    masks = masks_of(stored, "sigmoid", Recipe(rules, between="most_probable"))
    assert (claims.sum(axis=-1) > 1).any()
    for position in np.ndindex(12, 15):
        claiming = [index for index in range(3) if claims[position][index]]
        winner = max(claiming, key=lambda index: stored[position][index], default=None)
        assert np.flatnonzero(masks[position]).tolist() == ([] if winner is None else [winner])


def test_the_class_with_the_highest_priority_gets_a_pixel_claimed_by_several() -> None:
    stored = random_map(2, size=(12, 15, 3))
    claims = masks_of(stored, "sigmoid")
    masks = masks_of(stored, "sigmoid", Recipe(between="priority", priority=(2, 0, 1)))
    assert np.array_equal(masks[..., 2], claims[..., 2])
    assert np.array_equal(masks[..., 0], claims[..., 0] & ~claims[..., 2])
    assert np.array_equal(masks[..., 1], claims[..., 1] & ~claims[..., 2] & ~claims[..., 0])


# Exclusive classes


@STORED
def test_exclusive_classes_take_the_most_probable_class(stored_type: str) -> None:
    probability = np.random.default_rng(1).dirichlet(np.ones(4), (5, 6)).astype(np.float32)
    masks = masks_of(to_stored(probability, stored_type), "softmax")
    assert (masks.sum(axis=-1) == 1).all()
    clear = np.ptp(np.sort(probability, axis=-1)[..., -2:], axis=-1) > 1 / 255
    assert clear.mean() > 0.8
    assert np.array_equal(masks.argmax(axis=-1)[clear], probability.argmax(axis=-1)[clear])


def test_the_first_of_equally_probable_classes_wins() -> None:
    stored = np.array([[[90, 90, 75], [50, 100, 100], [0, 0, 0]]], np.uint8)
    assert masks_of(stored, "softmax").argmax(axis=-1).tolist() == [[0, 1, 0]]


def exclusive_map(seed: int, stored_type: Any = "uint8", size: tuple[int, int] = (14, 11)) -> Stored:
    logits = 6 * to_probability(random_map(seed, "float16", (*size, 4)))
    probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    return to_stored(probability.astype(np.float32), stored_type)


def exclusive_recipes() -> list[Recipe]:
    rule = ClassRecipe(0.3, emptiness=Emptiness("maximum", 0.6), closing=1, minimum_object_size=5)
    unsplit = replace(rule, threshold=0.5)
    several = (ClassRecipe(), rule, replace(rule, threshold=0.2), ClassRecipe(0.4, minimum_area=200))
    order = {"between": "priority", "priority": (3, 1, 2)}
    return [
        IDENTITY,
        Recipe((unsplit,)),
        Recipe((ClassRecipe(), unsplit, ClassRecipe(minimum_area=1000), ClassRecipe(fill_holes=9))),
        *(Recipe(classes, between="most_probable") for classes in ((rule,), several)),
        *(Recipe(classes, **order) for classes in ((rule,), several)),  # type: ignore[arg-type]
    ]


@STORED
@pytest.mark.parametrize("size", [(14, 11), (1, 1)])
def test_every_pixel_has_exactly_one_exclusive_class(stored_type: str, size: tuple[int, int]) -> None:
    for seed, recipe in itertools.product(range(3), exclusive_recipes()):
        masks = masks_of(exclusive_map(seed, stored_type, size), "softmax", recipe)
        assert masks.dtype == np.bool_
        assert (masks.sum(axis=-1) == 1).all()


def test_pixels_of_an_absent_class_go_to_the_next_most_probable() -> None:
    stored = np.array([[[60, 100, 90, 0], [100, 90, 60, 0], [20, 200, 30, 0]]], np.uint8)
    absent = Recipe((ClassRecipe(), ClassRecipe(emptiness=Emptiness("maximum", 0.9)), ClassRecipe(), ClassRecipe()))
    assert masks_of(stored, "softmax").argmax(axis=-1).tolist() == [[1, 0, 1]]
    assert masks_of(stored, "softmax", absent).argmax(axis=-1).tolist() == [[2, 0, 2]]


def test_pixels_removed_by_later_steps_become_background() -> None:
    stored = np.array([[[60, 100, 90, 0], [100, 90, 60, 0], [20, 200, 30, 0]]], np.uint8)
    small = Recipe((ClassRecipe(minimum_object_size=2),))
    assert masks_of(stored, "softmax", small).argmax(axis=-1).tolist() == [[0, 0, 0]]


def test_with_thresholds_the_most_probable_class_above_its_threshold_wins() -> None:
    stored = np.array([[[150, 60, 40, 5], [60, 90, 100, 5], [100, 70, 80, 5], [254, 1, 0, 0]]], np.uint8)
    rules = (ClassRecipe(), ClassRecipe(0.2), ClassRecipe(0.35), ClassRecipe(0.9))
    masks = masks_of(stored, "softmax", Recipe(rules, between="most_probable"))
    assert masks.argmax(axis=-1).tolist() == [[1, 2, 1, 0]]
    masks = masks_of(stored, "softmax", Recipe(rules, between="priority", priority=(1, 2, 3)))
    assert masks.argmax(axis=-1).tolist() == [[1, 1, 1, 0]]


def test_two_exclusive_classes_with_a_threshold_equal_one_independent_class() -> None:
    foreground = random_map(5)
    stored = np.stack([255 - foreground, foreground], axis=-1)
    rule = ClassRecipe(0.35, minimum_object_size=4)
    masks = masks_of(stored, "softmax", Recipe((rule,), between="most_probable"))
    assert np.array_equal(masks[..., 1], mask_of(foreground, rule))
    assert np.array_equal(masks[..., 0], ~masks[..., 1])


@pytest.mark.parametrize(
    ("recipe", "activation", "words"),
    [
        (Recipe((ClassRecipe(0.4),)), "softmax", r"set between: most_probable .* received thresholds 0\.400"),
        (Recipe((ClassRecipe(), ClassRecipe())), "softmax", "rules for 2 classes; expected one for all or 3"),
        (Recipe((ClassRecipe(),) * 4), "sigmoid", "rules for 4 classes; expected one for all or 3"),
        (Recipe(between="independent"), "softmax", "cannot be independent"),
        (Recipe((ClassRecipe(minimum_area=3), ClassRecipe(), ClassRecipe())), "softmax", "background of exclusive"),
        (Recipe(between="priority", priority=(0, 1)), "sigmoid", r"each class from 0 to 2 once, received \[0, 1\]"),
        (Recipe(between="priority", priority=(0, 1, 1)), "sigmoid", r"received \[0, 1, 1\]"),
        (Recipe(between="priority", priority=(0, 1, 3)), "sigmoid", r"received \[0, 1, 3\]"),
        (Recipe(between="priority", priority=(0, 1, 2)), "softmax", r"each class from 1 to 2 once, received"),
    ],
)
def test_recipes_that_do_not_fit_are_rejected(recipe: Recipe, activation: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_recipe(recipe, 3, activation)
    with pytest.raises(ValueError, match=words):
        masks_of(np.zeros((2, 2, 3), np.uint8), activation, recipe)


# Objects


def test_objects_are_components_unless_they_are_split() -> None:
    mask = np.zeros((20, 40), np.bool_)
    mask[2:18, 2:18] = mask[4:16, 20:38] = mask[9:11, 18:20] = True
    assert np.array_equal(objects_of(mask), components(mask))
    objects = objects_of(mask, Recipe(split=Watershed(4)))
    assert objects.max() == 2
    assert np.array_equal(objects > 0, mask)


# In words and as plain values

WHOLE = Recipe(
    (
        ClassRecipe(1 / 3, Emptiness("mean_of_top", 0.25, 300), Triplet(0.75, 90), 1, 2, 30, ("surest",), 4, 5, 6),
        ClassRecipe(0.4375, minimum_area=12),
    ),
    "priority",
    (1, 0),
    Watershed(7),
)


def test_description_of_a_recipe() -> None:
    assert describe(Recipe((ClassRecipe(0.25),))) == "threshold 0.250"
    assert describe(Recipe((ClassRecipe(0.4375, minimum_area=12),))) == "threshold 0.438, minimum area 12"
    assert describe(WHOLE, ("fish", "sugar")) == (
        "fish: threshold 0.333, mean of top 300 pixels above 0.250, at least 90 pixels above 0.750, opening 1, "
        "closing 2, fill holes 30, step surest, minimum object size 4, keep largest 5, minimum area 6; "
        "sugar: threshold 0.438, minimum area 12; priority sugar, fish; split at distance 7"
    )
    assert describe(Recipe((ClassRecipe(fill_holes=WHOLE_MASK),))) == "threshold 0.500, fill all holes"
    assert describe(replace(WHOLE, split=None)).endswith("class 1: threshold 0.438, minimum area 12; priority 1, 0")


def test_no_threshold_is_described_if_the_most_probable_class_wins() -> None:
    assert describe(IDENTITY, activation="softmax") == "most probable class"
    assert (
        describe(Recipe((ClassRecipe(minimum_area=3),)), activation="softmax") == "most probable class; minimum area 3"
    )
    rules = Recipe((ClassRecipe(), ClassRecipe(), ClassRecipe(minimum_area=3)))
    names = ("background", "cat", "dog")
    assert describe(rules, names, "softmax") == "most probable class; dog: minimum area 3"
    assert describe(replace(rules, between="most_probable"), names, "softmax") == (
        "cat: threshold 0.500; dog: threshold 0.500, minimum area 3; between classes most_probable"
    )


@pytest.mark.parametrize("recipe", [IDENTITY, WHOLE, *exclusive_recipes()])
def test_plain_values_survive_a_round_trip_through_json(recipe: Recipe) -> None:
    plain = recipe_to_plain(recipe)
    assert recipe_from_plain(plain) == recipe
    assert json.loads(json.dumps(plain)) == plain


def test_missing_plain_values_take_their_defaults() -> None:
    assert recipe_from_plain({}) == IDENTITY
    assert recipe_from_plain({"classes": [{"minimum_area": 3}]}) == Recipe((ClassRecipe(minimum_area=3),))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (None, "the recipe must be a map, received None"),
        ({"threshold": 0.5}, "the recipe: 'threshold' is not valid; choose from classes, between, priority, split"),
        ({"classes": {}}, "classes must be a list"),
        ({"classes": []}, "needs at least one rule"),
        ({"classes": [3]}, "the rule of a class must be a map, received 3"),
        ({"classes": [{"treshold": 0.5}]}, "the rule of a class: 'treshold' is not valid; did you mean 'threshold'"),
        ({"classes": [{"threshold": "0.5"}]}, "received '0.5'"),
        ({"classes": [{"steps": "abc"}]}, "steps must be a list"),
        ({"classes": [{"triplet": {"threshold": 0.5}}]}, "triplet: .*minimum_area"),
        ({"classes": [{"emptiness": [0.5]}]}, "emptiness must be a map"),
        ({"split": {"distance": 1.5}}, "received 1.5"),
        ({"between": "nobody"}, "received 'nobody'"),
        ({"priority": 3}, "priority must be a list"),
    ],
)
def test_invalid_plain_values_are_rejected(tree: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        recipe_from_plain(tree)
