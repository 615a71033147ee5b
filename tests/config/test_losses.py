import re

import pytest

from toolkit.config.losses import LOSS_NAMES, LossSyntaxError, LossTerm, parse_loss


def terms(text: str) -> list[tuple[float, str]]:
    return [(term.weight, term.name) for term in parse_loss(text)]


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_a_name_alone_weighs_one(name: str) -> None:
    assert parse_loss(name) == (LossTerm(1.0, name),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("binary_crossentropy+dice_loss", [(1, "binary_crossentropy"), (1, "dice_loss")]),
        ("binary_crossentropy+0.5*lovasz_loss", [(1, "binary_crossentropy"), (0.5, "lovasz_loss")]),
        ("2*dice_loss+3*jaccard_loss", [(2, "dice_loss"), (3, "jaccard_loss")]),
        ("dice_loss+dice_loss", [(1, "dice_loss"), (1, "dice_loss")]),
        ("0.1*dice_loss+dice_loss+2*dice_loss", [(0.1, "dice_loss"), (1, "dice_loss"), (2, "dice_loss")]),
        ("lovasz_loss+binary_crossentropy", [(1, "lovasz_loss"), (1, "binary_crossentropy")]),
    ],
)
def test_terms_come_in_the_order_of_the_text(text: str, expected: list[tuple[float, str]]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("number", "weight"),
    [
        ("1", 1),
        ("2.5", 2.5),
        (".5", 0.5),
        ("5.", 5),
        ("1e-1", 0.1),
        ("1E2", 100),
        ("2.5e+1", 25),
        (".5e1", 5),
        ("007", 7),
    ],
)
def test_weights_may_be_written_as_any_number(number: str, weight: float) -> None:
    assert terms(f"{number}*dice_loss") == [(weight, "dice_loss")]


@pytest.mark.parametrize(
    "text",
    [
        "binary_crossentropy + 0.5*lovasz_loss",
        "binary_crossentropy+ 0.5 * lovasz_loss",
        "  binary_crossentropy  +0.5* lovasz_loss  ",
        "binary_crossentropy\n+\t0.5*lovasz_loss\n",
    ],
)
def test_spaces_change_nothing(text: str) -> None:
    assert parse_loss(text) == parse_loss("binary_crossentropy+0.5*lovasz_loss")


@pytest.mark.parametrize(
    ("text", "character", "problem"),
    [
        ("", 1, "expected the name of a loss"),
        ("   ", 1, "expected the name of a loss"),
        ("+", 1, "expected the name of a loss"),
        ("*", 1, "expected the name of a loss"),
        ("+dice_loss", 1, "expected the name of a loss"),
        ("dice_loss+", 11, "expected the name of a loss"),
        ("dice_loss + ", 12, "expected the name of a loss"),
        ("dice_loss++lovasz_loss", 11, "expected the name of a loss"),
        ("0.5*", 5, "expected the name of a loss"),
        ("0.5*0.5*dice_loss", 5, "expected the name of a loss"),
        ("2", 2, "expected '*' after a number"),
        ("dice_loss+2", 12, "expected '*' after a number"),
        ("0.5 lovasz_loss", 5, "expected '*' after a number"),
        ("0.5lovasz_loss", 4, "expected '*' after a number"),
        ("1e*dice_loss", 2, "expected '*' after a number"),
        ("1.2.3*dice_loss", 4, "expected '*' after a number"),
        ("dice_loss lovasz_loss", 11, "expected '+' or the end"),
        ("dice_loss*2", 10, "expected '+' or the end"),
        ("dice_loss 2", 11, "expected '+' or the end"),
        ("0*dice_loss", 1, "weight 0"),
        ("dice_loss+0.0*lovasz_loss", 11, "weight 0"),
        ("1e-999*dice_loss", 1, "weight 0"),
        ("1e999*dice_loss", 1, "must be finite"),
        ("-1*dice_loss", 1, "unexpected character '-'"),
        ("dice_loss - lovasz_loss", 11, "unexpected character '-'"),
        ("dice_loss, lovasz_loss", 10, "unexpected character ','"),
        ("dice_loss;", 10, "unexpected character ';'"),
        ("٣*dice_loss", 1, "unexpected character '٣'"),
        ("dice_los", 1, "unknown loss 'dice_los'; did you mean 'dice_loss'?"),
        ("DICE_LOSS", 1, "unknown loss 'DICE_LOSS'"),
        ("binary_crossentropy+0.5*lovasz", 25, "unknown loss 'lovasz'; did you mean 'lovasz_loss'?"),
        ("nothing_like_it", 1, "unknown loss 'nothing_like_it'; Allowed: binary_crossentropy"),
        ("__import__", 1, "unknown loss '__import__'"),
    ],
)
def test_an_error_points_at_the_character(text: str, character: int, problem: str) -> None:
    with pytest.raises(LossSyntaxError) as caught:
        parse_loss(text)
    first, shown, arrow = str(caught.value).split("\n")
    assert first.startswith(f"character {character}: ")
    assert problem in first
    assert shown.removeprefix("      ") == text
    assert arrow.removeprefix("      ") == " " * (character - 1) + "^"


def test_an_unknown_name_is_answered_with_all_known_ones() -> None:
    with pytest.raises(LossSyntaxError, match=re.escape(", ".join(LOSS_NAMES))):
        parse_loss("focal_loss")
