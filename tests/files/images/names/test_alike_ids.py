import pytest

from toolkit.files.images.names.alike_ids import alike_ids, differences


@pytest.mark.parametrize(
    ("written", "known", "how"),
    [
        ("7", "007", "leading zeros"),
        ("0", "000", "leading zeros"),
        ("scan7_b", "scan007_b", "leading zeros"),
        ("7.0", "007", "a decimal point and leading zeros"),
        ("7.0", "7", "a decimal point"),
        ("data/train/a1", "a1", "a folder"),
        ("data\\train\\a1", "a1", "a folder"),
        ("a1.jpg", "a1", "an extension"),
        ("A1", "a1", "upper and lower case"),
        (" a1 ", "a1", "spaces"),
    ],
)
def test_an_id_that_is_spelt_otherwise_is_found(written: str, known: str, how: str) -> None:
    alike = alike_ids([written, "other"], [known, "b2"])
    assert alike == {written: known}
    assert differences(alike) == f"{how} ({written} for {known})"


def test_known_ids_are_left_alone() -> None:
    assert alike_ids(["7", "007"], ["7", "007"]) == {}
    assert alike_ids(["7", "8"], []) == {}


def test_nothing_is_guessed() -> None:
    assert alike_ids(["7"], ["07", "007"]) == {}
    assert alike_ids(["07", "7"], ["007"]) == {}
    assert alike_ids(["07", "007"], ["007"]) == {}
    assert alike_ids(["x/7", "y/7"], ["7"]) == {}
    assert alike_ids(["a07"], ["a7", "a007"]) == {}
