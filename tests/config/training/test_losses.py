"""Covers toolkit/config/keras/loss_arguments.py."""

import re
from pathlib import Path
from typing import Any

import pytest

from toolkit.config.keras.loss_arguments import Huber
from toolkit.config.training.losses import (
    KERAS_LOSSES,
    LOSSES,
    CrossentropyArguments,
    LossTerm,
    LovaszArguments,
    RegionArguments,
    check_loss,
    needs_presence,
    parse_loss,
)
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.loss_grammar import LossSyntaxError, Weight
from toolkit.config.yaml.yaml_files import read_value

BINARY = LossTerm(Weight(1.0), "binary_crossentropy", CrossentropyArguments())
LOVASZ = LossTerm(Weight(0.5), "lovasz_loss", LovaszArguments())


@pytest.mark.parametrize("name", LOSSES | KERAS_LOSSES)
def test_a_name_alone_weighs_one_and_takes_the_defaults(name: str) -> None:
    expected = (LossTerm(Weight(1.0), name, (LOSSES | KERAS_LOSSES)[name].arguments()),)
    assert parse_loss(name) == parse_loss(f"{name}()") == expected


@pytest.mark.parametrize("name", LOSSES | KERAS_LOSSES)
def test_every_argument_is_explained(name: str) -> None:
    assert all(field.description for field in (LOSSES | KERAS_LOSSES)[name].arguments.model_fields.values())


@pytest.mark.parametrize(
    ("text", "weight", "name", "arguments"),
    [
        ("2*dice_loss(per=image)", Weight(2), "dice_loss", {"per": "image"}),
        ("lovasz_loss(symmetric=true, activation='elu+1')", Weight(1), "lovasz_loss",
         {"symmetric": True, "activation": "elu+1"}),
        ("0..1*boundary_loss", Weight(0, 1), "boundary_loss", {}),
        ("1..0*tversky_loss(alpha=1)", Weight(1, 0), "tversky_loss", {"alpha": 1}),
        ("3*mine(x=-1)", Weight(3), "mine", {"x": -1}),
        ("package.mine(word=any)", Weight(1), "package.mine", {"word": "any"}),
    ],
)  # fmt: skip
def test_weights_and_arguments(text: str, weight: Weight, name: str, arguments: dict[str, Any]) -> None:
    (term,) = parse_loss(text, ["mine"])
    assert (term.weight, term.name) == (weight, name)
    given = term.arguments.model_dump() if isinstance(term.arguments, ClosedModel) else term.arguments
    assert {key: given[key] for key in arguments} == arguments


def test_the_same_loss_may_occur_twice() -> None:
    terms = parse_loss("dice_loss + dice_loss(per=image)")
    assert [term.arguments for term in terms] == [RegionArguments(), RegionArguments(per="image")]


@pytest.mark.parametrize(
    "value",
    [
        {"Huber": {"delta": 2}},
        {"name": "Huber", "delta": 2},
        {"huber": {"delta": 2}},
        "Huber(delta=2)",
        "huber(delta=2.0, reduction=auto)",
    ],
)
def test_a_loss_of_keras_has_the_names_and_arguments_of_class_and_function(value: Any) -> None:
    assert parse_loss(value) == (LossTerm(Weight(1.0), "Huber", Huber(delta=2)),)


def test_a_loss_with_arguments_may_be_of_any_kind() -> None:
    assert parse_loss({"name": "dice_loss", "per": "image"}) == parse_loss("dice_loss(per=image)")
    assert parse_loss({"mine": {"x": 1}}, ["mine"]) == parse_loss("mine(x=1)", ["mine"])
    assert parse_loss({"a.b": {"shares": (1, 2)}}) == (LossTerm(Weight(1.0), "a.b", {"shares": (1, 2)}),)


def test_the_toolkit_and_plugins_come_before_keras() -> None:
    assert parse_loss("binary_crossentropy")[0].arguments == CrossentropyArguments()
    assert parse_loss("hinge", ["hinge"]) == (LossTerm(Weight(1.0), "hinge", {}),)
    assert parse_loss("hinge")[0].name == "Hinge"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"Hubber": {}}, "Hubber: Hubber"),
        ({"name": "Hubber"}, ": Hubber"),
        ({"Huber": {"delta": "x"}}, "Huber: "),
        ({"Huber": 2}, "Huber: expected `argument: value` pairs, received 2"),
        ({"Huber": {}, "Poisson": {}}, "expected one name, received Huber, Poisson"),
    ],
)
def test_a_wrong_loss_with_arguments_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_loss(value)


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("dice_los", 1, "loss 'dice_los' is not valid; did you mean 'dice_loss'?"),
        ("DICE_LOSS", 1, "loss 'DICE_LOSS' is not valid; did you mean 'dice_loss'?"),
        ("binary_crossentropy+0.5*lovasz", 25, "loss 'lovasz' is not valid; did you mean 'lovasz_loss'?"),
        ("0..1*BinaryCrosentropy", 6, "did you mean 'BinaryCrossentropy'?"),
        ("dice_loss+Huber(dleta=2)", 17, "Huber: argument 'dleta' is not valid; did you mean 'delta'?"),
        ("Huber(delta=0)", 13, "delta: must be greater than 0, received 0"),
        ("Huber(reduction=none)", 17, "reduction: 'none' is not valid"),
        ("nothing_like_it", 1, "loss 'nothing_like_it' is not valid; choose from binary_crossentropy"),
        ("__import__", 1, "loss '__import__' is not valid"),
        ("mime", 1, "loss 'mime' is not valid; did you mean 'mine'?"),
        ("dice_loss(smoth=2)", 11, "dice_loss: argument 'smoth' is not valid; did you mean 'smooth'?"),
        ("boundary_loss(x=2)", 15, "boundary_loss: takes no arguments"),
        ("dice_loss(per=imge)", 15, "per: 'imge' is not valid; did you mean 'image'? choose from batch, image"),
        ("dice_loss(smooth=0)", 18, "smooth: must be greater than 0, received 0"),
        ("dice_loss(smooth=1e999)", 18, "smooth: expected a finite number, received inf"),
        ("dice_loss(smooth=true)", 18, "smooth: expected a number, received True"),
        ("dice_loss(per=batch, positives_only=1)", 37, "positives_only: expected true or false, received 1"),
        ("binary_crossentropy(label_smoothing=1)", 37, "label_smoothing: must be less than 1"),
        ("focal_tversky_loss(gamma=0.5)", 26, "gamma: must be greater than or equal to 1"),
    ],
)
def test_an_error_points_at_the_character(text: str, character: int, problem: str) -> None:
    with pytest.raises(LossSyntaxError) as caught:
        parse_loss(text, ["mine"])
    first, shown, arrow = str(caught.value).split("\n")
    assert first.startswith(f"character {character}: ")
    assert problem in first
    assert shown.removeprefix("      ") == text
    assert arrow.removeprefix("      ") == " " * (character - 1) + "^"


def test_an_unknown_name_is_reported_with_all_known_ones() -> None:
    with pytest.raises(LossSyntaxError, match=re.escape(", ".join([*LOSSES, *KERAS_LOSSES, "mine"]))):
        parse_loss("hinge_loss", ["mine"])


@pytest.mark.parametrize("value", [0.5, None, (), ("dice_loss",)])
def test_a_loss_is_text_or_one_name_with_its_arguments(value: Any) -> None:
    with pytest.raises(ValueError, match=r"expected text \(for example binary_crossentropy"):
        parse_loss(value)


def test_presence_is_needed_by_its_own_term_only() -> None:
    assert needs_presence(parse_loss("dice_loss+0.1*presence_crossentropy"))
    assert not needs_presence(parse_loss("+".join(name for name in LOSSES if name != "presence_crossentropy")))


@pytest.mark.parametrize(
    ("loss", "activation", "classes"),
    [
        ("binary_crossentropy+focal_loss(alpha=0.25)+lovasz_loss(activation='elu+1')", "sigmoid", 1),
        ("binary_crossentropy+presence_crossentropy", "sigmoid", 4),
        ("categorical_crossentropy+focal_loss+lovasz_loss(symmetric=true)+dice_loss", "softmax", 2),
        ("mine", "softmax", 3),
    ],
)
def test_losses_that_match_the_classes(loss: str, activation: Any, classes: int) -> None:
    check_loss(parse_loss(loss, ["mine"]), activation, classes)


@pytest.mark.parametrize(
    ("loss", "activation", "classes", "problem"),
    [
        ("binary_crossentropy", "softmax", 3, "with softmax, use categorical_crossentropy"),
        ("dice_loss+binary_crossentropy", "softmax", 2, "with softmax, use categorical_crossentropy"),
        ("categorical_crossentropy", "sigmoid", 3, "received activation: sigmoid; use binary_crossentropy"),
        ("categorical_crossentropy", "softmax", 1, "received classes: 1; use binary_crossentropy"),
        ("focal_loss(alpha=0.25)", "softmax", 3, "use class_weights with softmax"),
        ("lovasz_loss(activation='elu+1')", "softmax", 3, "elu+1 requires activation: sigmoid"),
        ("presence_crossentropy", "sigmoid", 1, "trains the presence head only"),
        ("BinaryCrossentropy", "softmax", 3, "received activation: softmax; use CategoricalCrossentropy"),
        ("CategoricalCrossentropy", "sigmoid", 3, "received activation: sigmoid; use BinaryCrossentropy"),
        ("SparseCategoricalCrossentropy", "sigmoid", 3, "is for two or more exclusive classes (activation: softmax)"),
        ("CategoricalHinge", "softmax", 1, "received classes: 1"),
        ("dice_loss+Hinge", "softmax", 3, "Hinge is for independent classes (activation: sigmoid)"),
    ],
)
def test_losses_that_do_not_match_the_classes(loss: str, activation: Any, classes: int, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        check_loss(parse_loss(loss), activation, classes)


@pytest.mark.parametrize("weights", [(1, 2, 0), (0.1, 5.0, 1e3), "balanced"])
def test_class_weights_that_fit(weights: Any) -> None:
    check_loss(parse_loss("dice_loss"), "softmax", 3, weights)


@pytest.mark.parametrize(
    ("weights", "classes", "problem"),
    [
        ((1, 2), 3, "expected 3 numbers, one for each class, received 2"),
        ((0, 0, 0), 3, "not all 0"),
        ((1, -1, 1), 3, "received [1, -1, 1]"),
        ((1, float("inf"), 1), 3, "expected finite numbers"),
        ((1, float("nan"), 1), 3, "expected finite numbers"),
        ((1, "2", 1), 3, "expected finite numbers"),
        ((1,), 1, "class weights have no effect with a single class"),
        ("balanced", 1, "class weights have no effect with a single class"),
    ],
)
def test_class_weights_that_do_not_fit(weights: Any, classes: int, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        check_loss(parse_loss("dice_loss"), "sigmoid", classes, weights)


PAGE = (Path(__file__).parents[3] / "docs" / "losses.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"^loss: .*$", PAGE, re.MULTILINE))
def test_the_examples_of_the_page_are_read(example: str) -> None:
    check_loss(parse_loss(read_value(example.removeprefix("loss: "), "losses.md")), "sigmoid", 1)


def test_the_page_names_every_term_and_argument() -> None:
    assert PAGE.count("\nloss: ") == 7
    for name, kind in LOSSES.items():
        assert f"`{name}`" in PAGE.split("## Arguments")[0]
        for argument in kind.arguments.model_fields:
            assert f"`{argument}`" in PAGE.split("## Arguments")[1]


def test_the_page_says_what_each_loss_of_keras_gets_and_with_which_activation() -> None:
    rows = re.findall(r"^\| (`[A-Z].*) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    told = {name: (wants, activation) for names, wants, activation in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(told) == set(KERAS_LOSSES)
    for name, (wants, activation) in told.items():
        formulas = KERAS_LOSSES[name].formulas
        assert {"both": {"sigmoid", "softmax"}}.get(activation, {activation}) == set(formulas)
        assert {formula[0] for formula in formulas.values()} == {wants}
