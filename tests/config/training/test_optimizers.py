from typing import Any

import pytest

from toolkit.config.training.optimizers import OPTIMIZERS, SGD, Adam, OptimizerCall, parse_optimizer
from toolkit.config.yaml.named_calls import ProblemsAtError


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_read_by_its_name_and_takes_clipping(name: str) -> None:
    call = parse_optimizer({name: {"clipnorm": 1}})
    assert type(call.arguments) is OPTIMIZERS[name]
    assert call.arguments.clipnorm == 1
    assert parse_optimizer(name) == OptimizerCall(name, OPTIMIZERS[name]())


def test_arguments() -> None:
    sgd = parse_optimizer({"SGD": {"momentum": 0.9, "nesterov": True}}).arguments
    assert isinstance(sgd, SGD)
    assert (sgd.momentum, sgd.nesterov) == (0.9, True)
    assert parse_optimizer(("Adam",)) == parse_optimizer("Adam")
    adam_w = parse_optimizer("AdamW").arguments
    assert isinstance(adam_w, Adam)
    assert adam_w.weight_decay == 0.004


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Adma", "Adma"),
        ("adam", "adam"),
        ({"Adam": {"momentum": 0.9}}, "momentum"),
        ({"SGD": {"momentum": 1.5}}, "momentum"),
        ({"SGD": {"nesterov": True}}, "nesterov requires a momentum"),
        ({"SGD": {"nesterov": 1, "momentum": 0.9}}, "nesterov"),
        ({"Adam": {"clipnorm": 1, "clipvalue": 2}}, "keep one of clipnorm, clipvalue"),
        ({"Adam": {"clipvalue": 0}}, "clipvalue"),
        ({"AdamW": {"weight_decay": None}}, "weight_decay"),
        ({"Adam": {"use_ema": True}}, "use_ema"),
        (("Adam", "SGD"), "expected one name"),
        (None, "expected a name"),
    ],
)
def test_invalid_values_are_rejected(value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        parse_optimizer(value)


@pytest.mark.parametrize("name", ["lr", "learning_rate"])
def test_the_learning_rate_is_not_an_argument(name: str) -> None:
    with pytest.raises(ProblemsAtError, match="set the learning rate with lr") as caught:
        parse_optimizer({"SGD": {name: 0.1}})
    assert caught.value.problems[0][0] == ("SGD", name)


def test_a_plugin_takes_any_arguments() -> None:
    assert parse_optimizer({"mine": {"a": 1}}, ["mine"]) == OptimizerCall("mine", {"a": 1})
    assert parse_optimizer("package.optimizers.Mine") == OptimizerCall("package.optimizers.Mine")
