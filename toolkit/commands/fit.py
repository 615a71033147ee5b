"""`tk fit`: train the folds of an experiment, predict, score."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolkit.commands.overlays import write_overlays
from toolkit.commands.scoring import score_stores, write_scores
from toolkit.config.loading import Loaded, is_ensemble, load_config, plain_config
from toolkit.config.models import Config
from toolkit.core.arrays import Integers
from toolkit.core.folds import assign_folds
from toolkit.core.postprocess import IDENTITY
from toolkit.core.sampling import select_images
from toolkit.errors import ChangedError, ConfigError, FoldsError
from toolkit.files.checking import DataIndex, check_test_data, check_training_data
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.fold_table import folds_digest, read_folds, write_folds
from toolkit.files.locks import locked
from toolkit.files.resolved import Resolved, changed_keys, read_resolved, versions, write_resolved
from toolkit.files.sources import Images, LabelledImages, find_images, find_training_data
from toolkit.files.store import ProbabilityStore
from toolkit.files.submissions import sample_layout_for
from toolkit.files.writing import read_json
from toolkit.messages import Progress, Table

# The content of the data and the precision that was chosen are compared themselves.
_FREE_TO_CHANGE = ("data.", "precision:")


@dataclass(frozen=True)
class FitResult:
    """What `tk fit` has made."""

    experiment: str
    metric: str
    folds: list[float]
    all: float
    seconds: float
    overlays: str

    def tables(self) -> list[Table]:
        """Score per fold and over all."""
        rows = [(f"fold {number}", f"{score:.4f}") for number, score in enumerate(self.folds)]
        rows.append(("all out-of-fold images", f"{self.all:.4f}"))
        return [Table(f"{self.experiment}: {self.metric} at threshold 0.5", ("", self.metric), rows)]

    def next_steps(self) -> list[str]:
        """What to look at and to type."""
        return [f"pictures: {self.overlays}", f"next: tk tune {self.experiment}"]


@dataclass(frozen=True)
class _Prepared:
    data: LabelledImages
    index: DataIndex
    test: Images | None
    digests: dict[str, str]


def fit(
    workspace: Workspace, name: str, *, overrides: Sequence[str] = (), restart: bool = False, progress: Progress
) -> FitResult:
    """Train all folds of an experiment and predict its training and test images.

    What is finished is kept: a second call goes on where the first one stopped. With `restart` it begins again.

    Raises:
        ToolkitError: bad configuration or data, before any training; another run on the experiment; a configuration
            that differs from the one that earlier results were made with.
    """
    started = time.perf_counter()
    experiment = workspace.find(name)
    if is_ensemble(experiment.config):
        raise ConfigError(f"{experiment.name} is an ensemble; its members are fitted", "Run: tk ensemble MEMBER MEMBER")
    loaded = load_config(experiment.config, overrides)
    with locked(experiment.lock):
        prepared = _prepare(loaded.config, progress)
        folds = _folds(experiment, loaded.config, prepared.index, restart)
        anew = _train_and_predict(experiment, loaded, prepared, folds, restart=restart, progress=progress)
        if anew or not experiment.score.is_file():
            _score(experiment, loaded.config, prepared.data, folds, progress)
        else:
            progress.say(
                f"{experiment.name} is finished already; to train it again: tk fit {experiment.name} --restart"
            )
        score = read_json(experiment.score)
    seconds = round(time.perf_counter() - started, 1)
    return FitResult(experiment.name, score["metric"], score["folds"], score["all"], seconds, str(experiment.overlays))


def _prepare(config: Config, progress: Progress) -> _Prepared:
    """Look at everything that can be wrong with the data before anything is computed."""
    data = find_training_data(config.data.images, config.data.masks)
    test = find_images(config.data.test, "data.test") if config.data.test is not None else None
    if test is not None and config.data.sample_submission is not None:
        sample_layout_for(config.data.sample_submission, test.ids, progress)
    index = check_training_data(data, progress)
    digests = {"training_data": index.digest}
    if test is not None:
        digests["test_data"] = check_test_data(test, progress)
    return _Prepared(data, index, test, digests)


def _folds(experiment: Experiment, config: Config, index: DataIndex, restart: bool) -> Integers:
    """The folds of folds.csv, drawn and written if there are none."""
    if experiment.folds.is_file():
        folds = read_folds(experiment.folds, index.ids, config.folds_count)
        _refuse_untrainable(config, folds, index)
        return folds
    if experiment.has_training() and not restart:
        raise FoldsError(
            f"{experiment.folds} is gone, but folds were trained with it",
            f"Bring it back, or train again: tk fit {experiment.name} --restart",
        )
    if len(index.ids) < config.folds_count:
        raise FoldsError(f"folds_count: {config.folds_count} folds need as many images, there are {len(index.ids)}")
    folds = assign_folds(index.coverage, config.folds_count, seed=config.seed, stratified=config.stratified)
    _refuse_untrainable(config, folds, index)
    return folds


def _refuse_untrainable(config: Config, folds: Integers, index: DataIndex) -> None:
    """Every fold needs foreground to train on, and every stage images to be judged on."""
    has_foreground = index.coverage > 0
    for fold in range(config.folds_count):
        if not has_foreground[folds != fold].any():
            raise FoldsError(
                f"fold {fold}: all images with foreground are held out, so that there is none to train on",
                "More images with foreground are needed, or other folds.",
            )
        for number, stage in enumerate(config.stages):
            rule = stage.validation_negatives
            if not len(select_images(has_foreground[folds == fold], rule, config.seed, fold)):
                raise FoldsError(
                    f"fold {fold}, stages.{number}.validation_negatives: {rule} leaves no image to judge the epochs on",
                    "Use validation_negatives: real, or fewer folds.",
                )


def _train_and_predict(
    experiment: Experiment,
    loaded: Loaded[Config],
    prepared: _Prepared,
    folds: Integers,
    *,
    restart: bool,
    progress: Progress,
) -> bool:
    """Returns whether out-of-fold predictions were made anew."""
    # TensorFlow is slow to import: bad input should be told before.
    from toolkit.learning.fitting import check_learning, fit_folds
    from toolkit.learning.runtime import choose_precision
    from toolkit.learning.stores import FittedExperiment, predict_oof, predict_test

    config = loaded.config
    check_learning(loaded)
    precision = choose_precision(config.precision)
    digests = prepared.digests | {"folds": folds_digest(folds)}
    resolved = Resolved(plain_config(config, experiment.folder), digests, precision, versions())
    if restart:
        experiment.forget_results()
    _refuse_changed(experiment, resolved)
    if experiment.has_training():
        # What was trained was trained with the versions of that day.
        resolved = replace(resolved, versions=read_resolved(experiment).versions)
    write_resolved(experiment, resolved)
    if not experiment.folds.is_file():
        write_folds(experiment.folds, prepared.index.ids, folds)
    fit_folds(experiment, loaded, prepared.data, prepared.index.coverage, folds, precision=precision, progress=progress)
    fitted = FittedExperiment(experiment, config, resolved, prepared.index.ids, folds)
    anew = predict_oof(fitted, prepared.data.images, "none", progress)
    if prepared.test is not None:
        predict_test(fitted, prepared.test, "none", progress)
    return anew


def _refuse_changed(experiment: Experiment, resolved: Resolved) -> None:
    """Results of another configuration or other data are never continued."""
    if not experiment.has_training():
        return
    if not experiment.resolved.is_file():
        raise ChangedError(
            f"{experiment.folder} holds trained folds, but {experiment.resolved.name}, which says of what, is gone",
            f"Bring it back, or discard the folds: tk fit {experiment.name} --restart",
        )
    before = read_resolved(experiment)
    changes = [
        change for change in changed_keys(before.config, resolved.config) if not change.startswith(_FREE_TO_CHANGE)
    ]
    if before.digests["training_data"] != resolved.digests["training_data"]:
        changes.append("the training images or masks themselves")
    if before.digests.get("folds") != resolved.digests["folds"]:
        changes.append("folds.csv: images would be scored by networks that were trained on them")
    if before.precision != resolved.precision:
        changes.append(
            f"the precision that auto means here: {before.precision} → {resolved.precision}; to go on as before: "
            f"--set precision={before.precision}"
        )
    if changes:
        listed = "\n".join(f"  {change}" for change in changes)
        raise ChangedError(
            f"{experiment.folder} holds results of another configuration; changed since:\n{listed}",
            f"Undo the change, make a new experiment (tk new NAME --extends {experiment.name}), or discard the results "
            f"with: tk fit {experiment.name} --restart",
        )


def _score(experiment: Experiment, config: Config, data: LabelledImages, folds: Integers, progress: Progress) -> None:
    metrics = list(dict.fromkeys([config.primary_metric, *config.metrics]))
    store = ProbabilityStore(experiment.predictions("oof"))
    (scores,) = score_stores([store], data, folds, metrics, recipe=IDENTITY, progress=progress)
    write_overlays(experiment, store, data, scores, IDENTITY)
    write_scores(experiment, scores)
