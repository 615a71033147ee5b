import pytest

from toolkit.config.yaml.loss_grammar import LossSyntaxError, Weight, read_terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [(1, None, "a")]),
        ("a+b", [(1, None, "a"), (1, None, "b")]),
        ("a+0.5*b", [(1, None, "a"), (0.5, None, "b")]),
        ("0.1*a+a+2*a", [(0.1, None, "a"), (1, None, "a"), (2, None, "a")]),
        ("0..1*a+b", [(0, 1, "a"), (1, None, "b")]),
        ("package.module.name+b", [(1, None, "package.module.name"), (1, None, "b")]),
        ("2*package.module.name(x=1)", [(2, None, "package.module.name")]),
        ("+".join(["a"] * 900), [(1, None, "a")] * 900),
    ],
)
def test_terms_keep_the_order_of_the_text(text: str, expected: list[tuple[float | None, ...]]) -> None:
    assert [(term.weight.start, term.weight.end, term.name) for term in read_terms(text)] == expected


@pytest.mark.parametrize(
    ("number", "weight"),
    [
        ("1", Weight(1)),
        (".5", Weight(0.5)),
        ("5.", Weight(5)),
        ("2.5e+1", Weight(25)),
        ("0..1", Weight(0, 1)),
        ("1 .. 0", Weight(1, 0)),
        ("0.5..1.5", Weight(0.5, 1.5)),
        ("0...5", Weight(0, 0.5)),
        ("1e-1..2e0", Weight(0.1, 2)),
    ],
)
def test_weights_are_numbers_or_ranges(number: str, weight: Weight) -> None:
    assert read_terms(f"{number}*a")[0].weight == weight


@pytest.mark.parametrize(
    ("weight", "values"), [(Weight(2), (2, 2, 2)), (Weight(0, 1), (0, 0.5, 1)), (Weight(3, 1), (3, 2, 1))]
)
def test_a_weight_changes_linearly(weight: Weight, values: tuple[float, ...]) -> None:
    assert tuple(weight.at(progress) for progress in (0.0, 0.5, 1.0)) == values


@pytest.mark.parametrize(
    "text", ["a(x=1,y=true)+0.5*b", " a ( x = 1 , y=true ) +0.5 * b  ", "a\n(x=1,\n y=true)\n+\t0.5*b\n"]
)
def test_spaces_and_line_breaks_are_ignored(text: str) -> None:
    found = read_terms(text)
    assert [(term.weight, term.name) for term in found] == [(Weight(1), "a"), (Weight(0.5), "b")]
    assert [(argument.name, argument.value) for argument in found[0].arguments] == [("x", 1), ("y", True)]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-2", -2),
        ("-.5", -0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("false", False),
        ("image", "image"),
        ("'elu+1'", "elu+1"),
        ('"0..1"', "0..1"),
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
        ("", 1, "expected terms"),
        ("dice_loss+", 11, "expected terms"),
        ("dice_loss + ", 12, "expected terms"),
        ("dice_loss++lovasz_loss", 11, "expected terms"),
        ("0.5*", 5, "expected terms"),
        ("dice_loss+2", 11, "expected terms"),
        ("0.5 lovasz_loss", 5, "expected terms"),
        ("1.2.3*dice_loss", 4, "expected terms"),
        ("0..*dice_loss", 4, "expected terms"),
        ("dice_loss lovasz_loss", 11, "expected terms"),
        ("dice_loss - lovasz_loss", 13, "expected terms"),
        ("dice_loss;", 10, "expected terms"),
        ("dice_loss + 2*(a+b)", 18, "expected terms"),
        ("dice_loss + a.b[0]", 13, "expected terms"),
        ("dice_loss + (lambda: 1)()", 14, "expected terms"),
        ("a(x=1)b", 7, "expected terms"),
        ("a\x00b", 4, "expected terms"),
        ("+".join(["a"] * 20_000), 40_000, "expected terms"),
        ("dice_loss*2", 1, "expected a number, or a range of numbers FROM..TO, before '*'"),
        ("a + 0.5*0.5*dice_loss", 5, "before '*'"),
        ("0..1..2*dice_loss", 1, "before '*'"),
        ("0@1*dice_loss", 1, "before '*'"),
        ("true*dice_loss", 1, "before '*'"),
        ("0*dice_loss", 1, "weight 0"),
        ("dice_loss+0..0*lovasz_loss", 11, "weight 0"),
        ("0..1e999*dice_loss", 4, "finite number of at least 0"),
        (f"{'9' * 400}*dice_loss", 1, "finite number of at least 0"),
        ("-1*dice_loss", 1, "finite number of at least 0"),
        ("é + -1*dice_loss", 5, "finite number of at least 0"),
        ("a(0.5)", 3, "arguments need their names"),
        ("a(**x)", 3, "arguments need their names"),
        ("a(x=[1])", 5, "expected a number, true, false, a word, or a text in quotes"),
        ("a(x=elu+1)", 5, "a text in quotes"),
        ("a(x=None)", 5, "a text in quotes"),
        ("a(x=1, x=2)", 8, "the argument x is given twice"),
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
