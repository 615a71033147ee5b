"""docs/configuration.md, made from the models' own field texts."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from toolkit.config.data import DataConfig, ExtraData
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.stages import StageConfig
from toolkit.config.yaml_files import write_yaml

_INTRODUCTION = """\
# What config.yaml may say

Every key of an experiment's `config.yaml` (or `config.json`). This page is made from the program itself
(`make docs`); `tk config show EXPERIMENT` prints a configuration with all defaults filled in, and
`tk config schema` writes a JSON Schema for editors.

The file is YAML 1.2: `1e-3` is a number, `no` is a text, and a key that stands twice is an error. An unknown key is
an error that names the file, the line and the nearest key there is.

- `extends: ../common.yaml` starts from another file. Mappings are merged key by key; lists and single values are
  replaced.
- `--set stages.0.epochs=3` on the command line overrides one key; numbers count the entries of a list from 0.
- Paths are relative to the file that names them, on the command line to the working folder.
"""


def reference() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION, "## An experiment\n", _table(Config)]
    parts += ["## `data`\n", _table(DataConfig), "## Each entry of `data.extra_train_data`\n", _table(ExtraData)]
    parts += ["## Each entry of `stages`\n", _table(StageConfig)]
    parts += ["## An ensemble\n\nWritten by `tk ensemble`.\n", _table(EnsembleConfig)]
    return "\n".join(parts)


def _table(model: type[BaseModel]) -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{_as_yaml(_default_of(field))}`"
        rows.append(f"| `{name}` | {default} | {_with_choices(field.annotation, str(field.description))} |")
    return "\n".join(rows) + "\n"


def _default_of(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _as_yaml(value: Any) -> str:
    if value == {}:
        return "{}"
    return write_yaml({"key": value}).removeprefix("key:").strip()


def _with_choices(annotation: Any, description: str) -> str:
    """The description, with the choices of a literal type where it does not name them itself."""
    choices = [str(choice) for choice in getattr(annotation, "__args__", ()) if isinstance(choice, str | int)]
    if not choices or all(choice in description for choice in choices):
        return description
    return f"{description} One of {', '.join(choices)}."
