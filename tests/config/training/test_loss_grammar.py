import pytest

from toolkit.config.training.loss_grammar import LossSyntaxError, Weight, read_terms


def terms(text: str) -> list[tuple[float | None, ...]]:
    return [(term.weight.start, term.weight.end, term.name) for term in read_terms(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [(1, None, "a")]),
        ("a+b", [(1, None, "a"), (1, None, "b")]),
        ("a+0.5*b", [(1, None, "a"), (0.5, None, "b")]),
        ("2*a+3*b", [(2, None, "a"), (3, None, "b")]),
        ("a+a", [(1, None, "a"), (1, None, "a")]),
        ("0.1*a+a+2*a", [(0.1, None, "a"), (1, None, "a"), (2, None, "a")]),
        ("0..1*a+b", [(0, 1, "a"), (1, None, "b")]),
        ("package.module.name+b", [(1, None, "package.module.name"), (1, None, "b")]),
    ],
)
def test_terms_come_in_the_order_of_the_text(text: str, expected: list[tuple[float | None, ...]]) -> None:
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("number", "weight"),
    [
        ("1", Weight(1)),
        ("2.5", Weight(2.5)),
        (".5", Weight(0.5)),
        ("5.", Weight(5)),
        ("1e-1", Weight(0.1)),
        ("1E2", Weight(100)),
        ("2.5e+1", Weight(25)),
        (".5e1", Weight(5)),
        ("007", Weight(7)),
        ("0..1", Weight(0, 1)),
        ("1 .. 0", Weight(1, 0)),
        ("0.5..1.5", Weight(0.5, 1.5)),
        ("0...5", Weight(0, 0.5)),
        ("1e-1..2e0", Weight(0.1, 2)),
    ],
)
def test_weights_may_be_written_as_any_number(number: str, weight: Weight) -> None:
    assert read_terms(f"{number}*a")[0].weight == weight


@pytest.mark.parametrize(
    ("weight", "values"), [(Weight(2), (2, 2, 2)), (Weight(0, 1), (0, 0.5, 1)), (Weight(3, 1), (3, 2, 1))]
)
def test_a_weight_changes_linearly(weight: Weight, values: tuple[float, ...]) -> None:
    assert tuple(weight.at(progress) for progress in (0.0, 0.5, 1.0)) == values


@pytest.mark.parametrize(
    "text", ["a(x=1,y=true)+0.5*b", " a ( x = 1 , y=true ) +0.5 * b  ", "a\n(x=1,\n y=true)\n+\t0.5*b\n"]
)
def test_spaces_change_nothing(text: str) -> None:
    found = read_terms(text)
    assert [(term.weight, term.name) for term in found] == [(Weight(1), "a"), (Weight(0.5), "b")]
    assert [(argument.name, argument.value) for argument in found[0].arguments] == [("x", 1), ("y", True)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-2", -2),
        ("0.5", 0.5),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("false", False),
        ("image", "image"),
        ("elu+1", "elu+1"),
        ("True", "True"),
    ],
)
def test_arguments_are_numbers_truths_and_words(written: str, value: object) -> None:
    (term,) = read_terms(f"a(x={written})")
    (argument,) = term.arguments
    assert (argument.value, type(argument.value)) == (value, type(value))
    assert (argument.position, argument.value_position) == (2, 4)


def test_parentheses_may_be_empty() -> None:
    assert read_terms("a()")[0].arguments == ()


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
        ("2*(a)", 3, "expected the name of a loss"),
        ("2", 2, "expected '*' after a number"),
        ("dice_loss+2", 12, "expected '*' after a number"),
        ("0.5 lovasz_loss", 5, "expected '*' after a number"),
        ("0.5lovasz_loss", 4, "expected '*' after a number"),
        ("1e*dice_loss", 2, "expected '*' after a number"),
        ("1.2.3*dice_loss", 4, "expected '*' after a number"),
        ("0..1..2*dice_loss", 5, "expected '*' after a number"),
        ("0..*dice_loss", 4, "expected a number after '..'"),
        ("..1*dice_loss", 1, "expected the name of a loss"),
        ("dice_loss lovasz_loss", 11, "expected '+' or the end"),
        ("dice_loss*2", 10, "expected '+' or the end"),
        ("dice_loss 2", 11, "expected '+' or the end"),
        ("0*dice_loss", 1, "weight 0"),
        ("dice_loss+0.0*lovasz_loss", 11, "weight 0"),
        ("dice_loss+0..0*lovasz_loss", 11, "weight 0"),
        ("1e-999*dice_loss", 1, "weight 0"),
        ("1e999*dice_loss", 1, "must be finite"),
        ("0..1e999*dice_loss", 4, "must be finite"),
        ("-1*dice_loss", 1, "unexpected character '-'"),
        ("dice_loss - lovasz_loss", 11, "unexpected character '-'"),
        ("dice_loss, lovasz_loss", 10, "unexpected character ','"),
        ("dice_loss;", 10, "unexpected character ';'"),
        ("٣*dice_loss", 1, "unexpected character '٣'"),
        ("a)", 2, "unexpected character ')'"),
        ("a(b(", 4, "unexpected character '('"),
        ("a(x=[1])", 5, "unexpected character '['"),
        ("a(x='word')", 5, 'unexpected character "\'"'),
        ("a(", 3, "expected the name of an argument"),
        ("a(,)", 3, "expected the name of an argument"),
        ("a(0.5)", 3, "expected the name of an argument"),
        ("a(x=1,)", 7, "expected the name of an argument"),
        ("a(elu+1=2)", 3, "expected the name of an argument"),
        ("a(x)", 4, "expected '=' after the name"),
        ("a(x", 4, "expected '=' after the name"),
        ("a(x=)", 5, "expected a number, true, false or a word"),
        ("a(x==1)", 5, "expected a number, true, false or a word"),
        ("a(x=1", 6, "expected ',' or ')'"),
        ("a(x=1 y=2)", 7, "expected ',' or ')'"),
        ("a(x=1abc)", 6, "expected ',' or ')'"),
        ("a(x=1, x=2)", 8, "the argument x stands twice"),
        ("a(x=1)(y=2)", 7, "expected '+' or the end"),
        ("a(x=1)b", 7, "expected '+' or the end"),
    ],
)
def test_an_error_points_at_the_character(text: str, character: int, problem: str) -> None:
    with pytest.raises(LossSyntaxError) as caught:
        read_terms(text)
    first, shown, arrow = str(caught.value).split("\n")
    assert first.startswith(f"character {character}: ")
    assert problem in first
    assert shown.removeprefix("      ") == text
    assert arrow.removeprefix("      ") == " " * (character - 1) + "^"
