import pytest

from toolkit.config.training.negatives import parse_negatives
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.core.sampling.epoch_sampling import ALL_NEGATIVES, NO_NEGATIVES, Negatives


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("none", NO_NEGATIVES),
        ("real", ALL_NEGATIVES),
        (2, Negatives("per_positive", 2.0, 2.0)),
        (0.25, Negatives("per_positive", 0.25, 0.25)),
        ({"positive_share": 0.8}, Negatives("positive_share", 0.8, 0.8)),
        ({"from": 0.8, "to": 0.4}, Negatives("positive_share", 0.8, 0.4)),
    ],
)
def test_every_form(value: object, rule: Negatives) -> None:
    assert parse_negatives(value) == rule


def test_a_misspelt_word_is_rejected() -> None:
    with pytest.raises(UnknownNameError):
        parse_negatives("reel")
    with pytest.raises(ProblemsAtError) as error:
        parse_negatives({"positive_shar": 0.8})
    assert error.value.problems[0][0] == ("positive_shar",)


@pytest.mark.parametrize(
    "value", [0, -1, 1e9, True, None, (1, 2), {"from": 0.8}, {"positive_share": 0.8, "to": 0.4}, {}]
)
def test_other_values_are_rejected(value: object) -> None:
    with pytest.raises(ValueError, match=r"negatives per positive|none, real|share"):
        parse_negatives(value)


@pytest.mark.parametrize("share", [0, 1.5, "x", True])
def test_shares_lie_between_0_and_1(share: object) -> None:
    for value, path in (
        ({"positive_share": share}, ("positive_share",)),
        ({"from": share, "to": 0.5}, ("from",)),
    ):
        with pytest.raises(ProblemsAtError) as error:
            parse_negatives(value)
        assert error.value.problems[0][0] == path
