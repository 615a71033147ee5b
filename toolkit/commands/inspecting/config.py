"""`tk config`: the configuration of an experiment with all defaults, and the JSON Schema for editors."""

from collections.abc import Sequence
from typing import Any

from toolkit.commands.session import Session
from toolkit.commands.training.settings import load_as_run
from toolkit.config.loading import load_ensemble, plain_config
from toolkit.config.models import Config
from toolkit.files.experiment.members import refuse_ensemble


def show_config(session: Session, name: str, *, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration of an experiment or ensemble with inheritance, overrides and defaults applied."""
    experiment = session.workspace.find(name)
    if experiment.is_ensemble:
        if overrides:
            refuse_ensemble(experiment, "keys to override", f"--set {overrides[0]}: ")
        return plain_config(load_ensemble(experiment.config).config, experiment.folder)
    return plain_config(load_as_run(session, experiment, overrides).config, experiment.folder)


def config_schema() -> dict[str, Any]:
    """The JSON Schema of config.yaml."""
    schema = Config.model_json_schema()
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "A configuration that this one starts from; mappings are merged, other values are replaced.",
    }
    # With extends, the required keys may be in the other file.
    schema.pop("required", None)
    return schema
