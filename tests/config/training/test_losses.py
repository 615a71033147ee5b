import re
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, ValidationError

from toolkit.config.training.loss_grammar import LossSyntaxError, Weight
from toolkit.config.training.losses import (
    LOSS_NAMES,
    LOSSES,
    CrossentropyArguments,
    LossTerm,
    LovaszArguments,
    RegionArguments,
    check_loss,
    needs_presence,
    parse_loss,
)
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.named_calls import ClosedModel, ProblemsAtError
from toolkit.config.yaml.yaml_files import Document, Position, read_value

BINARY = LossTerm(Weight(1.0), "binary_crossentropy", CrossentropyArguments())
LOVASZ = LossTerm(Weight(0.5), "lovasz_loss", LovaszArguments())


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_a_name_alone_weighs_one_and_takes_the_defaults(name: str) -> None:
    expected = (LossTerm(Weight(1.0), name, LOSSES[name]()),)
    assert parse_loss(name) == parse_loss({name: None}) == parse_loss((name,)) == parse_loss(f"{name}()") == expected


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_every_argument_is_explained(name: str) -> None:
    assert all(field.description for field in LOSSES[name].model_fields.values())


@pytest.mark.parametrize(
    "value",
    [
        "binary_crossentropy+0.5*lovasz_loss",
        {"binary_crossentropy": {}, "lovasz_loss": {"weight": 0.5}},
        {"binary_crossentropy": {"weight": 1, "label_smoothing": 0}, "lovasz_loss": {"weight": 0.5, "per": "image"}},
        ("binary_crossentropy", {"lovasz_loss": {"weight": 0.5}}),
        ({"binary_crossentropy": None}, "0.5*lovasz_loss"),
        ("binary_crossentropy+0.5*lovasz_loss",),
    ],
)
def test_text_pairs_and_list_say_the_same(value: Any) -> None:
    assert parse_loss(value) == (BINARY, LOVASZ)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("2*dice_loss(per=image)", {"dice_loss": {"weight": 2, "per": "image"}}),
        ("lovasz_loss(symmetric=true, activation=elu+1)", {"lovasz_loss": {"symmetric": True, "activation": "elu+1"}}),
        ("0..1*boundary_loss", {"boundary_loss": {"weight": {"from": 0, "to": 1}}}),
        ("1..0*tversky_loss(alpha=1)", {"tversky_loss": {"weight": {"from": 1, "to": 0}, "alpha": 1}}),
        ("3*mine(x=-1)", {"mine": {"weight": 3, "x": -1}}),
        ("package.mine(word=any)", {"package.mine": {"word": "any"}}),
    ],
)
def test_arguments_and_changing_weights(text: str, pairs: dict[str, Any]) -> None:
    assert parse_loss(text, ["mine"]) == parse_loss(pairs, ["mine"])
    (term,) = parse_loss(text, ["mine"])
    (arguments,) = pairs.values()
    written = arguments.pop("weight", 1)
    assert term.weight == (Weight(written["from"], written["to"]) if isinstance(written, dict) else Weight(written))
    given = term.arguments.model_dump() if isinstance(term.arguments, ClosedModel) else term.arguments
    assert {name: given[name] for name in arguments} == arguments


def test_the_same_loss_may_stand_twice() -> None:
    value = ("dice_loss", {"dice_loss": {"per": "image"}})
    assert [term.arguments for term in parse_loss(value)] == [RegionArguments(), RegionArguments(per="image")]


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("dice_los", 1, "loss 'dice_los' is not valid; did you mean 'dice_loss'?"),
        ("DICE_LOSS", 1, "loss 'DICE_LOSS' is not valid; did you mean 'dice_loss'?"),
        ("binary_crossentropy+0.5*lovasz", 25, "loss 'lovasz' is not valid; did you mean 'lovasz_loss'?"),
        ("0..1*BinaryCrossentropy", 6, "did you mean 'binary_crossentropy'?"),
        ("nothing_like_it", 1, "loss 'nothing_like_it' is not valid; choose from binary_crossentropy"),
        ("__import__", 1, "loss '__import__' is not valid"),
        ("mime", 1, "loss 'mime' is not valid; did you mean 'mine'?"),
        ("dice_loss(smoth=2)", 11, "dice_loss: argument 'smoth' is not valid; did you mean 'smooth'?"),
        ("boundary_loss(x=2)", 15, "boundary_loss: takes no arguments"),
        ("dice_loss(per=imge)", 15, "per: 'imge' is not valid; did you mean 'image'? choose from batch, image"),
        ("dice_loss(smooth=0)", 18, "smooth: must be greater than 0, received 0"),
        ("dice_loss(smooth=1e999)", 18, "smooth: must be a finite number, received inf"),
        ("dice_loss(smooth=true)", 18, "smooth: must be a number, received True"),
        ("dice_loss(per=batch, positives_only=1)", 37, "positives_only: must be true or false, received 1"),
        ("binary_crossentropy(label_smoothing=1)", 37, "label_smoothing: must be less than 1"),
        ("focal_tversky_loss(gamma=0.5)", 26, "gamma: must be greater than or equal to 1"),
        ("dice_loss(weight=2)", 11, "a weight stands before the name: NUMBER*dice_loss"),
        ("mine(weight=2)", 6, "a weight stands before the name: NUMBER*mine"),
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


def test_an_unknown_name_is_answered_with_all_known_ones() -> None:
    with pytest.raises(LossSyntaxError, match=re.escape(", ".join([*LOSS_NAMES, "mine"]))):
        parse_loss("hinge_loss", ["mine"])


def check(value: Any) -> Any:
    parse_loss(value, ["mine"])
    return value


class Checked(ClosedModel):
    loss: Annotated[Any, AfterValidator(check)]


@pytest.mark.parametrize(
    ("loss", "key", "text"),
    [
        ({"dice_los": None}, ("loss", "dice_los"), "loss: 'dice_los' is not valid; did you mean 'dice_loss'?"),
        (
            {"dice_loss": {"wieght": 2}},
            ("loss", "dice_loss", "wieght"),
            "loss.dice_loss: 'wieght' is not valid; did you mean 'weight'? choose from weight, per",
        ),
        (
            ("lovasz_loss", {"dice_loss": {"smooth": "x"}}),
            ("loss", 1, "dice_loss", "smooth"),
            "loss.1.dice_loss.smooth: expected a number, received 'x' (text)",
        ),
        (
            ({"dice_loss": {"per": "imge"}},),
            ("loss", 0, "dice_loss", "per"),
            "'imge' is not valid; did you mean 'image'?",
        ),
        ({"dice_loss": {"weight": 0}}, ("loss", "dice_loss", "weight"), "expected a number above 0"),
        ({"dice_loss": {"weight": -1}}, ("loss", "dice_loss", "weight"), "expected a number above 0"),
        ({"dice_loss": {"weight": True}}, ("loss", "dice_loss", "weight"), "expected a number above 0"),
        ({"mine": {"weight": "2"}}, ("loss", "mine", "weight"), "expected a number above 0, or {from: a, to: b}"),
        ({"dice_loss": {"weight": float("inf")}}, ("loss", "dice_loss", "weight"), "received inf"),
        ({"dice_loss": {"weight": {"from": 1}}}, ("loss", "dice_loss", "weight"), "expected both from and to"),
        (
            {"dice_loss": {"weight": {"form": 0, "to": 1}}},
            ("loss", "dice_loss", "weight", "form"),
            "loss.dice_loss.weight: 'form' is not valid; did you mean 'from'? choose from from, to",
        ),
        (
            {"dice_loss": {"weight": {"from": 0, "to": -1}}},
            ("loss", "dice_loss", "weight", "to"),
            "expected a number from 0 up, received -1",
        ),
        ({"dice_loss": {"weight": {"from": 0, "to": 0}}}, ("loss", "dice_loss", "weight"), "weight 0"),
        (("dice_loss", "2*"), ("loss", 1), "loss.1: character 3: expected the name of a loss"),
        ({"dice_loss": 0.5}, ("loss", "dice_loss"), "expected `argument: value` pairs, received 0.5"),
        (0.5, ("loss",), "expected a text such as binary_crossentropy+0.5*lovasz_loss"),
        (None, ("loss",), "received None"),
        ((), ("loss",), "received ()"),
        ({}, ("loss",), "received {}"),
    ],
)
def test_messages_point_at_the_line_of_the_argument(loss: Any, key: tuple[str | int, ...], text: str) -> None:
    with pytest.raises(ValidationError) as error:
        Checked.model_validate({"loss": loss})
    document = Document({"loss": loss}, {("loss",): Position("c.yaml", 3), key: Position("c.yaml", 7)})
    (problem,) = describe_problems(error.value, Checked, document, "c.yaml")
    assert problem.startswith("c.yaml:7")
    assert text in problem


def test_all_problems_of_a_list_are_told_at_once() -> None:
    with pytest.raises(ProblemsAtError) as error:
        parse_loss(("dice_los", {"lovasz_loss": {"per": 3}}, {"mae_loss": {"a": 1, "b": 2}}, "dice_loss"))
    paths = [path for path, _, _ in error.value.problems]
    assert paths == [(0,), (1, "lovasz_loss"), (2, "mae_loss", "a"), (2, "mae_loss", "b")]


def test_presence_is_needed_by_its_own_term_only() -> None:
    assert needs_presence(parse_loss("dice_loss+0.1*presence_crossentropy"))
    assert not needs_presence(parse_loss("+".join(name for name in LOSS_NAMES if name != "presence_crossentropy")))


@pytest.mark.parametrize(
    ("loss", "activation", "classes"),
    [
        ("binary_crossentropy+focal_loss(alpha=0.25)+lovasz_loss(activation=elu+1)", "sigmoid", 1),
        ("binary_crossentropy+presence_crossentropy", "sigmoid", 4),
        ("categorical_crossentropy+focal_loss+lovasz_loss(symmetric=true)+dice_loss", "softmax", 2),
        ("mine", "softmax", 3),
    ],
)
def test_losses_that_fit(loss: str, activation: Any, classes: int) -> None:
    check_loss(parse_loss(loss, ["mine"]), activation, classes)


@pytest.mark.parametrize(
    ("loss", "activation", "classes", "problem"),
    [
        ("binary_crossentropy", "softmax", 3, "with softmax take categorical_crossentropy"),
        ("dice_loss+binary_crossentropy", "softmax", 2, "with softmax take categorical_crossentropy"),
        ("categorical_crossentropy", "sigmoid", 3, "received activation: sigmoid; take binary_crossentropy"),
        ("categorical_crossentropy", "softmax", 1, "received classes: 1; take binary_crossentropy"),
        ("focal_loss(alpha=0.25)", "softmax", 3, "with softmax take class_weights"),
        ("lovasz_loss(activation=elu+1)", "softmax", 3, "elu+1 is for activation: sigmoid"),
        ("presence_crossentropy", "sigmoid", 1, "would never train the masks"),
    ],
)
def test_losses_that_do_not_fit(loss: str, activation: Any, classes: int, problem: str) -> None:
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
        ((1,), 1, "a single class has no other"),
        ("balanced", 1, "a single class has no other"),
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
    for name, model in LOSSES.items():
        assert f"`{name}`" in PAGE.split("## Arguments")[0]
        for argument in model.model_fields:
            assert f"`{argument}`" in PAGE.split("## Arguments")[1]
