"""Where an experiment comes from: its configuration, what differs in it, and how to run it again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolkit.commands.session import Session
from toolkit.commands.submitting.provenance import commit_of
from toolkit.config.loading import load_config, plain_config, with_defaults
from toolkit.config.models import Config
from toolkit.config.training.stages import StageConfig
from toolkit.config.yaml.key_differences import ABSENT, KeyDifference, differences, written
from toolkit.config.yaml.yaml_files import read_document, write_yaml
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import members_of
from toolkit.files.experiment.resolved import Resolved, config_of, read_resolved, versions
from toolkit.report.page.values import Origin

_LONGEST = 120


def origin_values(session: Session, experiment: Experiment, resolved: Resolved) -> Origin:
    """The origin, from resolved.yaml and the files that config.yaml extends."""
    parent, names = _parent(experiment)
    defaults = _defaults(experiment, resolved)
    trees = [dict(resolved.config), parent if parent is not None else dict(resolved.config), defaults]
    changed = [
        (one.key, *(_short(value) for value in one.values)) for one in _leaves(differences(trees, with_order=False))
    ]
    return Origin(
        settings={key: written(value) for key, value in resolved.settings.items()},
        written=write_yaml(_plain(resolved.config)),
        changed=[(key, here, there, default) for key, here, there, default in changed],
        parents=names,
        digests=resolved.digests,
        versions=resolved.versions,
        precision=resolved.precision,
        commit=commit_of(session.workspace.root),
        commands=_commands(experiment, resolved),
        toolkit=f"segmentation-toolkit {versions()['segmentation-toolkit']}",
    )


def _parent(experiment: Experiment) -> tuple[dict[str, Any] | None, list[str]]:
    """The configuration that this one extends, as plain data, and its name; nothing if it extends none."""
    with suppress(ToolkitError, ValidationError, OSError):
        if experiment.is_ensemble:
            return None, []
        extends = read_document(experiment.config).tree.get("extends")
        if isinstance(extends, str):
            path = Path(extends)
            path = path if path.is_absolute() else experiment.folder / path
            return plain_config(load_config(path).config, experiment.folder), [extends]
    return None, []


def _defaults(experiment: Experiment, resolved: Resolved) -> dict[str, Any]:
    """The default of each key, also where it depends on other keys; those that are not known are left out."""
    if experiment.is_ensemble:
        return {}
    found = with_defaults({"data": {}})
    with suppress(ToolkitError, ValidationError):
        values = dict(config_of(experiment, resolved))
        for key, known in Config.model_fields.items():
            if known.default_factory is not None:
                found[key] = known.get_default(call_default_factory=True, validated_data=values)
    # Most keys of a stage default to those of the experiment.
    fields = {key: known.default for key, known in StageConfig.model_fields.items() if not known.is_required()}
    stage = {key: resolved.config.get(key) if default is None else default for key, default in fields.items()}
    return found | {"stages": [stage] * len(resolved.config["stages"])}


def _leaves(found: Sequence[KeyDifference]) -> Iterator[KeyDifference]:
    """The differences from what is set here; a long mapping or list is told entry by entry, as long as it has any."""
    for one in found:
        here, *others = one.values
        if here in (ABSENT, None):
            continue
        if len(written(here)) <= _LONGEST or not isinstance(here, Mapping | list | tuple):
            yield one
        elif not any(other.key.startswith(f"{one.key}.") for other in found):
            entries = here if isinstance(here, Mapping) else {str(place): entry for place, entry in enumerate(here)}
            inner = [KeyDifference(f"{one.key}.{key}", (entry, *others)) for key, entry in entries.items()]
            yield from _leaves(inner)


def _commands(experiment: Experiment, resolved: Resolved) -> list[str]:
    """The commands in their order; those of an ensemble begin with what makes its members."""
    made = dict.fromkeys(_making(experiment, resolved, ()))
    return [*made, f"tk tune {experiment.name}"]


def _making(experiment: Experiment, resolved: Resolved | None, above: tuple[Path, ...]) -> Iterator[str]:
    """The commands that make the predictions of an experiment, after those of its members; `above` are ensembles."""
    if experiment.is_ensemble:
        members, config = members_of(experiment)
        for member in members:
            part = member.experiment
            if part.folder not in above:
                known = read_resolved(part) if part.resolved.is_file() else None
                yield from _making(part, known, (*above, experiment.folder))
        words = ["tk ensemble", *(member.name for member in members), f"--name {experiment.name}"]
        if config.weighting == "search":
            words.append("--weights search")
        elif config.weighting == "given":
            words.append(f"--weights {','.join(f'{weight:g}' for weight in config.weights)}")
        words += [f"--views {config.views}"] if config.views != "none" else []
        words += [f"--mean {config.mean}"] if config.mean != "probability" else []
        yield " ".join(words)
        return
    settings = {} if resolved is None else resolved.settings
    yield " ".join(["tk fit", experiment.name, *(f"--set '{key}={written(value)}'" for key, value in settings.items())])


def _short(value: Any) -> str:
    text = written(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _plain(value: Any) -> Any:
    """Plain data without keys whose value is null, which is their default."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items() if entry is not None}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
