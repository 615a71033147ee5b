"""The keys of a configuration whose paths mean something else in the workspace of another machine."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.cluster.transfer.target_paths import Targets
from toolkit.config.data.competitions import is_competition_file
from toolkit.config.loading import Loaded, override_key, paths_in, settings_of
from toolkit.config.models import Config
from toolkit.config.yaml.trees import replaced, value_at
from toolkit.config.yaml.yaml_files import KeyPath, nearest_position, read_document
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import read_resolved, write_resolved

_COMPETITION: KeyPath = ("data", "competition")
_UNKNOWN = object()
_NOT_IN_YAML = re.compile("[\x7f-\xa0\u2028\u2029\ufeff]")


def path_keys(config: Config) -> list[tuple[KeyPath, Path]]:
    """Every key whose value is the path of a file or folder, with this path, which is absolute.

    They are found as the configuration itself finds the paths that it makes absolute. The file of a competition is not
    among them: a configuration has its content.
    """
    return [(key, Path(path)) for key, path in paths_in(config.model_dump())]


def overrides_for(loaded: Loaded[Config], targets: Targets) -> tuple[str, ...]:
    """Overrides (`KEY=VALUE`, as `--set` takes them) for the keys that would not find their files where they are sent.

    These are the keys with absolute paths, with paths that lead out of the workspace, and with values from the command
    line. A competition that is read from a file is written out. Paths are relative to the root of the workspace, which
    has to be the working folder.
    """
    documents = _Documents(loaded)
    tree = loaded.config.model_dump()
    wanted = [_COMPETITION] if loaded.config.data.competition is not None and documents.competition_is_file() else []
    for key, path in path_keys(loaded.config):
        tree = replaced(tree, key, targets.of(path), "")
        if not documents.keeps(key, targets):
            wanted.append(_expressible(key))
    return tuple(f"{'.'.join(map(str, key))}={_in_one_line(value_at(tree, key))}" for key in dict.fromkeys(wanted))


def adapt_resolved(experiment: Experiment, overrides: Sequence[str]) -> None:
    """Put the values of overrides into the resolved.yaml, if there is one, of an experiment that was laid out here.

    What trains takes them from its settings, what predicts from its configuration. The root of the workspace has to be
    the working folder.
    """
    if not overrides or not experiment.resolved.is_file():
        return
    resolved = read_resolved(experiment)
    config = dict(resolved.config)
    new = settings_of(overrides, experiment.folder)
    for name, value in new.items():
        config = replaced(config, override_key(f"{name}="), value, name)
    write_resolved(experiment, replace(resolved, config=config, settings={**resolved.settings, **new}))


class _Documents:
    """The files of a configuration, for what is written in them."""

    def __init__(self, loaded: Loaded[Config]) -> None:
        self._loaded = loaded
        self._trees: dict[str, Any] = {}

    def keeps(self, key: KeyPath, targets: Targets) -> bool:
        """Whether the path of a key, as it is written, means the same place in the other workspace."""
        text, source = self._written(key)
        return isinstance(text, str) and targets.keeps(text, Path(source).parent)

    def competition_is_file(self) -> bool:
        """Whether the competition, or the one that it extends, is a file and not a preset."""
        keys = [key for key in (_COMPETITION, (*_COMPETITION, "extends")) if key in self._loaded.positions]
        texts = [self._written(key)[0] for key in keys]
        return any(text is _UNKNOWN or (isinstance(text, str) and is_competition_file(text)) for text in texts)

    def _written(self, key: KeyPath) -> tuple[Any, str]:
        """The value of a key as it is written, and the file; `_UNKNOWN` for a value from the command line."""
        position = nearest_position(self._loaded.positions, key)
        if position is None or not position.line:
            return _UNKNOWN, ""
        if position.source not in self._trees:
            self._trees[position.source] = read_document(Path(position.source)).tree
        return value_at(self._trees[position.source], key), position.source


def _expressible(key: KeyPath) -> KeyPath:
    """The key, or the nearest one around it that can be written with dots."""
    for length, part in enumerate(key):
        if isinstance(part, str) and (not part or part.isdecimal() or set(part) & set(".= ")):
            return key[:length]
    return key


def _in_one_line(value: Any) -> str:
    """A value as JSON that is YAML, too."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
