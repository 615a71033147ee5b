import re
from pathlib import Path

import pytest

from toolkit.config.training.callbacks import CALLBACKS, parse_callbacks
from toolkit.config.training.optimizers import OPTIMIZERS, parse_optimizer
from toolkit.config.training.schedules import SCHEDULES, parse_schedule
from toolkit.config.training.weight_averaging import parse_averaging
from toolkit.config.yaml.yaml_files import read_value

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text()
PARSERS = {
    "schedule": parse_schedule,
    "optimizer": parse_optimizer,
    "callbacks": parse_callbacks,
    "weight_averaging": parse_averaging,
}
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_are_valid(example: str) -> None:
    keys = read_value(example, "the page")
    parsed = [PARSERS[key](value) for key, value in keys.items() if key in PARSERS]
    assert parsed
    assert set(keys) <= {*PARSERS, "lr"}


def test_the_examples_show_everything() -> None:
    assert {key for example in EXAMPLES for key in read_value(example, "the page")} == {*PARSERS, "lr"}


def test_every_name_is_on_the_page() -> None:
    for name in [*SCHEDULES, *OPTIMIZERS, *CALLBACKS]:
        assert f"`{name}`" in PAGE, name
