"""The keys that differ between experiments and ensembles, in their configurations and in the facts of their runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from toolkit.commands.comparing.canonical import canonical
from toolkit.config.loading import (
    config_from_plain,
    load_config,
    load_ensemble,
    plain_config,
    with_absolute_paths,
    with_relative_paths,
)
from toolkit.config.yaml.key_differences import ABSENT, KeyDifference, differences
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.errors import ToolkitError
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import Resolved, read_resolved

_RUN = "run"
_DIGEST_LENGTH = 8


def differing_keys(experiments: Sequence[Experiment], root: Path) -> list[KeyDifference]:
    """Compare resolved configurations; for an experiment that was not fitted yet, its config.yaml.

    Defaults are filled in. Keys that only experiments have are compared among experiments, not with ensembles. Facts
    of a run (`run.`: precision, versions, digests of data and code) are compared among those that were run. Different
    spellings of the same value are no difference.

    Args:
        experiments: experiments and ensembles.
        root: the folder of the workspace; paths are compared and shown relative to it.
    """
    trees = [_tree(experiment, root.absolute()) for experiment in experiments]
    ensembles = [experiment.is_ensemble for experiment in experiments]
    everywhere = {key for tree, one in zip(trees, ensembles, strict=True) for key in tree if one} - {_RUN}
    if not everywhere:
        everywhere = {key for tree in trees for key in tree} - {_RUN}
    elsewhere = {key for tree in trees for key in tree} - everywhere - {_RUN}
    return [
        *_among(trees, everywhere, [True] * len(trees)),
        *_among(trees, elsewhere, [not one for one in ensembles]),
        *_among(trees, {_RUN}, [_RUN in tree for tree in trees]),
    ]


def _among(trees: Sequence[dict[str, Any]], keys: set[str], chosen: Sequence[bool]) -> list[KeyDifference]:
    """The differences between the chosen trees in some keys; the other trees count as lacking these keys."""
    parts = [{key: value for key, value in tree.items() if key in keys} for tree in trees]
    found = []
    for difference in differences([part for part, one in zip(parts, chosen, strict=True) if one]):
        values = iter(difference.values)
        found.append(KeyDifference(difference.key, tuple(next(values) if one else ABSENT for one in chosen)))
    return found


def _tree(experiment: Experiment, root: Path) -> dict[str, Any]:
    names = names_defined_beside(experiment.config)
    if not experiment.resolved.is_file():
        load = load_ensemble if experiment.is_ensemble else load_config
        return canonical(plain_config(load(experiment.config).config, root), names)
    resolved = read_resolved(experiment)
    return canonical(_config(experiment, resolved, root), names) | {_RUN: _run(resolved)}


def _config(experiment: Experiment, resolved: Resolved, root: Path) -> dict[str, Any]:
    """The configuration that was run, with defaults for keys that were added since, if it can still be read."""
    if not experiment.is_ensemble:
        try:
            return plain_config(config_from_plain(resolved.config, experiment.folder), root)
        except (ValidationError, ToolkitError):
            pass  # written by another version, or with plugins that no longer exist: compared as it is
    return with_relative_paths(with_absolute_paths(resolved.config, experiment.folder), root)


def _run(resolved: Resolved) -> dict[str, Any]:
    return {
        "precision": resolved.precision,
        "versions": dict(resolved.versions),
        "digests": {name: digest[:_DIGEST_LENGTH] for name, digest in resolved.digests.items()},
    }
