from pathlib import Path

import pytest
from pydantic import BaseModel

from toolkit.config.models import Config, DataConfig, EnsembleConfig, StageConfig
from toolkit.config.reference import reference
from toolkit.config.yaml_files import read_value

MODELS = pytest.mark.parametrize("model", [Config, DataConfig, StageConfig, EnsembleConfig])


def rows() -> list[list[str]]:
    """The cells of all tables of the page, without their heads."""
    lines = [line for line in reference().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@MODELS
def test_every_key_has_a_row_with_its_default_and_meaning(model: type[BaseModel]) -> None:
    found = {(key.strip("`"), default, meaning) for key, default, meaning in rows()}
    for name, field in model.model_fields.items():
        if field.is_required():
            matching = [meaning for key, default, meaning in found if (key, default) == (name, "required")]
        else:
            value = field.get_default(call_default_factory=True)
            defaults = [(key, default.strip("`"), meaning) for key, default, meaning in found if key == name]
            matching = [meaning for _, default, meaning in defaults if read_value(default, "page") == value]
        assert any(meaning.startswith(str(field.description)) for meaning in matching), name


def test_no_row_breaks_its_table() -> None:
    assert rows()
    assert {len(cells) for cells in rows()} == {3}


def test_choices_are_named_once() -> None:
    meanings = {key.strip("`"): meaning for key, _, meaning in rows()}
    assert meanings["architecture"].endswith(" One of Unet, FPN, Linknet, PSPNet.")
    assert "One of" not in meanings["resize"]
    assert meanings["resize"].count("stretch") == 1


def test_the_committed_page_is_what_the_program_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text("utf-8") == reference(), "run: make docs"
