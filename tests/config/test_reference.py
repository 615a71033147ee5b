import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from toolkit.config.data.competitions import Competition
from toolkit.config.data.data import DataConfig
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.reference import reference
from toolkit.config.training.stages import StageConfig
from toolkit.config.yaml.yaml_files import read_value

MODELS = pytest.mark.parametrize("model", [Config, DataConfig, StageConfig, EnsembleConfig, Competition])


def rows() -> list[list[str]]:
    """The cells of all tables of the page, without their heads."""
    lines = [line for line in reference().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@MODELS
def test_every_key_has_a_row_with_its_default_and_meaning(model: type[BaseModel]) -> None:
    found = {(key.strip("`"), default, meaning) for key, default, meaning in rows()}
    for name, field in model.model_fields.items():
        word = "required" if field.is_required() else "depends" if field.default_factory_takes_validated_data else ""
        if word:
            matching = [meaning for key, default, meaning in found if (key, default) == (name, word)]
        else:
            value = field.get_default(call_default_factory=True)
            defaults = [(key, default.strip("`"), meaning) for key, default, meaning in found if key == name]
            matching = [meaning for _, default, meaning in defaults if read_value(default, "page") == value]
        plain = [re.sub(r"\[(docs/[a-z-]+\.md)\]\([a-z-]+\.md\)", r"\1", meaning) for meaning in matching]
        assert any(meaning.startswith(str(field.description)) for meaning in plain), name


def test_no_row_breaks_its_table() -> None:
    assert rows()
    assert {len(cells) for cells in rows()} == {3}


def test_choices_are_named_once() -> None:
    meanings = {key.strip("`"): meaning for key, _, meaning in rows()}
    assert not [key for key, meaning in meanings.items() if "One of" in meaning]
    assert meanings["resize"].count("stretch") == 1


def test_defaults_that_depend_on_other_keys_are_described() -> None:
    depending = {key: meaning for key, default, meaning in rows() if default == "depends"}
    assert list(depending) == ["`classes`", "`activation`", "`loss`", "`primary_metric`"]
    assert all(" Default: " in meaning for meaning in depending.values())


def test_links_lead_to_pages() -> None:
    pages = re.findall(r"\]\(([^)]+)\)", reference())
    assert {"networks.md", "losses.md", "schedules.md", "metrics.md", "augmentation.md"} <= set(pages)
    for page in pages:
        assert (Path(__file__).parents[2] / "docs" / page).is_file(), page


def test_the_committed_page_is_what_the_program_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text("utf-8") == reference(), "run: make docs"
