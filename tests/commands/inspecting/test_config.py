from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from toolkit.cli import app
from toolkit.commands.inspecting.config import config_schema, show_config
from toolkit.commands.session import Session
from toolkit.config.models import Config
from toolkit.config.training.stages import StageConfig
from toolkit.errors import ConfigError
from toolkit.files.experiment.workspace import Workspace

TEXT = "data: {images: train, masks: masks}\nstages: [{epochs: 2}]\n"


def write(root: Path, name: str, text: str) -> Workspace:
    folder = root / "experiments" / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(text)
    return Workspace(root)


def test_a_configuration_is_shown_with_defaults_and_overrides(tmp_path: Path) -> None:
    shown = show_config(Session(write(tmp_path, "one", TEXT)), "one", overrides=["lr=0.5"])
    assert list(shown) == list(Config.model_fields)
    assert (shown["lr"], shown["loss"], shown["data"]["images"]) == (0.5, "binary_crossentropy", "train")


def test_an_ensemble_is_shown_but_not_overridden(tmp_path: Path) -> None:
    workspace = write(tmp_path, "both", "members: [a, b]\nweights: [1, 2]\nprimary_metric: dice\n")
    assert show_config(Session(workspace), "both")["views"] == "none"
    with pytest.raises(ConfigError, match="ensemble"):
        show_config(Session(workspace), "both", overrides=["views=flips"])


def test_the_shown_configuration_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = write(tmp_path, "one", TEXT + "classes: [a, b]\ncallbacks: {EarlyStopping: {patience: 3}}\n")
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["config", "show", "one"])
    assert found.exit_code == 0
    write(tmp_path, "two", found.output)
    assert show_config(Session(workspace), "two") == show_config(Session(workspace), "one")


def test_the_schema_knows_every_key_and_its_meaning() -> None:
    schema: dict[str, Any] = config_schema()
    assert set(schema["properties"]) == {*Config.model_fields, "extends"}
    assert set(schema["$defs"]["StageConfig"]["properties"]) == set(StageConfig.model_fields)
    for properties in (schema["properties"], schema["$defs"]["StageConfig"]["properties"]):
        assert all(value["description"].endswith(".") for value in properties.values())
    assert schema["additionalProperties"] is False
    assert "required" not in schema  # the keys may stand in the file that is extended


@pytest.mark.parametrize(
    ("key", "types"),
    [
        ("batch", {"integer"}),
        ("loss", {"string", "object"}),
        ("optimizer", {"string", "object", "array"}),
        ("classes", {"integer", "array"}),
        ("metrics", {"array"}),
        ("freeze_encoder", {"boolean"}),
    ],
)
def test_the_schema_has_types(key: str, types: set[str]) -> None:
    value = config_schema()["properties"][key]
    assert {kind["type"] for kind in value.get("anyOf", [value])} == types


def test_the_schema_is_printed_as_json() -> None:
    found = CliRunner().invoke(app, ["config", "schema"])
    assert found.exit_code == 0
    assert '"properties"' in found.output
