"""What experiments need to predict elsewhere, as files of a workspace, without anything that names this machine."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.config.loading import paths_in
from toolkit.config.stage_values import dotted_names
from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.plugin_names import PLUGINS, names_defined_beside
from toolkit.config.yaml.trees import replaced
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.errors import ConfigError
from toolkit.files.code.own_modules import MODULE, own_folders, sources_of
from toolkit.files.disk.digests import file_digest
from toolkit.files.experiment.fitted import Fitted, Networks
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import Resolved, config_of, data_of, read_resolved, resolved_text

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")
_DATA = "data"

Content = Path | bytes
"""A file to copy, or what is written into it."""


@dataclass
class BundledExperiments:
    """The files of experiments by their paths in the bundle.

    Attributes:
        files: all of them.
        weights: the paths of weight files.
        code: the paths of the user's own modules.
        modules: names of installed modules that configurations name.
        engines: what computes the networks.
    """

    files: dict[str, Content] = field(default_factory=dict)
    weights: set[str] = field(default_factory=set)
    code: set[str] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    engines: set[str] = field(default_factory=set)
    _folders: dict[str, Path] = field(default_factory=dict)

    def add(self, member: Member, fitted: Fitted) -> None:
        """Add an experiment, or an ensemble with all its members; of weights only those that predict.

        Raises:
            ConfigError: two experiments have the same name.
        """
        leaves = list(fitted.leaves())
        self._add(member, {one.experiment.folder: one for one in leaves})
        for networks in leaves:
            self._add_weights(networks)

    def _add(self, member: Member, leaves: Mapping[Path, Networks]) -> None:
        experiment = member.experiment
        known = self._folders.setdefault(experiment.name, experiment.folder.absolute())
        if known != experiment.folder.absolute():
            raise ConfigError(
                f"two experiments are called {experiment.name}: {known} and {experiment.folder}",
                "Rename one of the folders.",
            )
        resolved = read_resolved(experiment)
        if member.is_ensemble:
            inner, config = members_of(experiment)
            beside = {"members": [one.name for one in inner]}  # wherever they are here
            self._write(experiment, resolved, {**config.model_dump(), **beside}, beside)
            for one in inner:
                self._add(one, leaves)
            return
        networks = leaves.get(experiment.folder)
        self._add_code(experiment, resolved)
        self._write(experiment, resolved, None, {} if networks is None else {"engine": networks.engine})

    def _write(
        self, experiment: Experiment, resolved: Resolved, own: Mapping[str, Any] | None, changed: Mapping[str, Any]
    ) -> None:
        """Write both configurations; `own` is that of an ensemble, whose resolved one has more keys.

        Keys in `changed` have other values in the bundle.
        """
        tree = self._without_places({**resolved.config, **changed}, experiment, resolved)
        digests = {key: value for key, value in resolved.digests.items() if key == "plugins" or key.startswith(MODULE)}
        header = (
            f"# {experiment.name}, as it was run. The paths of data stand for those of the machine that trained it.\n"
        )
        config = header + write_yaml(tree if own is None else own)
        text = resolved_text(experiment, Resolved(tree, digests, resolved.precision, resolved.versions))
        self.files[self._at(experiment, experiment.folder / "config.yaml")] = config.encode()
        self.files[self._at(experiment, experiment.resolved)] = text.encode()
        for path in (experiment.tuned, experiment.engine_checks):
            if path.is_file():
                self.files[self._at(experiment, path)] = path

    def _without_places(self, tree: dict[str, Any], experiment: Experiment, resolved: Resolved) -> dict[str, Any]:
        """The configuration with every path replaced by one in the bundle, which need not exist."""
        for key, value in paths_in(tree):
            parts = [str(part) for part in key if part != _DATA]
            suffix = Path(value).suffix
            name = f"{'_'.join(parts)}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
            if parts[-1] == "file":
                place = PLUGINS
            elif parts == ["sample_submission"]:
                place = f"../../{self._sample(experiment, resolved)}"
            else:
                place = f"../../{_DATA}/{name}"
            tree = replaced(tree, key, place, "")
        return tree

    def _sample(self, experiment: Experiment, resolved: Resolved) -> str:
        """The path of the sample submission in the bundle; it is there if it is here."""
        path = data_of(experiment, resolved).sample_submission
        if path is None or not path.is_file():
            return f"{_DATA}/sample_submission.csv"
        target = f"{_DATA}/sample_submission-{file_digest(path)[:8]}.csv"
        self.files[target] = path
        return target

    def _add_code(self, experiment: Experiment, resolved: Resolved) -> None:
        """Add plugins.py and own modules, unchanged, all of them beside the configuration."""
        folder = experiment.config.parent
        names = dotted_names(config_of(experiment, resolved), names_defined_beside(experiment.config))
        code = {experiment.plugins: PLUGINS} if experiment.plugins.is_file() else {}
        for name, source in sources_of(folder, names).items():
            top = name.partition(".")[0]
            place = next((one for one in own_folders(folder) if _holds(one, top, source)), None)
            if place is None:
                self.modules.add(top)
                continue
            packages = source.parents[: len(source.parents) - len(place.parents) - 1]
            beside = [path for package in packages for path in package.glob("*.py")]
            code |= {path: path.relative_to(place).as_posix() for path in (source, *beside)}
        for path, name in code.items():
            target = f"{_folder(experiment)}/{name}"
            self.files[target] = path
            self.code.add(target)

    def _add_weights(self, networks: Networks) -> None:
        """Add the weights that predict, and what says that their stages are complete."""
        experiment = networks.experiment
        self.engines.add(networks.engine)
        for path in networks.weights:
            stage = StageFolder(path.parent if path.parent.name.startswith("stage") else path.parent.parent)
            for weights in (path, stage.best_weights):
                target = self._at(experiment, weights)
                self.files[target] = weights
                self.weights.add(target)
            self.files[self._at(experiment, stage.state)] = stage.state

    def _at(self, experiment: Experiment, path: Path) -> str:
        return f"{_folder(experiment)}/{path.relative_to(experiment.folder).as_posix()}"


def _folder(experiment: Experiment) -> str:
    return f"experiments/{experiment.name}"


def _holds(place: Path, top: str, source: Path) -> bool:
    return source == place / f"{top}.py" or source.is_relative_to(place / top)


def private_words(files: Mapping[str, Content], names: Iterable[str], words: Sequence[str]) -> list[str]:
    """The places, `path:line`, where texts among the files hold one of the words: the user's own code may."""
    found = []
    for name in sorted(names):
        content = files[name]
        lines = (regular(content).read_bytes() if isinstance(content, Path) else content).splitlines()
        found += [
            f"{name}:{number}"
            for number, line in enumerate(lines, 1)
            if any(word.encode() in line for word in words if len(word) > 3)
        ]
    return found
