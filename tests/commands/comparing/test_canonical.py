from typing import Any

import pytest

from toolkit.commands.comparing.canonical import canonical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"augmentation": {"Fliplr": 0.5}}, {"augmentation": {"HorizontalFlip": {"p": 0.5}}}),
        ({"augmentation": {"Affine": {"p": 1, "scale": 2}}}, {"augmentation": {"Affine": {"scale": 2, "p": 1}}}),
        (
            {"augmentation": [{"OneOf": {"transforms": ["Fliplr"]}}]},
            {"augmentation": [{"OneOf": {"transforms": ["HorizontalFlip"]}}]},
        ),
        ({"primary_metric": "val_binary_accuracy"}, {"primary_metric": "pixel_accuracy"}),
        ({"metrics": ["val_iou", "dice"]}, {"metrics": ("iou", "dice")}),
        (
            {"callbacks": {"EarlyStopping": {"patience": 3, "monitor": "val_binary_accuracy", "verbose": 1}}},
            {"callbacks": [{"EarlyStopping": {"monitor": "pixel_accuracy", "mode": "auto", "patience": 3}}]},
        ),
        (
            {"callbacks": {"TensorBoard": None, "EarlyStopping": {"patience": 3}}},
            {"callbacks": {"EarlyStopping": {"patience": 3}, "TensorBoard": {"images": 4}}},
        ),
        ({"optimizer": "Adam"}, {"optimizer": {"Adam": {}}}),
        ({"loss": "dice_loss + 0.5*lovasz_loss"}, {"loss": "dice_loss+0.5*lovasz_loss"}),
        ({"stages": [{"augmentation": {"Flipud": 0.5}}]}, {"stages": [{"augmentation": {"VerticalFlip": 0.5}}]}),
    ],
)  # fmt: skip
def test_other_spellings_are_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert repr(canonical(one, ())) == repr(canonical(other, ()))  # the order of keys counts too


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"augmentation": {"Fliplr": 0.5, "Transpose": 1}}, {"augmentation": {"Transpose": 1, "HorizontalFlip": 0.5}}),
        ({"callbacks": {"EarlyStopping": {"patience": 3}}}, {"callbacks": {"EarlyStopping": {"patience": 4}}}),
        ({"primary_metric": "dice"}, {"primary_metric": "iou"}),
    ],
)
def test_other_meanings_differ(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert repr(canonical(one, ())) != repr(canonical(other, ()))


def test_what_cannot_be_read_stays_as_it_is() -> None:
    tree = {"callbacks": {"Mine": {"b": 1, "a": 2}}, "loss": "gone", "augmentation": {"Fliplr": 0.5}, "lr": 0.1}
    assert canonical(tree, ("Fliplr",)) == tree  # a transform of plugins.py


@pytest.mark.parametrize(("one", "other"), [({"verbose": 1}, {"verbose": 2}), ({"monitor": "val_a"}, {"monitor": "a"})])
def test_arguments_of_callbacks_in_plugins_are_all_compared(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = ({"callbacks": {"Mine": arguments}} for arguments in (one, other))
    assert canonical(first, ("Mine",)) != canonical(second, ("Mine",))
