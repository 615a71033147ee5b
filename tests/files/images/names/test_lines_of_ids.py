from pathlib import Path

import pytest

from toolkit.files.images.names.lines_of_ids import is_heading, lines_of, meant_by, says_absence, spellings_of


@pytest.mark.parametrize(
    "line",
    ["a1", "a1.png", "images/a1.png", "a1_sat", "a1_sat.jpg", "train/a1_sat.jpg", "a1 1 1", "x/a1.jpg,m/a1.png",
     r"x\a1.png", "'a1'"],
)  # fmt: skip
def test_a_line_names_an_image(line: str) -> None:
    spellings = spellings_of(["a1", "a2"], {"a1": Path("d/a1_sat.jpg"), "a2": Path("d/a2_sat.jpg")})
    (only,) = lines_of(f"\n# a2\n {line}\n")
    assert meant_by(only, spellings) == {"a1"}


def test_a_name_of_two_images_means_both() -> None:
    spellings = spellings_of(["p_1", "q_1"], {"p_1": Path("p/1.png"), "q_1": Path("q/1.png")})
    assert meant_by("1.png", spellings) == {"p_1", "q_1"}
    assert meant_by("p_1", spellings) == {"p_1"}
    assert meant_by("2.png", spellings) == set()


def test_lists_of_a_class_and_headings_are_told() -> None:
    assert says_absence(["a 1", "b -1"])
    assert not says_absence(["a 1", "b 1"])
    assert not says_absence(["a", "b"])
    assert is_heading("image_id,split")
    assert not is_heading("a1")
