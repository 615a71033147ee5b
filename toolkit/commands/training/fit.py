"""`tk fit`: train the folds of an experiment, predict and score."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.commands.predicting.shards.shard_units import predict_all_on
from toolkit.commands.reporting.report import page_at_the_end
from toolkit.commands.scoring.constant_score import read_constant
from toolkit.commands.scoring.overlays import write_overlays
from toolkit.commands.scoring.scores import (
    Scores,
    Scoring,
    counts_as,
    read_holdout,
    read_optimism,
    score_stores,
    write_scores,
)
from toolkit.commands.scoring.stage_scores import better_stage
from toolkit.commands.session import Session
from toolkit.commands.training.fit_result import FitResult
from toolkit.commands.training.folds.fold_pictures import FoldPictures
from toolkit.commands.training.made_from import begin_results, code_and_weights
from toolkit.commands.training.settings import load_for_training, save_settings
from toolkit.commands.training.units.training_job import TrainingJob, find_job
from toolkit.commands.training.units.training_units import train_on
from toolkit.config.loading import plain_config
from toolkit.config.models import Config
from toolkit.core.metrics.registry import build_metric
from toolkit.core.recipe.postprocess import IDENTITY
from toolkit.errors import ConfigError, out_of_range
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.datasets.pseudo.seen_images import write_labels_used
from toolkit.files.datasets.scored_size import at_scored_size
from toolkit.files.datasets.truth import only
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.folds_csv import FoldTable, folds_digest, write_folds
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.files.experiment.resolved import (
    Resolved,
    read_resolved,
    versions,
)
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.trained import read_state, untrained_folds
from toolkit.files.inspection.checking import duplicate_findings_of
from toolkit.files.inspection.data_findings import warn_of
from toolkit.files.predictions.store import ProbabilityStore, engines_of
from toolkit.learning.engines.openvino_package import refuse_missing
from toolkit.messages import Profiled, Progress, phase

if TYPE_CHECKING:
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment


@dataclass(frozen=True)
class FitOptions:
    """The folds and stages to train (all if None), the time limit, and whether to discard earlier results.

    With `save`, settings of the command line are written into config.yaml; `profile` counts the seconds of each phase.
    A `trial` of a search is only scored: test images are not predicted, and no page is written. `after_epoch` is called
    when the files of an epoch are written, on this machine alone; what it raises ends the training.
    """

    folds: Sequence[int] | None = None
    stages: Sequence[int] | None = None
    max_seconds: float | None = None
    restart: bool = False
    save: bool = False
    profile: bool = False
    trial: bool = False
    after_epoch: Callable[[], None] | None = None

    def check(self, config: Config) -> tuple[list[int], list[int]]:
        """The numbers of the folds and stages to train, sorted.

        Raises:
            ConfigError: there is no such fold or stage.
        """
        return (
            _numbers("fold", self.folds, config.folds_count),
            _numbers("stage", self.stages, len(config.stages)),
        )


def _numbers(what: str, given: Sequence[int] | None, count: int) -> list[int]:
    wanted = list(range(count)) if given is None else sorted(set(given))
    for number in wanted:
        if not 0 <= number < count:
            raise ConfigError(f"--{what}s: {out_of_range(what, number, count)}")
    return wanted


def fit(session: Session, name: str, *, overrides: Sequence[str] = (), options: FitOptions = FitOptions()) -> FitResult:
    """Train folds of an experiment and, once all are finished, predict and score.

    Finished work is kept: a second call resumes where the first one stopped, unless `options.restart` is set.

    Raises:
        ToolkitError: the configuration or the data are not valid (checked before training), another run works on the
            experiment, or earlier results were made with a different configuration.
        OutOfTimeError: the time limit is reached.
    """
    started = time.perf_counter()
    if options.profile:
        session = replace(session, progress=Profiled(session.progress))
    experiment, progress = session.workspace.find(name), session.progress
    refuse_ensemble(experiment, "folds to train", advice="To make it again, run: tk ensemble MEMBER MEMBER")
    loaded, settings = load_for_training(session, experiment, overrides, restart=options.restart, save=options.save)
    options.check(loaded.config)
    refuse_missing(experiment.engine or loaded.config.engine)
    if options.restart and not (options.folds is None and options.stages is None):
        raise ConfigError(
            "--restart discards the results of all folds and stages, so it cannot be combined with --folds or --stages",
            f"To start over, run: tk fit {experiment.name} --restart",
        )
    with experiment.locked(with_tasks=session.cluster is not None):
        job = find_job(experiment, loaded, progress, restart=options.restart)
        warn_of(duplicate_findings_of(job.dataset.index.facts, job.table.folds, ()), progress)
        if options.save:
            save_settings(experiment, loaded, settings, progress)
            settings = {}
        scored = _train_predict_score(session, replace(job, settings=settings), options, started)
    with phase(progress, "page"):
        page = page_at_the_end(session, experiment, wanted=loaded.config.report and not options.trial)
    result = replace(_result(experiment, loaded.config, scored, round(time.perf_counter() - started, 1)), page=page)
    if isinstance(progress, Profiled):
        return replace(result, profile={name: round(seconds, 2) for name, seconds in progress.seconds().items()})
    return result


def _result(experiment: Experiment, config: Config, scored: bool, seconds: float) -> FitResult:
    from toolkit.learning.plugins import Plugins

    pictures = str(experiment.overlays), str(experiment.curves)
    given = str(experiment.folder) if config.data.is_given else ""
    if not scored:
        trained = [str(folder.folder) for folder in experiment.finished_stages()]
        return FitResult(
            experiment.name, False, config.primary_label, [], None, {}, trained, seconds, *pictures, given=given
        )
    score = read_score(experiment)
    untrained = untrained_folds(experiment, read_resolved(experiment).config)
    metric = build_metric(config.metric_specs[0], config.class_count, config.activation, Plugins.of(experiment))
    return FitResult(
        experiment.name,
        untrained is None,
        score["metric"],
        [*score["folds"], *[None] * (config.folds_count - len(score["folds"]))],
        score["all"],
        score.get("classes", {}),
        [],
        seconds,
        *pictures,
        read_holdout(score),
        read_constant(score, score["metric"]),
        read_optimism(score, score["metric"]),
        untrained,
        ", ".join(sorted(engines_of(experiment.predictions("oof")))),
        given,
        score.get("metrics", {}),
        better_stage(experiment, config, metric.is_better),
    )


def _train_predict_score(session: Session, job: TrainingJob, options: FitOptions, started: float) -> bool:
    """Train; predict and score with the folds that are finished; returns whether there are any."""
    progress, cluster = session.progress, session.cluster
    # TensorFlow is slow to import, so bad input is reported first.
    with phase(progress, "import of TensorFlow"):
        from toolkit.learning.plugins import Plugins
        from toolkit.learning.predicting.fitted_experiment import FittedExperiment
        from toolkit.learning.runtime import choose_precision, parse_precision
        from toolkit.learning.training.epoch_data import Deadline
        from toolkit.learning.training.fit import Work, fit_folds
        from toolkit.learning.training.plan import plan_training

    experiment, loaded, dataset, table = job.experiment, job.loaded, job.dataset, job.table
    test = None if options.trial else dataset.test
    config, folds = loaded.config, table.folds
    plugins = Plugins.of(experiment, progress)
    fold_numbers, stage_numbers = options.check(config)
    digests = dataset.digests | {"folds": folds_digest(folds)} | code_and_weights(job, progress)
    with phase(progress, "building networks"):
        plan = plan_training(loaded, plugins)
    needed = config.task_resources
    if cluster is not None and options.restart:
        cluster.stop(experiment)
    if cluster is None or config.precision != "auto":
        precision = choose_precision(config.precision)
    elif experiment.resolved.is_file() and not options.restart:  # all nodes may be busy with tasks of this experiment
        precision = parse_precision(read_resolved(experiment).precision)
    else:
        precision = cluster.call(needed, choose_precision, config.precision)
    resolved = Resolved(plain_config(config, experiment.folder), digests, precision, versions(), job.settings)
    begin_results(experiment, resolved, options.restart)
    if job.pseudo.used is not None:
        write_labels_used(experiment, job.pseudo.used)
    # A folds.csv of the user is kept, unless columns are missing.
    if not experiment.folds.is_file() or config.folds is not None or table.groups is not None:
        write_folds(experiment.folds, table.ids, table.folds, table.groups)
    left = None if options.max_seconds is None else options.max_seconds - (time.perf_counter() - started)
    work = Work(fold_numbers, stage_numbers, Deadline.after(left), after_epoch=options.after_epoch)
    fitted = FittedExperiment(experiment, config, read_resolved(experiment), dataset.index.ids, folds, plugins)
    images, scoring = dataset.labelled.images, Scoring(config.metric_specs, IDENTITY, config.scoring_rules, plugins)
    scored = at_scored_size(dataset.labelled, config.data.competition)
    pictures = FoldPictures(fitted, images, scored, table, scoring, plan.is_better, progress)
    with pictures.drawn_at_the_end():
        if cluster is not None:
            train_on(cluster, job, fold_numbers, stage_numbers, max_seconds=left, progress=progress)
            if fitted.fold_numbers:
                predict_all_on(cluster, fitted, images, test, progress)
        fit_folds(
            experiment, plan, job.pool(), work, precision=precision, progress=progress, after_fold=pictures.after_fold
        )
    if not fitted.fold_numbers:
        return False
    if _predict(job, fitted, pictures, test) or not _is_scored(experiment, config):
        with phase(progress, "scores and pictures"):
            _score(job, scored, scoring, progress)
    elif len(fitted.fold_numbers) == config.folds_count:
        progress.say(f"{experiment.name} is already finished; to train it again: tk fit {experiment.name} --restart")
    return True


def _predict(job: TrainingJob, fitted: "FittedExperiment", pictures: FoldPictures, test: Images | None) -> bool:
    """Predict what is not predicted yet; returns whether scores have to be computed anew."""
    from toolkit.learning.predicting.oof_and_test import predict_holdout, predict_oof, predict_test

    progress, images = pictures.progress, job.dataset.labelled.images
    with phase(progress, "predictions"):
        anew = predict_oof(fitted, images, "none", progress, pictures.networks)
        if job.table.holdout.ids:
            anew |= predict_holdout(fitted, images, "none", progress, pictures.networks)
        if test is not None:
            predict_test(fitted, test, "none", progress, pictures.networks)
    return anew


def _is_scored(experiment: Experiment, config: Config) -> bool:
    """Whether score.json is there and counts what the competition counts now."""
    return experiment.score.is_file() and counts_as(read_score(experiment), config.scoring_rules)


def _score(job: TrainingJob, data: LabelledImages, scoring: Scoring, progress: Progress) -> None:
    """Score the out-of-fold predictions and those of the hold-out, if there is one."""
    experiment = job.experiment
    table = job.table.predicted(ProbabilityStore(experiment.predictions("oof")).ids)

    def scored(split: Split, images: FoldTable) -> Scores:
        store = ProbabilityStore(experiment.predictions(split))
        wanted = only(data, images.ids)
        (found,) = score_stores([store], wanted, images.folds, scoring, progress, with_constant=split == "oof")
        return replace(found, groups=images.group_numbers)

    scores = scored("oof", table.out_of_fold)
    holdout = scored("holdout", table.holdout) if table.holdout.ids else None
    store = ProbabilityStore(experiment.predictions("oof"))
    write_overlays(experiment, store, only(data, scores.ids), scores, IDENTITY)
    config = job.loaded.config
    optimism = _optimism(experiment, config, scores)
    write_scores(experiment, scores, holdout, rules=config.scoring_rules, optimism=optimism)


def _optimism(experiment: Experiment, config: Config, scores: Scores) -> float | None:
    """How much too good the score is because the epochs were chosen on the images that it is computed from.

    The mean over the folds, each counted by its images, of what the last stage found; None if that is not known.
    """
    found = []
    folds = np.unique(scores.folds)
    for fold in folds:
        stages = [experiment.stage(fold, len(config.stages) - 1, repeat) for repeat in range(config.num_seeds)]
        known = [value for stage in stages if (value := read_state(stage).get("optimism")) is not None]
        if not known:
            return None
        found.append(statistics.fmean(known))
    return float(np.average(found, weights=np.bincount(scores.folds)[folds]))
