import pytest

from toolkit.report.lettering import drawable, text_line, text_width, wrapped

TEXT = "glowing: threshold 0.700, minimum object size 15; hot_pixel: threshold 0.802; cluster: threshold 0.994"


@pytest.mark.parametrize("width", [60, 150, 400, 2000])
def test_wrapped_lines_fit_and_keep_every_word(width: int) -> None:
    lines = wrapped(TEXT, 13, width, 40)
    if width > 100:  # the longest word fits
        assert " ".join(lines) == TEXT
    assert all(text_width(line, 13) <= width for line in lines)


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    lines = wrapped(TEXT, 13, 200, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert TEXT.startswith(" ".join(lines)[:-1])
    assert wrapped("", 13, 200, 2) == [""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("64×64", "64×64"), ("Höhe – Ελλάδα – Крым", "Höhe – Ελλάδα – Крым"), ("e\u0301\n\x07画", "é ??")],
)
def test_letters_of_the_font_stay_and_others_are_question_marks(text: str, expected: str) -> None:
    assert drawable(text) == expected


def test_a_line_has_the_size_of_its_box() -> None:
    assert text_line(TEXT, 13, (70, 20)).size == (70, 20)
