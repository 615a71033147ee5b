"""The study of a search: an SQLite database of Optuna, from which a search goes on after any interruption.

This is the only module that knows Optuna, and the only one whose file is not written by toolkit/files/disk/: SQLite
changes its database in place, and its journal keeps it whole when a process is killed in between.
"""

import importlib.util
import json
import sqlite3
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from toolkit.commands.training.made_from import changes_of_results
from toolkit.config.checks.search_space import Axis, SearchSpace
from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.key_differences import differences, written
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.uncertainty.trial_choice import Curve, Point
from toolkit.core.randomness import derived_seed
from toolkit.errors import ChangedError, ConfigError, LockedError, StorageError, ToolkitError
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.locks import locked
from toolkit.files.experiment.folder import Experiment

if TYPE_CHECKING:
    import optuna

State = Literal["running", "finished", "pruned", "failed"]

_STUDY = "search"
_BASIS, _NOTE = "basis", "note"
_WAIT = 60.0
"""Seconds to wait for other processes, which hold the lock or the database for milliseconds."""
_FOLD = 1000
"""A point of a curve as Optuna's step: 1000 · fold + percent."""
_DIGITS = 4
_FEWEST_FOR_IMPORTANCE = 6


@dataclass(frozen=True)
class Trial:
    """A trial: the value of each key, how far it is, its score if it is finished, and why it ended otherwise.

    `values` are plain data as in a configuration; they are empty for a trial that has no values yet.
    """

    number: int
    state: State
    values: Mapping[str, Any]
    score: float | None = None
    note: str = ""
    curve: Curve = field(default_factory=dict)


@contextmanager
def open_study(
    experiment: Experiment, search_space: SearchSpace, *, direction: Direction, seed: int, basis: Mapping[str, Any]
) -> Iterator["Study"]:
    """Open the study of an experiment; the first call makes it.

    Args:
        experiment: that is searched.
        search_space: what is tried.
        direction: whether more or less is better.
        seed: of the experiment; the values of a trial derive from it, its number, and the trials before it.
        basis: what all trials share, as plain data, the configuration as `experiment`; a study with another basis or
            space is refused.

    Raises:
        ConfigError: Optuna is not installed.
        ChangedError: the study was made with another space or basis.
        LockedError: another process holds the database for a minute.
        StorageError: the database is damaged, of another version of Optuna, or cannot be written.
    """
    optuna = require_optuna()
    path = experiment.study
    make_folder(path.parent)
    if path.exists() or path.is_symlink():
        regular(path)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=_WAIT, check_same_thread=False)

    with ExitStack() as stack:
        with locked(experiment.search_lock(), wait=_WAIT), _telling(path):
            # A function in the place of an address, which could not hold every path.
            storage = optuna.storages.RDBStorage("sqlite:///study.db", engine_kwargs={"creator": connect})
            stack.callback(storage.engine.dispose)
            stack.callback(storage.remove_session)
            found = optuna.create_study(
                study_name=_STUDY, storage=storage, load_if_exists=True, direction=f"{direction}imize"
            )
            study = Study(experiment, search_space, found, seed)
            study.refuse_other(basis)
        yield study


class Study:
    """The trials of a search, which several processes may share: a lock keeps each trial to one of them."""

    def __init__(self, experiment: Experiment, search_space: SearchSpace, study: "optuna.Study", seed: int) -> None:
        """`study` is that of Optuna; the others are as for `open_study`."""
        self._experiment, self._space, self._study, self._seed = experiment, search_space.space, study, seed
        self._source = search_space.source

    def refuse_other(self, basis: Mapping[str, Any]) -> None:
        """Record what the study is made of; raises ChangedError if it was made of something else."""
        space = self._space.model_dump(exclude_unset=True)
        now = json.loads(json.dumps({"space": space, **basis}, default=lambda _: "given in Python"))
        before = self._study.user_attrs.get(_BASIS)
        if before is None:
            self._study.set_user_attr(_BASIS, now)
            return
        changes = _changes(before, now)
        if changes:
            name = self._experiment.name
            raise ChangedError(
                "\n".join(
                    [f"the search in {self._experiment.study.parent} was begun otherwise; changed since:", *changes]
                ),
                f"Undo the change, or search from a new experiment: tk new NAME --extends {name}, then "
                f"tk search NAME {self._source}",
            )

    @contextmanager
    def claimed(self, limit: int | None) -> Iterator[Trial | None]:
        """Hold a trial that no other process works on, while the block runs; None if there is none.

        First those whose process has ended before them, then a new one, as long as there are fewer than `limit`.
        """
        with ExitStack() as held:
            with locked(self._experiment.search_lock(), wait=_WAIT):
                number = self._left_by_others(held)
                if number is None and (limit is None or len(self.trials()) < limit):
                    number = self._begin(held)
            yield None if number is None else self.trials()[number]

    def trials(self) -> list[Trial]:
        """All trials, by their number."""
        with self._guarded():
            return [self._trial(found) for found in self._study.get_trials(deepcopy=False)]

    def report(self, number: int, at: Point, value: float) -> None:
        """Record a point of the curve of a trial."""
        with self._guarded():
            self._of_optuna(number).report(value, at.fold * _FOLD + at.percent)

    def end(self, number: int, state: State, score: float | None = None, note: str = "") -> None:
        """Record how a trial ended: finished with a score, pruned or failed with a note."""
        import optuna

        states = {"finished": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
        with self._guarded():
            if note:
                self._of_optuna(number).set_user_attr(_NOTE, note)
            self._study.tell(number, score, optuna.trial.TrialState[states[state]])

    def importance(self) -> dict[str, float]:
        """How much of the difference between good and other trials each key explains; the shares add up to 1.

        By PED-ANOVA (Watanabe et al., 2023). Empty with too few finished trials, or if all score alike.
        """
        import optuna

        finished = [trial for trial in self.trials() if trial.state == "finished"]
        if len(finished) < _FEWEST_FOR_IMPORTANCE or len({trial.score for trial in finished}) < 2:
            return {}
        with self._guarded():
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {key: found[key] for key in self._space.keys if key in found}

    def _left_by_others(self, held: ExitStack) -> int | None:
        """The first running trial whose lock is free, because its process has ended; the lock is then held."""
        for trial in self.trials():
            if trial.state != "running":
                continue
            try:
                held.enter_context(locked(self._experiment.search_lock(trial.number)))
            except LockedError:
                continue
            if self.trials()[trial.number].state == "running":  # it may have ended in between
                self._choose_values(trial.number)
                return trial.number
            held.close()
        return None

    def _begin(self, held: ExitStack) -> int:
        with self._guarded():
            number: int = self._study.ask().number
        held.enter_context(locked(self._experiment.search_lock(number), wait=_WAIT))
        self._choose_values(number)
        return number

    def _choose_values(self, number: int) -> None:
        """Choose what is not chosen yet; each key by a sampler of its own, so that an interruption changes nothing."""
        import optuna

        with self._guarded():
            trial = self._of_optuna(number)
            for key, axis in self._space.keys.items():
                seed = derived_seed(f"search {key}", self._seed, number)
                self._study.sampler = (
                    optuna.samplers.RandomSampler(seed)
                    if self._space.sampler == "random"
                    else optuna.samplers.TPESampler(seed=seed, constant_liar=True)
                )
                _suggest(trial, key, axis)

    def _of_optuna(self, number: int) -> "optuna.Trial":
        import optuna

        return optuna.trial.Trial(self._study, self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _trial(self, found: "optuna.trial.FrozenTrial") -> Trial:
        states: dict[str, State] = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed"}
        state = states.get(found.state.name, "running")
        keys = self._space.keys
        complete = keys.keys() <= found.params.keys()
        curve = {Point(*divmod(step, _FOLD)): value for step, value in found.intermediate_values.items()}
        return Trial(
            found.number,
            state,
            {key: _value(found.params[key], axis) for key, axis in keys.items()} if complete else {},
            found.value if state == "finished" else None,
            str(found.user_attrs.get(_NOTE, "")),
            curve,
        )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with _telling(self._experiment.study):
            yield


def _changes(before: Any, now: Mapping[str, Any]) -> list[str]:
    """What differs between the bases of a study, a line each."""
    if not isinstance(before, dict) or before.keys() != now.keys():
        return ["  the study is of another version of tk search"]
    others = [{key: value for key, value in basis.items() if key != "experiment"} for basis in (before, now)]
    found = [f"{one.key}: {' → '.join(map(written, one.values))}" for one in differences(others)]
    return [f"  {line}" for line in [*found, *changes_of_results(before["experiment"], now["experiment"])]]


def require_optuna() -> Any:
    """The module optuna; raises ConfigError where it is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("tk search: Optuna is not installed", "Run: pip install 'segmentation-toolkit[search]'")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn what SQLite and Optuna raise about the database into errors for the user."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():  # of what Optuna calls experimental; its version is pinned
            warnings.simplefilter("ignore")
            yield
    except ToolkitError:
        raise
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _told(path, str(getattr(error, "orig", None) or error)) from error
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        if "no longer compatible" in str(error):
            raise StorageError(
                f"{path} was written by another version of Optuna", "Run: pip install --upgrade optuna"
            ) from error
        cause = error.__cause__
        raise _told(path, str(getattr(cause, "orig", None) or cause or error)) from error


_AGAIN = (
    "Restore a copy. Without one, delete it and run the same command: what trials have trained is in their own "
    "folders, and is used again."
)


def _told(path: Path, text: str) -> ToolkitError:
    said = text.splitlines()[0] if text else "unknown"
    if "locked" in said:
        return LockedError(f"another process has been writing {path} for a minute", "Wait until it ends, or stop it.")
    if any(word in said for word in ("readonly", "read-only", "unable to open", "full", "disk I/O")):
        return StorageError(f"cannot write {path}: {said}", "Free some space or check the permissions.")
    return StorageError(f"{path} is damaged: {said}", _AGAIN)


def _suggest(trial: "optuna.Trial", key: str, axis: Axis) -> None:
    """Let Optuna choose the value of a key, unless it has one; choices are named by their text."""
    if axis.choices is not None:
        trial.suggest_categorical(key, axis.texts)
    elif axis.is_whole:
        trial.suggest_int(key, int(axis.low or 0), int(axis.high or 0), step=int(axis.step or 1), log=axis.log)
    else:
        step = None if axis.step is None else float(axis.step)
        trial.suggest_float(key, float(axis.low or 0), float(axis.high or 0), step=step, log=axis.log)


def _value(chosen: Any, axis: Axis) -> Any:
    """The value of a key as it is configured: a choice itself, or a number with few digits."""
    if axis.choices is not None:
        return axis.choices[axis.texts.index(chosen)]
    if axis.is_whole:
        return int(chosen)
    low, high = float(axis.low or 0), float(axis.high or 0)
    short = min(max(float(f"{chosen:.{_DIGITS}g}"), low), high)
    return short if abs(short - chosen) <= (high - low) / 1000 else float(chosen)
