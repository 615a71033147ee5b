"""Experiments that functions for Python are given: by name, by path, or as an Experiment."""

from pathlib import Path
from typing import overload

from toolkit.api.arguments import Shown, as_progress
from toolkit.api.experiment import Experiment
from toolkit.commands.session import Session
from toolkit.files.experiment.workspace import Workspace

AnyPath = str | Path
Named = AnyPath | Experiment


@overload
def name_of(experiment: Named) -> str: ...


@overload
def name_of(experiment: None) -> None: ...


def name_of(experiment: Named | None) -> str | None:
    """What commands call an experiment."""
    return experiment.path if isinstance(experiment, Experiment) else None if experiment is None else str(experiment)


def session_for(progress: Shown, *experiments: Named | None) -> Session:
    """The session of the first Experiment, one with a dataset before others; without any, one in the current folder."""
    sessions = [one.session for one in experiments if isinstance(one, Experiment)]
    session = next((one for one in sessions if one.workspace.dataset is not None), sessions[0] if sessions else None)
    if session is not None and progress is None:
        return session
    return Session(Workspace(Path()) if session is None else session.workspace, as_progress(progress))
