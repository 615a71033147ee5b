"""The working folder: its experiments and submissions, found by name or path."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.config.yaml.file_paths import refuse_impossible
from toolkit.errors import ConfigError, MissingFileError
from toolkit.files.disk.cache_folder import CacheFolder, cache_beside
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Progress

if TYPE_CHECKING:  # pydantic is slow to import: tk --help does without it
    from toolkit.config.training.execution import EngineChoice

_LONGEST = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


@dataclass(frozen=True)
class Workspace:
    """The user's working folder, with experiments/ and submissions/.

    `dataset` is that of its experiments, and `engine` computes their networks in prediction; None if that is up to
    their configurations.
    """

    root: Path
    dataset: Any = field(default=None, repr=False, compare=False)
    engine: "EngineChoice | None" = None

    @property
    def experiments(self) -> Path:
        """One folder per experiment."""
        return self.root / "experiments"

    @property
    def submissions(self) -> Path:
        """What `tk submit` writes."""
        return self.root / "submissions"

    @property
    def index(self) -> Path:
        """The page that lists all experiments."""
        return self.root / "reports" / "index.html"

    def report_of(self, names: Sequence[str]) -> Path:
        """The page that compares several experiments."""
        return self.root / "reports" / f"{'+'.join(names)[:_LONGEST]}.html"

    @property
    def submission_log(self) -> Path:
        """The log of all submissions and their leaderboard scores."""
        return self.submissions / "log.csv"

    @property
    def cache(self) -> CacheFolder:
        """What can be made again."""
        return cache_beside(self.experiments)

    def all(self) -> list[Experiment]:
        """All experiments, sorted by name."""
        folders = sorted(self.experiments.iterdir()) if self.experiments.is_dir() else []
        found = (Experiment(folder, self.dataset, self.engine) for folder in folders)
        return [experiment for experiment in found if experiment.config.is_file()]

    def find(self, name_or_path: str) -> Experiment:
        """The experiment with a name (`exp042`) or path (`experiments/exp042`, with or without config.yaml).

        Raises:
            MissingFileError: it does not exist.
            ConfigError: it is the configuration file of another system, or one that is in no experiment.
        """
        refuse_impossible(name_or_path or ".", "the name of an experiment")
        given = Path(name_or_path)
        for folder in (self.experiments / given, self.root / given, (self.root / given).parent):
            config = Experiment(folder).config
            if config.is_file() and given.name in (folder.name, config.name):
                return self._at(folder)
        self._refuse_file(name_or_path)
        known = ", ".join(experiment.name for experiment in self.all()) or "none"
        places = f"neither {self.experiments / given} nor {self.root / given} holds a config.yaml"
        if given.is_absolute():
            places = f"{given} holds no config.yaml"
        raise MissingFileError(
            f"there is no experiment {name_or_path!r}: {places}; existing experiments: {known}",
            f"To create it: tk new {given.name or 'NAME'} --images FOLDER --masks FOLDER_OR_CSV",
        )

    def _refuse_file(self, name_or_path: str) -> None:
        """Raise what is known about a file that is given in the place of an experiment."""
        # Slow, and only for a mistake; `tk --help` starts without it.
        from toolkit.config.migrating.foreign_files import (  # noqa: PLC0415
            FILES,
            about_file,
            file_of_module,
            missing,
        )

        path = file_of_module(name_or_path, self.root) or self.root / name_or_path
        error = about_file(path) if path.is_file() else None
        if error is not None:
            raise error
        if path.suffix in FILES and path.name != Experiment(path.parent).config.name:
            raise missing(path)

    def free_name(self, name: str) -> str:
        """A name that no experiment has: the given one, or with a number behind it."""
        taken = {experiment.name for experiment in self.all()}
        names = (f"{name}{number}" if number > 1 else name for number in count(1))
        return next(one for one in names if one not in taken)

    def last_finished(self) -> Experiment:
        """The most recently finished experiment or ensemble.

        Raises:
            MissingFileError: no experiment is finished.
        """
        finished = [experiment for experiment in self.all() if experiment.score.is_file()]
        if not finished:
            raise MissingFileError(f"no experiment in {self.experiments} is finished yet", "Run: tk fit EXPERIMENT")
        return max(finished, key=lambda experiment: experiment.score.stat().st_mtime_ns)

    def find_or_last(self, name_or_path: str | None, progress: Progress) -> Experiment:
        """The experiment with a name or path; without a name, the most recently finished one, which is reported."""
        if name_or_path is not None:
            return self.find(name_or_path)
        experiment = self.last_finished()
        progress.say(f"using {experiment.name}, the most recently finished experiment")
        return experiment

    def place(self, name_or_path: str) -> Experiment:
        """The place of an experiment with this name in experiments/, whether it exists or not.

        Raises:
            ConfigError: the name is not valid.
        """
        refuse_impossible(name_or_path or ".", "the name of an experiment")
        given = Path(name_or_path)
        experiment = self._at(self.experiments / given if len(given.parts) == 1 else self.root / given)
        if experiment.folder.parent != self.experiments or not _NAME.fullmatch(experiment.name):
            raise ConfigError(
                f"{name_or_path!r} is not valid as the name of an experiment: it may have at most 200 letters, digits "
                "and . _ + -, and starts with a letter or digit",
                "Choose another name, for example exp042; with --name NAME where the command has this option.",
            )
        return experiment

    def new(self, name_or_path: str) -> Experiment:
        """The place for a new experiment.

        Raises:
            ConfigError: the name is not valid, or the experiment exists.
        """
        experiment = self.place(name_or_path)
        if experiment.config.exists():
            raise ConfigError(
                f"{experiment.folder} already exists", f"Edit {experiment.config}, or choose another name."
            )
        return experiment

    def refuse_inside_experiment(self, out: Path) -> None:
        """Check that results are not written among the files of an experiment.

        Raises:
            ConfigError: the path is the folder of an experiment, or inside it.
        """
        place = out.resolve()
        for folder in (place, *place.parents):
            experiment = Experiment(folder)
            is_listed = folder.parent == self.experiments.resolve() and experiment.config.is_file()
            if is_listed or experiment.resolved.is_file():
                raise ConfigError(
                    f"--out: {out} is inside the experiment {folder.name}, which holds only its own files",
                    "Choose a folder elsewhere.",
                )

    def _at(self, folder: Path) -> Experiment:
        """The experiment of a folder, with the same path however the folder was spelled."""
        # Without following links, as Path.resolve does: messages show the path that the user typed.
        absolute, root = (Path(os.path.abspath(path)) for path in (folder, self.experiments))  # noqa: PTH100
        place = self.experiments / absolute.name if absolute.parent == root else absolute
        return Experiment(place, self.dataset, self.engine)
