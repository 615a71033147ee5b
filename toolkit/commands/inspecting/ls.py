"""`tk ls`: the experiments and ensembles of a workspace, their state and scores."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.commands.session import Session
from toolkit.config.loading import load_ensemble
from toolkit.errors import ToolkitError, counted
from toolkit.files.disk.json_files import STRICT, Number, read_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.score_json import known_score
from toolkit.files.experiment.trained import trained_folds
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import is_made, store_digest
from toolkit.messages import Table, score_text
from toolkit.report.result import Result, page_line


@dataclass(frozen=True)
class ListedExperiment:
    """One row of `tk ls`; scores that do not exist yet are None. `finished` is a time in seconds since 1970."""

    name: str
    kind: str
    state: str
    metric: str | None = None
    oof: float | None = None
    tuned: float | None = None
    nested: float | None = None
    empty: float | None = None
    constant: float | None = None
    finished: float | None = None


@dataclass(frozen=True)
class ListResult(Result):
    """All experiments and ensembles by name; `verbose` also shows what constant masks score.

    `page` is the file of the index, if one was written.
    """

    experiments: list[ListedExperiment]
    verbose: bool = False
    page: str = ""

    def tables(self) -> list[Table]:
        """One row for each experiment."""
        scores = ["OOF", "tuned", "nested", *(["empty", "constant"] if self.verbose else [])]
        columns = ("experiment", "kind", "state", "metric", *scores)
        rows = [
            (
                entry.name,
                entry.kind,
                entry.state,
                entry.metric or "",
                *(score_text(getattr(entry, score.lower()), missing="") for score in scores),
            )
            for entry in self.experiments
        ]
        return [Table("experiments", columns, rows)]

    def next_steps(self) -> list[str]:
        """The page, if one was written, and the next command if there is no experiment yet."""
        new = [] if self.experiments else ["next: tk new NAME --images FOLDER --masks FOLDER_OR_CSV"]
        return [*page_line(self.page), *new]


def list_experiments(session: Session, *, verbose: bool = False, html: bool = False) -> ListResult:
    """List every experiment and ensemble; a broken configuration is shown as its state.

    With `html`, the list is also written as a page with links to those of the experiments.

    Raises:
        StorageError: the page cannot be written.
    """
    found = ListResult([_list_one(experiment) for experiment in session.workspace.all()], verbose)
    return replace(found, page=_write_index(session.workspace, found)) if html else found


def _write_index(workspace: Workspace, found: ListResult) -> str:
    from toolkit.report.page.document import Document
    from toolkit.report.page.experiments_index import IndexRow, index_sections

    def row(one: ListedExperiment, experiment: Experiment) -> IndexRow:
        link = Path(os.path.relpath(experiment.report, workspace.index.parent)).as_posix()
        return IndexRow(
            one.name,
            quote(link) if experiment.report.is_file() else "",
            one.kind,
            one.state,
            one.metric or "",
            one.oof,
            one.tuned,
            one.nested,
            one.finished,
        )

    rows = [row(*pair) for pair in zip(found.experiments, workspace.all(), strict=True)]
    count = counted(len(rows), "experiment")
    write_text(workspace.index, Document("Experiments", count, index_sections(rows)).html())
    return str(workspace.index)


def _list_one(experiment: Experiment) -> ListedExperiment:
    try:
        kind = _kind(experiment)
        state = _state(experiment)
        score = known_score(experiment)
        tuned = _tuned(experiment)
    except ToolkitError as error:
        return ListedExperiment(experiment.name, "?", f"broken: {error.message.splitlines()[0]}")
    listed = ListedExperiment(experiment.name, kind, state, tuned=tuned.get("tuned"), nested=tuned.get("nested"))
    if score is None:
        return listed
    finished = experiment.score.stat().st_mtime
    listed = replace(listed, metric=score["metric"], oof=score["all"], finished=finished)
    constant = score.get("constant")
    return listed if constant is None else replace(listed, empty=constant["empty"], constant=constant["best"])


@with_config(STRICT)
class _TunedScores(TypedDict, total=False):
    tuned: Number
    nested: Number
    oof_predictions: str


def _tuned(experiment: Experiment) -> _TunedScores:
    """tuned.json; empty without one, and if the predictions have changed since."""
    if not experiment.tuned.is_file():
        return {}
    tree = read_json(experiment.tuned, TypeAdapter(_TunedScores), f"Run: tk tune {experiment.name}")
    store, digest = experiment.predictions("oof"), tree.get("oof_predictions")
    return {} if digest is not None and is_made(store) and store_digest(store) != digest else tree


def _kind(experiment: Experiment) -> str:
    if not experiment.is_ensemble:
        return "experiment"
    return f"ensemble of {len(load_ensemble(experiment.config).config.members)}"


def _state(experiment: Experiment) -> str:
    if experiment.is_ensemble or not experiment.has_training():
        return "finished" if experiment.score.is_file() else "new"
    config = read_resolved(experiment).config
    counts = {"folds": config["folds_count"], "stages": len(config["stages"]), "seeds": config["num_seeds"]}
    done = len(trained_folds(experiment, **counts))
    if done == counts["folds"] and experiment.score.is_file():
        return "finished"
    return f"{done} of {counts['folds']} folds trained"
