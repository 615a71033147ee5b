from toolkit.report.colours import CLASS_COLOURS, IGNORE_COLOUR, LINE_COLOURS, WRONG, class_colour, line_colour

LABELS = 254  # of 8 bits, without background and ignored pixels


def test_no_two_classes_have_the_same_colour_and_none_that_of_wrong_or_ignored_pixels() -> None:
    colours = [class_colour(number) for number in range(LABELS)]
    assert len(set(colours)) == LABELS
    assert not {WRONG, IGNORE_COLOUR} & set(colours)
    assert all(max(colour) - min(colour) >= 40 for colour in colours)  # none is grey
    assert len({line_colour(number) for number in range(LABELS)}) == LABELS


def test_the_first_colours_are_those_of_the_palette() -> None:
    assert tuple(map(class_colour, range(len(CLASS_COLOURS)))) == CLASS_COLOURS
    assert tuple(map(line_colour, range(len(LINE_COLOURS)))) == LINE_COLOURS


def test_of_fifty_classes_any_two_colours_are_far_apart() -> None:
    colours = [class_colour(number) for number in range(50)]
    apart = [
        sum(abs(a - b) for a, b in zip(one, other, strict=True))
        for place, one in enumerate(colours)
        for other in colours[:place]
    ]
    assert min(apart) >= 50
