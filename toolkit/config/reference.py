"""docs/configuration.md, generated from the descriptions of the models."""

import re
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from toolkit.config.data.competitions import Competition
from toolkit.config.data.data import DataConfig
from toolkit.config.data.pseudo_labels import PSEUDO_KEYS
from toolkit.config.data.tiling import PatchesConfig, TilesConfig
from toolkit.config.models import Config, EnsembleConfig
from toolkit.config.training.execution import ExecutionConfig
from toolkit.config.training.stages import StageConfig
from toolkit.config.yaml.yaml_files import write_yaml

_INTRODUCTION = """\
# The configuration

All keys of an experiment's `config.yaml` (or `config.json`). This page is generated from the program (`make docs`).
`tk config show EXPERIMENT` prints a configuration with all defaults, and `tk config schema` writes a JSON Schema for
editors.

The file is YAML 1.2: `1e-3` is a number, `no` is text, and a duplicate key is an error. An unknown key is an error
that names the file, the line and the nearest valid key.

- `extends: ../common.yaml` starts from another file. Mappings are merged key by key; lists and single values are
  replaced. `augmentation: !replace {HorizontalFlip: 0.5}` replaces an inherited mapping, `!replace {}` clears it. With
  another `architecture`, inherited options that it does not have are left out, and a line says so.
- `--set stages.0.epochs=3` on the command line overrides one key; numbers are entries of a list, counted from 0.
  `--set augmentation={}` clears a mapping. What `tk fit` was given by `--set` holds for all later commands;
  `tk fit EXPERIMENT --save` writes it into `config.yaml` and keeps the comments.
- Paths are relative to the file that contains them; on the command line, to the working folder.
- Optimizers, callbacks and other things with arguments are a name, `Name: {argument: value}` pairs, or a list of
  these; one thing also `{name: Name, argument: value}`. Names may also be functions and classes of a `plugins.py`
  beside the file, or dotted paths (`package.module.name`), see [your own code](training.md).

Details of the names: [networks](networks.md), [losses](losses.md), [schedules, optimizers and
callbacks](schedules.md), [augmentation](augmentation.md), [metrics](metrics.md). How a fold is trained:
[training](training.md). Labels and submissions: [competitions](competitions.md).
"""

_FURTHER_SOURCES = """\
Entries of `merge` and `extra_train_data` have the keys from `images` to `source`. Their keys about file names and mask
values default to those of `data`. Entries of `merge` also have a `prefix` for their ids.
"""

_PAGE = re.compile(r"docs/([a-z-]+\.md)")


def reference() -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION, "## An experiment\n", _table(Config, without=ExecutionConfig)]
    parts += ["How the experiment is computed:\n", _table(ExecutionConfig)]
    parts += ["## `data`\n", _table(DataConfig)]
    parts += [_FURTHER_SOURCES]
    parts += ["## `data.competition`\n\nHow to change a few keys of a competition: [competitions](competitions.md).\n"]
    parts += [_table(Competition)]
    parts += ["## `patches`\n", _table(PatchesConfig), "## `tiles`\n", _table(TilesConfig)]
    parts += ["## `pseudo`\n\nOf an experiment or of a stage; see [pseudo-labels](pseudo-labels.md).\n"]
    parts += [_table(PSEUDO_KEYS)]
    parts += ["## Each entry of `stages`\n", _table(StageConfig)]
    parts += ["## An ensemble\n\nWritten by `tk ensemble`.\n", _table(EnsembleConfig)]
    return "\n".join(parts)


def _table(model: type[BaseModel], without: type[BaseModel] = BaseModel) -> str:
    """The keys of a model, without those that have a table of their own."""
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in without.model_fields:
            continue
        rows.append(f"| `{name}` | {_default_of(field)} | {_meaning(field)} |")
    return "\n".join(rows) + "\n"


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default_factory_takes_validated_data:
        return "depends"
    return f"`{_as_yaml(field.get_default(call_default_factory=True))}`"


def _as_yaml(value: Any) -> str:
    if value == {}:
        return "{}"
    return write_yaml({"key": value}).removeprefix("key:").strip()


def _meaning(field: FieldInfo) -> str:
    """The description, with links to the other pages."""
    return _PAGE.sub(r"[\g<0>](\g<1>)", _with_choices(field.annotation, str(field.description)))


def _with_choices(annotation: Any, description: str) -> str:
    """The description, with the choices of a literal type that it does not name."""
    choices = [str(choice) for choice in getattr(annotation, "__args__", ()) if isinstance(choice, str | int)]
    if not choices or all(choice in description for choice in choices):
        return description
    return f"{description} One of {', '.join(choices)}."
