"""`tk search`: trains trials with other values of keys, and judges the best one on folds that did not choose it."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.commands.comparing.recorded_scores import direction_of
from toolkit.commands.reporting.report import Quiet, page_at_the_end
from toolkit.commands.session import Session
from toolkit.commands.training.fit import FitOptions, fit
from toolkit.commands.training.made_from import changes_of_results, code_and_weights
from toolkit.commands.training.settings import load_as_run
from toolkit.commands.training.trials.estimate import choose, estimate, scored_trials
from toolkit.commands.training.trials.pruning import PrunedError, watching
from toolkit.commands.training.trials.search_result import SearchResult, result_of
from toolkit.commands.training.trials.study_file import Study, Trial, open_study, require_optuna
from toolkit.commands.training.trials.trial_experiments import check_values, write_trial
from toolkit.commands.training.units.training_job import TrainingJob, find_job
from toolkit.config.checks.search_space import SearchSpace, read_space
from toolkit.config.loading import plain_config
from toolkit.config.yaml.key_differences import written
from toolkit.core.metrics.metric import Direction
from toolkit.core.metrics.registry import build_metric
from toolkit.errors import (
    ConfigError,
    NetworkError,
    NothingToLearnError,
    NotReadyError,
    OutOfTimeError,
    ToolkitError,
    TrainingError,
    listing_lines,
)
from toolkit.files.disk.json_files import write_json
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.folds_csv import folds_digest
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.files.experiment.resolved import load_experiment, read_resolved
from toolkit.files.inspection.checking import duplicate_findings_of
from toolkit.files.inspection.data_findings import warn_of
from toolkit.learning.engines.openvino_package import refuse_missing
from toolkit.messages import Silent, score_text

_FAILURES = (ConfigError, NetworkError, TrainingError, NothingToLearnError)
"""What may be wrong with the values of one trial; every other error ends the search."""
_OUT_OF_MEMORY = "ResourceExhaustedError"
"""The error of TensorFlow when the memory of a GPU is not enough, by its name: this module does not import it."""


@dataclass(frozen=True)
class _Search:
    """What all trials share."""

    session: Session
    experiment: Experiment
    search_space: SearchSpace
    job: TrainingJob
    direction: Direction
    until: float

    @property
    def seconds_left(self) -> float | None:
        """The seconds until the search ends; None without a limit."""
        return None if math.isinf(self.until) else self.until - time.monotonic()

    @property
    def prunes(self) -> bool:
        """Whether trials may end early; epochs on other machines are not seen from here."""
        return self.search_space.space.pruning and self.session.cluster is None


def search(
    session: Session, name: str, space: Path, *, trials: int | None = None, hours: float | None = None
) -> SearchResult:
    """Train trials of an experiment with the values that a space allows, and judge the best one.

    A second call goes on where the first one stopped; several processes may run at once. Each trial is an experiment of
    its own, beside the one that is searched.

    Args:
        session: the folder of all experiments, what shows progress, and other machines that train.
        name: name or path of the experiment.
        space: the file that says what is tried.
        trials: how many trials there shall be, those of earlier calls included; None for no limit.
        hours: when to stop; the trial that is not finished then goes on in the next call. None for no limit.

    Raises:
        ConfigError: an option, the space or the configuration is not valid, or Optuna is not installed.
        ChangedError: the search was begun with another space, configuration, data or folds.
        StorageError, LockedError: the study cannot be used; see `open_study`.
        NotReadyError: no trial could be trained.
        ToolkitError: as `fit`.
    """
    started = time.monotonic()
    _check_limits(trials, hours)
    require_optuna()
    experiment = session.workspace.find(name)
    refuse_ensemble(experiment, "keys of training to search")
    search_space = read_space(space)
    loaded = load_as_run(session, experiment)
    check_values(experiment, search_space)
    refuse_missing(experiment.engine or loaded.config.engine)
    job = find_job(experiment, loaded, session.progress)
    warn_of(duplicate_findings_of(job.dataset.index.facts, job.table.folds, ()), session.progress)
    until = math.inf if hours is None else started + hours * 3600
    this = _Search(session, experiment, search_space, job, _direction(job), until)
    if search_space.space.pruning and not this.prunes:
        session.progress.say("trials on a cluster are not pruned: all of them are trained to the end")
    basis = _basis(this)
    with open_study(experiment, search_space, direction=this.direction, seed=loaded.config.seed, basis=basis) as study:
        while this.seconds_left is None or this.seconds_left > 0:
            with study.claimed(trials) as trial:
                if trial is None or not _ran(this, study, trial):
                    break
                _tell(this, study, trial.number)
        return _concluded(this, study)


def _check_limits(trials: int | None, hours: float | None) -> None:
    if trials is None and hours is None:
        raise ConfigError(
            "tk search needs an end", "Give --trials N, --hours H, or both: the first one reached counts."
        )
    if trials is not None and not 1 <= trials <= 100_000:
        raise ConfigError(f"--trials: expected a whole number from 1 to 100000, received {trials}")
    if hours is not None and not 0 < hours <= 10_000:
        raise ConfigError(f"--hours: expected a number above 0 and at most 10000, received {hours:g}")


def _direction(job: TrainingJob) -> Direction:
    """Whether more or less of the primary metric is better."""
    config, experiment = job.loaded.config, job.experiment
    spec = config.metric_specs[0]
    if not spec.is_plugin:
        return direction_of(experiment, spec)
    from toolkit.learning.plugins import Plugins

    return build_metric(spec, config.class_count, config.activation, Plugins.of(experiment)).direction


def _basis(this: _Search) -> dict[str, Any]:
    """What must not change while a search goes on: all that training reads, and the configuration as it is now."""
    experiment = this.experiment
    silent = Session(this.session.workspace, Silent(), this.session.cluster)
    job = replace(this.job, loaded=load_as_run(silent, experiment))
    digests = {key: value for key, value in job.dataset.digests.items() if key not in ("test_data", "dataset")}
    digests |= {"folds": folds_digest(job.table.folds)} | code_and_weights(job, Silent())
    return {
        "direction": this.direction,
        "digests": digests,
        "experiment": plain_config(job.loaded.config, experiment.folder),
    }


def _ran(this: _Search, study: Study, trial: Trial) -> bool:
    """Train a trial until it is finished, pruned or failed; returns whether the time was enough."""
    progress = this.session.progress
    what = ", ".join(f"{key}={written(value)}" for key, value in trial.values.items())
    progress.say(f"trial {trial.number}: {what}")
    study.refuse_other(_basis(this))  # the configuration may have been edited since the last trial
    folds_given = this.job.loaded.config.folds is not None
    found = write_trial(this.experiment, this.search_space, trial, this.job.table, folds_given=folds_given)
    try:
        score = _score(this, study, trial, found)
    except OutOfTimeError:
        return False
    except PrunedError as pruned:
        study.end(trial.number, "pruned", note=str(pruned))
    except _FAILURES as error:
        study.end(trial.number, "failed", note=" ".join(error.message.split()))
    except Exception as error:
        if not isinstance(error, MemoryError) and type(error).__name__ != _OUT_OF_MEMORY:
            raise
        study.end(trial.number, "failed", note="the memory of this machine is not enough for it")
    else:
        if score is None:
            study.end(trial.number, "failed", note="the metric skips every image, so it has no score")
        else:
            study.end(trial.number, "finished", score)
    return True


def _score(this: _Search, study: Study, trial: Trial, found: Experiment) -> float | None:
    """Train and score the experiment of a trial; raises PrunedError, and as `fit`."""
    session = this.session
    watch = None
    if this.prunes:
        config = load_experiment(found).config
        watch = watching(found, config, study, trial.number, this.direction)
        watch()
    options = FitOptions(max_seconds=this.seconds_left, trial=True, after_epoch=watch)
    quiet = Session(session.workspace, Quiet(session.progress), session.cluster)
    return fit(quiet, str(found.folder.absolute()), options=options).all


def _tell(this: _Search, study: Study, number: int) -> None:
    """Say how a trial ended, which is best so far, and what the choice is worth."""
    trials = study.trials()
    last = trials[number]
    ended = score_text(last.score) if last.state == "finished" else f"{last.state}: {last.note}"
    scored = scored_trials(this.experiment, trials, this.job.table)
    choice = choose(scored, this.direction)
    best = ""
    if choice is not None:
        best = f"; best so far: trial {scored.numbers[choice.best]} with {score_text(choice.optimistic)}"
        best += f", nested {score_text(choice.nested)}" if choice.by_fold else ""
    this.session.progress.say(f"trial {last.number}: {ended}{best}")


def _concluded(this: _Search, study: Study) -> SearchResult:
    """Judge the trials that are finished, and write what was found."""
    experiment, session, trials = this.experiment, this.session, study.trials()
    scored = scored_trials(experiment, trials, this.job.table)
    failed = [trial for trial in trials if trial.state == "failed"]
    if failed and not scored.numbers and all(trial.state == "failed" for trial in trials):
        raise NotReadyError(
            f"none of {len(trials)} trials could be trained:\n"
            + listing_lines(f"trial {trial.number}: {trial.note}" for trial in failed),
            f"Change {this.search_space.source}, and begin again from a new experiment: "
            f"tk new NAME --extends {experiment.name}",
        )
    found = estimate(experiment, scored, this.direction, session.progress, outdated=_outdated(this))
    result = result_of(
        experiment,
        this.search_space,
        trials,
        scored,
        found,
        metric=this.job.loaded.config.primary_label,
        direction=this.direction,
        importance=study.importance(),
        has_test=this.job.dataset.test is not None,
    )
    write_json(experiment.search, result.record())
    return result.with_page(page_at_the_end(session, experiment, wanted=this.job.loaded.config.report))


def _outdated(this: _Search) -> str:
    """Why the scores of the experiment itself are of no use for a comparison; empty if they are."""
    experiment = this.experiment
    if not experiment.score.is_file():
        return (
            f"{experiment.name} itself is not trained, so nothing says how much better a trial is; to know: tk fit "
            f"{experiment.name}, and then the same tk search, which trains nothing again"
        )
    try:
        changes = changes_of_results(read_resolved(experiment).config, _plain(this))
    except ToolkitError as error:
        return f"{experiment.name} itself is not compared: {error.message}"
    if changes:
        return f"{experiment.name} itself is not compared: its results are of another configuration ({changes[0]})"
    return ""


def _plain(this: _Search) -> Mapping[str, Any]:
    return plain_config(this.job.loaded.config, this.experiment.folder)
