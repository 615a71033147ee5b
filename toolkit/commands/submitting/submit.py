"""`tk submit`: apply a recipe to test predictions and write a submission file, which is checked first."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from toolkit.commands.scoring.constant_score import ConstantScore, read_constant
from toolkit.commands.scoring.recipe_choice import PLAIN_THRESHOLD, check_threshold, source_of, tuned_recipe
from toolkit.commands.session import Session
from toolkit.commands.submitting.competition_now import submission_data
from toolkit.commands.submitting.kaggle import Uploader, UploadOptions, kaggle_uploader
from toolkit.commands.submitting.masks import Chosen, EncodedMasks, Maker, chosen_classes, cover_of, encode_masks
from toolkit.commands.submitting.provenance import Promise, promise_of, write_provenance
from toolkit.config.data.data import DataConfig
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.coverage import Coverage, strange_differences
from toolkit.core.recipe.plain_recipes import plain_threshold, with_minimum_area
from toolkit.core.recipe.postprocess import check_recipe, describe
from toolkit.core.recipe.recipe import ClassRecipe, Recipe
from toolkit.errors import ConfigError, NotReadyError, SubmissionError
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.neighbours import own_pixels
from toolkit.files.datasets.truth import truth_of
from toolkit.files.disk.writing import new_path
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.experiment.score_json import read_score
from toolkit.files.experiment.trained import tell_untrained
from toolkit.files.experiment.tuned import TunedRecipe
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.checks import Checked, check_submission
from toolkit.files.submissions.expectations import Expected, TestImages
from toolkit.files.submissions.findings import Finding, refusal
from toolkit.files.submissions.layout import SubmissionLayout, default_layout, sample_layout_for, write_submission
from toolkit.files.submissions.log import LoggedSubmission, SubmissionLog
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, Table, duration_text, score_text
from toolkit.report.result import Result

_NAME_BYTES = 200


@dataclass(frozen=True)
class SubmitOptions:
    """The recipe, the name of the file, and the upload.

    Without `threshold` the tuned recipe is applied, otherwise the plain threshold and nothing else; `minimum_area`
    replaces the minimum areas. Both apply to all classes. `file_name` is by default the name of the experiment.
    """

    threshold: float | None = None
    minimum_area: int | None = None
    file_name: str | None = None
    upload: UploadOptions | None = None


@dataclass(frozen=True)
class ClassMasks:
    """The coverage of one class in the submission and out-of-fold, with the same recipe."""

    name: str
    test: Coverage
    oof: Coverage


@dataclass(frozen=True)
class InTime:
    """What was predicted in a limited time: every image by the same members with the same views.

    `asked` is what was to be submitted, and `seconds` what predicting took; `left_out` are the members and views that
    the time was too short for.
    """

    asked: str
    minutes: float
    seconds: float
    members: list[str]
    views: str
    left_out: list[str]

    def describe(self, experiment: str) -> list[str]:
        """What is in the submission, what is not, and on what its recipe was tuned."""
        views = "" if self.views == "none" else f", each with {self.views}"
        found = [f"predicted in {duration_text(self.seconds)}: {', '.join(self.members)}{views}"]
        if not self.left_out:
            return found
        return [
            *found,
            f"left out for lack of time: {', '.join(self.left_out)}",
            f"recipe and scores are those of what is left, the ensemble {experiment}, which the same images chose",
            f"to go on with what was left out: tk submit {self.asked} --minutes {self.minutes:g}",
        ]


@dataclass(frozen=True)
class SubmitResult(Result):
    """The submission that `tk submit` has written; `in_time` says what is in it if the time was limited."""

    experiment: str
    path: str
    rows: int
    recipe: Recipe
    recipe_text: str
    metric: str
    oof: float | None
    nested: float | None
    masks: list[ClassMasks]
    findings: list[Finding]
    warnings: list[str]
    recipe_source: str
    uploaded: str | None = None
    holdout: float | None = None
    constant: ConstantScore | None = None
    in_time: InTime | None = None

    def tables(self) -> list[Table]:
        """The submission compared with the out-of-fold masks of the same recipe."""
        rows = []
        for one in self.masks:
            of = f" of {one.name}" if len(self.masks) > 1 else ""
            rows += [
                (f"images{of}", f"{one.test.images}", f"{one.oof.images}"),
                (f"share of empty masks{of}", f"{one.test.empty_share:.1%}", f"{one.oof.empty_share:.1%}"),
                (f"mean area of non-empty masks{of}", f"{one.test.mean_area:.1%}", f"{one.oof.mean_area:.1%}"),
            ]
        metric = self.metric
        scores = ((metric, self.oof), (f"{metric}, nested", self.nested), (f"{metric}, hold-out", self.holdout))
        rows += [(title, "", score_text(score)) for title, score in scores if score is not None]
        rows += [(title, "", score) for title, score in (self.constant.rows() if self.constant else ())]
        title = f"{self.path}: {self.rows} rows, {self.recipe_text} ({self.recipe_source})"
        return [Table(title, ("", "test", "out-of-fold"), rows)]

    def next_steps(self) -> list[str]:
        """What was predicted in time, if that was limited, and the next command."""
        name = Path(self.path).stem
        told = [] if self.in_time is None else self.in_time.describe(self.experiment)
        if self.uploaded is not None:
            return [*told, f"uploaded: {self.uploaded}", f"next: tk lb {name} SCORE, to record the leaderboard score"]
        return [*told, f"next: upload {self.path}, then tk lb {name} SCORE"]


def submit(
    session: Session,
    name: str | None = None,
    *,
    options: SubmitOptions = SubmitOptions(),
    uploader: Uploader | None = None,
) -> SubmitResult:
    """Write submissions/NAME.csv and NAME.json from the test predictions of an experiment or ensemble, and log them.

    With `options.upload` the file is uploaded after all checks, with Kaggle's client if no `uploader` is given.

    Raises:
        NotReadyError: there are no test predictions, or neither a threshold nor a tuned recipe.
        SubmissionError: the submission fails a check; nothing is written.
        UploadError: the uploader is not available, and nothing is written; or the site refuses the written file.
    """
    workspace, progress = session.workspace, session.progress
    upload = options.upload
    experiment = workspace.find_or_last(name, progress)
    path = workspace.submissions / f"{file_name(options.file_name or experiment.name)}.csv"
    if upload is not None and uploader is None:
        uploader = kaggle_uploader()
    resolved = read_resolved(experiment)
    tell_untrained(experiment, resolved.config, progress, "prediction")
    source = submission_data(experiment, resolved, progress)
    store = _test_predictions(experiment, source)
    check_options(options)
    truth = truth_of(experiment, resolved)
    chosen = chosen_classes(experiment.name, truth.classes, truth.rules, source.table_format, progress)
    tuned = tuned_of(experiment, truth.classes, progress) if options.threshold is None else None
    recipe = recipe_of(None if tuned is None else tuned.for_predictions(of_mean=True), options, truth.classes)
    maker = maker_of(experiment, truth.classes, recipe, chosen, progress)
    layout = _layout(source, store, progress)
    promise = promise_of(experiment, truth, tuned, maker, progress)
    encoded = encode_masks(store, maker, progress)
    oof = cover_of(ProbabilityStore(experiment.predictions("oof")), maker, progress)
    log = SubmissionLog(workspace.submission_log)
    sample, images = source.sample_submission, _images(source, resolved.config["shape"][2], store)
    expected = Expected(
        source.table_format, layout if sample else None, sample, images, encoded.digests,
        earlier=[entry for entry in log.read() if entry.name != path.stem or (upload and entry.uploaded)],
        upload_to=upload.competition if upload else None,
    )  # fmt: skip
    if path.is_file():
        progress.say(f"overwriting {path}")
    recipe_text = describe(maker.recipe, truth.classes.names, truth.classes.activation)
    with log.recording() as record:
        checked = write_checked(path, layout, encoded, expected, progress)
        write_provenance(
            path, experiment, resolved, workspace=workspace.root, recipe=maker.recipe, tuned=tuned, promise=promise
        )
        record(_entry(path, experiment, promise, recipe_text, checked))
    names = [truth.classes.names[number] for number in chosen.numbers]
    masks = [ClassMasks(*one) for one in zip(names, encoded.coverages, oof, strict=True)]
    warnings = [finding.describe() for finding in checked.findings] + _strange(masks)
    for warning in warnings:
        progress.warn(warning)
    result = SubmitResult(
        experiment.name, str(path), checked.rows, maker.recipe, recipe_text, promise.metric, promise.oof,
        promise.nested, masks, checked.findings, warnings,
        source_words(tuned, options), holdout=promise.holdout,
        constant=read_constant(read_score(experiment), promise.metric),
    )  # fmt: skip
    if upload is None or uploader is None:
        return result
    return replace(result, uploaded=_upload(path, uploader, upload, log, result))


def _test_predictions(experiment: Experiment, source: DataConfig) -> ProbabilityStore:
    if source.test is None:
        raise NotReadyError(
            f"{experiment.name} has no test images: data.test is not set",
            f"Add data.test to {experiment.config} and run: tk fit {experiment.name}",
        )
    store = ProbabilityStore(experiment.predictions("test"))
    if not experiment.score.is_file():
        raise NotReadyError(
            f"{experiment.name} is not finished: its last run stopped before scoring",
            f"Run the same tk {'ensemble' if experiment.is_ensemble else 'fit'} again.",
        )
    return store


def tuned_of(experiment: Experiment, classes: Classes, progress: Progress) -> TunedRecipe:
    """The tuned recipe; raises as `tuned_recipe`, with a threshold as the advice."""
    threshold = f"give a threshold: tk submit {experiment.name} --threshold 0.5"
    if not experiment.tuned.is_file():
        raise NotReadyError(
            f"{experiment.name} has no tuned recipe yet", f"Run: tk tune {experiment.name}, or {threshold}"
        )
    return tuned_recipe(experiment, classes, threshold, progress)


def check_options(options: SubmitOptions) -> None:
    """Check `--threshold` and `--min-area` before anything is read.

    Raises:
        ConfigError: one of them is not valid.
    """
    threshold, area = options.threshold, options.minimum_area
    if threshold is not None:
        check_threshold(threshold)
    try:
        ClassRecipe(minimum_area=area or 0)
    except ValueError as error:
        raise ConfigError(f"--min-area: expected a whole number of at least 0; received {area!r}") from error


def recipe_of(tuned: Recipe | None, options: SubmitOptions, classes: Classes) -> Recipe:
    """The plain threshold of the options, or else the tuned recipe; with the minimum area of the options, if any."""
    area = options.minimum_area
    if tuned is None:
        threshold = 0.5 if options.threshold is None else options.threshold
        return plain_threshold(threshold, classes.count, classes.activation, minimum_area=area or 0)
    return tuned if area is None else with_minimum_area(tuned, area, classes.count, classes.activation)


def source_words(tuned: TunedRecipe | None, options: SubmitOptions, *, of_mean: bool = True) -> str:
    """Where the recipe comes from, in words."""
    words = PLAIN_THRESHOLD if tuned is None else source_of(tuned, of_mean=of_mean)
    return words if options.minimum_area is None else f"{words}, with the given minimum area"


def maker_of(experiment: Experiment, classes: Classes, recipe: Recipe, chosen: Chosen, progress: Progress) -> Maker:
    """What turns stored predictions into the masks of a submission.

    Raises:
        SubmissionError: the recipe does not fit the classes of the experiment.
    """
    try:
        check_recipe(recipe, classes.count, classes.activation)
    except ValueError as error:
        raise SubmissionError(
            f"the recipe does not fit {experiment.name}: {error}", f"Run: tk tune {experiment.name}"
        ) from error
    return Maker(recipe, classes.activation, chosen, Plugins.of(experiment, progress))


def _layout(source: DataConfig, store: ProbabilityStore, progress: Progress) -> SubmissionLayout:
    form = source.table_format
    if source.sample_submission is not None:
        return sample_layout_for(source.sample_submission, store.ids, progress, form)
    columns = " and ".join(form.columns)
    progress.warn(f"data.sample_submission is not set: the columns are {columns}, and rows are sorted by id")
    return default_layout(store.ids, form)


def _images(source: DataConfig, channels: int, store: ProbabilityStore) -> TestImages:
    """The test images as they are now, or the predicted ones if their folder is gone."""
    tests = (source.test,) if isinstance(source.test, Path) else source.test or ()
    images = find_test_images(source, channels) if all(folder.is_dir() for folder in tests) else None
    if images is None:
        return TestImages(frozenset(store.ids), store.size)
    return TestImages(frozenset(images.ids), store.size, partial(own_pixels, images))


def write_checked(
    path: Path, layout: SubmissionLayout, encoded: EncodedMasks, expected: Expected, progress: Progress
) -> Checked:
    """Write a temporary file, check it, and move it to `path` if it passes.

    Raises:
        SubmissionError: a check fails.
    """
    with new_path(path) as temporary:
        write_submission(temporary, layout, encoded.runs)
        checked = check_submission(temporary, expected, progress)
        if checked.is_refused:
            raise refusal(f"{path} is not written", checked.findings)
    return checked


def _entry(path: Path, experiment: Experiment, promise: Promise, recipe: str, checked: Checked) -> LoggedSubmission:
    return LoggedSubmission(
        path.stem,
        _now(),
        experiment.name,
        promise.metric,
        promise.oof,
        promise.nested,
        recipe,
        checked.digest,
    )


def _strange(masks: list[ClassMasks]) -> list[str]:
    found = [(one.name, words) for one in masks for words in strange_differences(one.test, one.oof)]
    return [f"{name}: {words}" if len(masks) > 1 else words for name, words in found]


def _upload(path: Path, uploader: Uploader, upload: UploadOptions, log: SubmissionLog, result: SubmitResult) -> str:
    scores = [("OOF", result.oof), ("nested", result.nested)]
    cv = "".join(f", {title} {score_text(score)}" for title, score in scores if score is not None)
    message = upload.message or f"{result.experiment}: {result.recipe_text}{cv}"
    answer = uploader.upload(path, upload.competition, message)
    log.mark_uploaded(path.stem, upload.competition, _now())
    return answer or upload.competition


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_name(name: str) -> str:
    """The name of a submission, without .csv.

    Raises:
        SubmissionError: the name is not a valid file name, or that of the log.
    """
    short = name.removesuffix(".csv")
    if Path(name).name != name or name.startswith((".", " ")) or len(name.encode()) > _NAME_BYTES or not short:
        raise SubmissionError(f"--name: {name!r} is not a valid file name; give a short name without folders")
    if short == "log":
        raise SubmissionError("--name: submissions/log.csv is the log of all submissions", "Choose another name.")
    return short
