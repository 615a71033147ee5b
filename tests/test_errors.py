import json

import pytest

from toolkit.errors import choices_once, listing, nearest, not_valid, out_of_range, raised_by


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d"], "a, b, c, …")]
)
def test_long_listings_are_cut(names: list[str], text: str) -> None:
    assert listing(iter(names), at_most=3) == text


def test_a_misspelt_word_is_answered_with_the_nearest_valid_one() -> None:
    assert nearest("horizontalflip", ["VerticalFlip", "HorizontalFlip"]) == "HorizontalFlip"
    assert nearest("xyz", ["dice", "iou"]) is None
    assert not_valid("dise", ["dice", "iou"]) == "'dise' is not valid; did you mean 'dice'? choose from dice, iou"
    assert not_valid("xyz", ["dice", "iou"]) == "'xyz' is not valid; choose from dice, iou"


@pytest.mark.parametrize(("count", "text"), [(0, "there are none"), (1, "there is only 0"), (5, "choose from 0 to 4")])
def test_a_number_that_is_too_large_is_answered_with_the_range(count: int, text: str) -> None:
    assert out_of_range("fold", 7, count) == f"there is no fold 7; {text}"


def test_a_list_of_valid_words_occurs_once() -> None:
    words = ["dice", "iou"]
    messages = [not_valid("dise", words), "lr: too large", not_valid("xyz", words), not_valid("iuo", words)]
    messages.append(not_valid("x", ["y"]))
    assert choices_once(messages) == [
        "'dise' is not valid; did you mean 'dice'? choose from dice, iou",
        "lr: too large",
        "'xyz' is not valid",
        "'iuo' is not valid; did you mean 'iou'?",
        "'x' is not valid; choose from y",
    ]


def test_an_error_of_the_users_code_is_told_with_its_last_line_there() -> None:
    def mine() -> None:
        json.loads("{")  # fails inside Python's own library

    with pytest.raises(json.JSONDecodeError) as caught:
        mine()
    line = mine.__code__.co_firstlineno + 1
    text = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert raised_by(caught.value) == f"{__file__}:{line}: JSONDecodeError: {text}"


def test_an_error_without_code_of_the_user_is_told_with_its_last_line_of_text() -> None:
    assert raised_by(ValueError("in a graph:\n\n  shapes differ\n")) == "ValueError: shapes differ"
    assert raised_by(KeyError()) == "KeyError: "
    trace = (
        'in user code:\n\n    File "/home/me/mine.py", line 5, in f  *\n        x.numpy()\n\n    ValueError: no numpy\n'
    )
    assert raised_by(ValueError(trace)) == "/home/me/mine.py:5: ValueError: no numpy"
