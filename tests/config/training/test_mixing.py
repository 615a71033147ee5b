from typing import Any

import pytest

from toolkit.config.training.mixing import CopyPaste, CutMix, MixingSpec, Mixup, parse_mixing
from toolkit.config.yaml.named_calls import ProblemsAtError
from toolkit.config.yaml.yaml_files import KeyPath


def test_ways_are_read_with_arguments_or_nothing() -> None:
    spec = parse_mixing({"mixup": {"alpha": 0.4}, "cutmix": {"p": 0.3}, "copy_paste": None})
    assert spec == MixingSpec(Mixup(p=0.5, alpha=0.4), CutMix(p=0.3, alpha=1.0), CopyPaste(p=0.5, objects=0.5))
    assert parse_mixing(None) == parse_mixing({}) == MixingSpec(None, None, None)


@pytest.mark.parametrize(
    ("value", "paths"),
    [
        ({"mixup": {"alfa": 1}, "cutmix": {"p": 2}}, [("mixup",), ("cutmix",)]),
        ({"mixup": {"alpha": 0}}, [("mixup",)]),
        ({"cutmixup": 0.5}, [("cutmixup",)]),
        ({"mixup": 0.5}, [("mixup",)]),
        ({"mixup": "always"}, [("mixup",)]),
    ],
)
def test_problems_are_reported_with_their_paths(value: Any, paths: list[KeyPath]) -> None:
    with pytest.raises(ProblemsAtError) as caught:
        parse_mixing(value)
    assert [path for path, _, _ in caught.value.problems] == paths


def test_a_word_is_not_a_mixing() -> None:
    with pytest.raises(ValueError, match="received 'mixup'"):
        parse_mixing("mixup")
