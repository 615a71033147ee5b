"""Everything that another machine needs to run an experiment, and where it goes in the workspace there."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.cluster.transfer.found_files import files_below, paths_named_in
from toolkit.cluster.transfer.path_keys import overrides_for, path_keys
from toolkit.cluster.transfer.target_paths import Targets
from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.config.stage_values import dotted_names
from toolkit.config.training.stages import is_weight_file, weights_of
from toolkit.config.yaml.file_paths import absolute, seen_from
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.config.yaml.yaml_files import read_document
from toolkit.errors import ConfigError, MissingFileError
from toolkit.files.code.own_modules import own_folders, sources_of
from toolkit.files.data.finding import find_extra_images, find_test_images
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.experiment.folder import Experiment, StageFolder
from toolkit.files.experiment.initial_weights import initial_weights_path
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.image_files import path_advice
from toolkit.files.masks.shapes.yolo_files import name_files_near

_SHARE = "Give all machines a folder that they share, and run the command there."


@dataclass(frozen=True)
class Sending:
    """What a worker needs for an experiment.

    Attributes:
        files: the source of each file, by its path below the root of the workspace of the worker.
        overrides: `KEY=VALUE` settings that the worker gives as `--set`, with the root as its working folder.
        folders: folders below the root that are sent whole: what else is there is left from an earlier time.
    """

    files: Mapping[str, Path]
    overrides: tuple[str, ...]
    folders: tuple[str, ...]


def needed_files(
    workspace: Workspace, experiment: Experiment, loaded: Loaded[Config], predictions: Collection[Path] = ()
) -> Sending:
    """Find what a worker needs to run the units of an experiment; nothing is decoded.

    These are the configuration and all that it extends, the user's code, the data, initial weights, and what is trained
    so far. Weights that come in packages or are downloaded are not sent, nor are checks of images that are remembered:
    they hold for the files of one machine, so each worker checks its images once.

    Args:
        workspace: of the experiment.
        experiment: an experiment, not an ensemble.
        loaded: its configuration.
        predictions: folders of predictions that the units read.

    Raises:
        ConfigError: the data come from Python or from the user's own code, or the experiment or a file that it extends
            is outside of the workspace.
        MissingFileError: a file or folder does not exist.
        ToolkitError: as `find_training_images`.
    """
    config = loaded.config
    if config.pseudo or any(stage.pseudo for stage in config.stages):
        raise ConfigError("pseudo: the labels of another experiment cannot be sent to other machines", _SHARE)
    _refuse_own_sources(config, loaded)
    found = _Files(Targets.of_workspace(workspace.root), workspace)
    found.add_configuration(experiment)
    found.add_own_code(experiment, config)
    found.add_keys(loaded)
    found.add_data(config)
    found.add_weights_of_others(experiment, config)
    found.add_progress(experiment)
    for folder in predictions:
        found.add(files_below(folder))
    return Sending(found.files, overrides_for(loaded, found.targets), tuple(dict.fromkeys(found.folders)))


def files_of_progress(workspace: Workspace, experiment: Experiment) -> dict[str, Path]:
    """What the stages of an experiment have written so far, by its path below the root of the workspace."""
    found = _Files(Targets.of_workspace(workspace.root), workspace)
    found.add_progress(experiment)
    return found.files


def _refuse_own_sources(config: Config, loaded: Loaded[Config]) -> None:
    data = config.data
    if data.is_given:
        raise ConfigError("a dataset that was given in Python cannot be sent to other machines", _SHARE)
    keys: list[tuple[tuple[str | int, ...], Any]] = [(("source",), data.source), (("test_source",), data.test_source)]
    keys += [(("merge", number, "source"), one.source) for number, one in enumerate(data.merge)]
    keys += [(("extra_train_data", number, "source"), one.source) for number, one in enumerate(data.extra_train_data)]
    for key, source in keys:
        if source is not None:
            raise ConfigError(
                f"{loaded.where('data', *key)}: {source.name} is your own code, which may read files that no key "
                "names, so they cannot be sent to other machines",
                _SHARE,
            )


@dataclass
class _Files:
    """The files that were found so far, and the folders that are sent whole."""

    targets: Targets
    workspace: Workspace
    files: dict[str, Path] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def add(self, paths: Iterable[Path]) -> None:
        """Add files, each at its place."""
        self.files |= {self.targets.of(path): path for path in paths}

    def add_if_there(self, *paths: Path) -> None:
        """Add those files that exist."""
        self.add(path for path in paths if path.is_file())

    def add_configuration(self, experiment: Experiment) -> None:
        """Add the configuration of an experiment and the files that it extends, its folds, and what was really run.

        Raises:
            ConfigError: one of them is outside of the workspace, or leads out of it by its path.
        """
        path, seen = experiment.config, set[Path]()
        if not self.targets.holds(path):
            raise ConfigError(
                f"{experiment.folder} is outside of the workspace {self.targets.root}, so it cannot be sent to other "
                "machines",
                "Run the command in the folder that has the experiment in its folder experiments.",
            )
        while path not in seen:
            seen.add(path)
            self.add([path])
            document = read_document(path)
            text = document.tree.get("extends")
            if not isinstance(text, str):
                break
            if not self.targets.keeps(text, path.parent):
                raise ConfigError(
                    f"{document.positions['extends',]}: extends: {text} leads out of the workspace "
                    f"{self.targets.root}, so it cannot be sent to other machines",
                    f"Copy the file into the workspace and extend it by a relative path. {_SHARE}",
                )
            path = seen_from(path.parent, text)
        self.add_if_there(experiment.resolved, experiment.folds)

    def add_own_code(self, experiment: Experiment, config: Config) -> None:
        """Add plugins.py and one's own modules that it or the configuration names.

        With a module go all modules beside it, because a folder without modules is no package.
        """
        self.add_if_there(experiment.plugins)
        folder = experiment.config.parent
        names = dotted_names(config, names_defined_beside(experiment.config))
        for name, source in sources_of(folder, names).items():
            top = name.partition(".")[0]
            for place, target in zip(own_folders(folder), (self.targets.of(folder), ""), strict=True):
                if source == place / f"{top}.py" or source.is_relative_to(place / top):
                    around = source.parents[: len(source.parents) - len(place.parents) - 1]
                    beside = [path for package in around for path in package.glob("*.py")]
                    self.files |= {_joined(target, path.relative_to(place)): path for path in (source, *beside)}
                    break

    def add_keys(self, loaded: Loaded[Config]) -> None:
        """Add the files and folders that keys name.

        Raises:
            MissingFileError: one does not exist.
        """
        own = {absolute(path) for path in (self.workspace.experiments, self.workspace.submissions)}
        own.add(absolute(self.workspace.cache.path))
        for key, path in path_keys(loaded.config):
            if path.is_file():
                self.add([path])
            elif path.is_dir():
                self.add(files_below(path, own))
                self.add(name_files_near(path))
                if not absolute(self.workspace.experiments).is_relative_to(absolute(path)):
                    self.folders.append(self.targets.of(path))
            else:
                raise MissingFileError(
                    f"{loaded.where(*key)}: there is no file or folder {path}", path_advice(path, str(key[-1]))
                )

    def add_data(self, config: Config) -> None:
        """Add the files of images and masks that no key names, for example those that a table of masks names."""
        shape, classes = config.shape, config.task_classes
        data = find_labelled(config), find_extra_images(config.data, classes, shape[2])
        self.add_if_there(*paths_named_in((*data, find_test_images(config.data, shape[2]))))

    def add_weights_of_others(self, experiment: Experiment, config: Config) -> None:
        """Add the weights of other experiments that stages start from, and what says that these are complete."""
        for value in (stage.initial_weights for stage in config.stages):
            if value is None or is_weight_file(value):
                continue
            self.add_configuration(experiment.sibling(weights_of(value).experiment))
            for fold in range(config.folds_count):
                for repeat in range(config.num_seeds):
                    path = initial_weights_path(experiment, value, fold, repeat)
                    if path is not None:
                        self.add_if_there(path, StageFolder(path.parent).state)

    def add_progress(self, experiment: Experiment) -> None:
        """Add what the stages have written so far, and how well engines agree; logs and pictures are not needed."""
        self.add_if_there(experiment.engine_checks)
        for stage in experiment.begun_stages():
            self.add(files_below(stage.folder, {absolute(stage.tensorboard)}))
        self.folders.append(self.targets.of(experiment.folder))


def _joined(target: str, path: Path) -> str:
    return f"{target}/{path.as_posix()}" if target else path.as_posix()
