"""`tk submit`: test predictions and a recipe into a submission file that was checked before it appears."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.config.data import DataConfig
from toolkit.core.postprocess import describe, mask_of, recipe_to_plain
from toolkit.core.recipe import ClassRecipe, Recipe
from toolkit.core.rle import decode, encode
from toolkit.errors import NotReadyError, SubmissionError, ToolkitError
from toolkit.files.digests import file_digest
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.resolved import Resolved, data_of, read_resolved
from toolkit.files.store import ProbabilityStore, store_digest
from toolkit.files.submissions import SubmissionLayout, default_layout, sample_layout_for, write_submission
from toolkit.files.truth import truth_of
from toolkit.files.tuned import read_tuned
from toolkit.files.writing import read_json, write_json
from toolkit.messages import Progress, Table

_STRANGE_SHARE = 0.1
_STRANGE_RATIO = 1.5
_NAME_BYTES = 200


@dataclass(frozen=True)
class MaskSummary:
    """What masks look like on the whole: share of empty ones, and mean foreground share of the others."""

    images: int
    empty_share: float
    mean_coverage: float


@dataclass(frozen=True)
class SubmitResult:
    """What `tk submit` has written."""

    experiment: str
    path: str
    rows: int
    recipe: Recipe
    test: MaskSummary
    oof: MaskSummary
    warnings: list[str]

    def tables(self) -> list[Table]:
        """The submission beside the out-of-fold masks of the same recipe."""
        rows = [
            ("images", f"{self.test.images}", f"{self.oof.images}"),
            ("share of empty masks", f"{self.test.empty_share:.1%}", f"{self.oof.empty_share:.1%}"),
            ("mean area of the others", f"{self.test.mean_coverage:.1%}", f"{self.oof.mean_coverage:.1%}"),
        ]
        title = f"{self.path}: {self.rows} rows, {describe(self.recipe)}"
        return [Table(title, ("", "test", "out-of-fold"), rows)]

    def next_steps(self) -> list[str]:
        """What to do with it."""
        return [f"next: upload {self.path}"]


def submit(
    workspace: Workspace,
    name: str | None,
    *,
    threshold: float | None = None,
    minimum_area: int | None = None,
    submission_name: str | None = None,
    progress: Progress,
) -> SubmitResult:
    """Write submissions/NAME.csv and NAME.json from the test predictions of an experiment or ensemble.

    Without `threshold` the tuned recipe is used, with `minimum_area` in place of its own if that is given.

    Raises:
        NotReadyError: no test predictions, or neither a threshold nor a tuned recipe.
        SubmissionError: the sample submission asks for images that were not predicted.
    """
    experiment = workspace.find_or_last(name, progress)
    resolved = read_resolved(experiment)
    source = data_of(experiment, resolved)
    if source.test is None:
        raise NotReadyError(
            f"{experiment.name} has no test images: data.test is not set",
            f"Add data.test to {experiment.config} and run: tk fit {experiment.name}",
        )
    store = ProbabilityStore(experiment.predictions("test"))
    if not experiment.score.is_file():
        command = "ensemble" if "members" in resolved.config else "fit"
        raise NotReadyError(
            f"{experiment.name} is not finished: its last run was stopped before it was scored",
            f"Run the same tk {command} again.",
        )
    classes = len(truth_of(experiment, resolved).classes.names)
    if classes > 1:
        raise SubmissionError(
            f"{experiment.name} predicts {classes} classes, but a submission is written for one",
            f"Its probabilities are in {store.folder}; see docs/metrics.md for its scores.",
        )
    if source.competition is not None:
        raise SubmissionError(f"{source.competition.name}: submissions by competition are not written yet")
    recipe = _recipe(experiment, threshold, minimum_area)
    layout = _layout(source, store, progress)
    runs, test = _encode(store, recipe, progress)
    oof = _summary(ProbabilityStore(experiment.predictions("oof")), recipe)
    warnings = _strange(test, oof)
    for warning in warnings:
        progress.warn(warning)
    path = workspace.submissions / f"{_file_name(submission_name or experiment.name)}.csv"
    if path.is_file():
        progress.say(f"{path} is written anew")
    write_submission(path, layout, {image_id: (text,) for image_id, text in runs.items()})
    _write_provenance(path, experiment, recipe, resolved)
    return SubmitResult(experiment.name, str(path), len(layout.rows), recipe, test, oof, warnings)


def _recipe(experiment: Experiment, threshold: float | None, minimum_area: int | None) -> Recipe:
    """The tuned recipe; a threshold that is given replaces it, a minimum area that is given its minimum area."""
    try:
        given = ClassRecipe(threshold=0.5 if threshold is None else threshold, minimum_area=minimum_area or 0)
    except ValueError as error:
        raise SubmissionError(str(error)) from error
    if threshold is not None:
        return Recipe((given,))
    tuned = _tuned_recipe(experiment)
    if minimum_area is None:
        return tuned
    return replace(tuned, classes=(replace(tuned.classes[0], minimum_area=minimum_area),))


def _tuned_recipe(experiment: Experiment) -> Recipe:
    if not experiment.tuned.is_file():
        raise NotReadyError(
            f"{experiment.name} has no tuned recipe yet",
            f"Run: tk tune {experiment.name}, or give one: tk submit {experiment.name} --threshold 0.5",
        )
    return read_tuned(experiment, 1, "sigmoid").test_recipe


def _layout(source: DataConfig, store: ProbabilityStore, progress: Progress) -> SubmissionLayout:
    form = source.table_format
    if source.sample_submission is None:
        columns = " and ".join(form.columns)
        progress.warn(f"no data.sample_submission: columns are {columns}, rows in the order of the ids")
        return default_layout(store.ids, form)
    return sample_layout_for(source.sample_submission, store.ids, progress, form)


def _encode(store: ProbabilityStore, recipe: Recipe, progress: Progress) -> tuple[dict[str, str], MaskSummary]:
    """The run-length encoding of every test image, decoded again and compared."""
    runs: dict[str, str] = {}
    shares = []
    with progress.task("encoding masks", len(store.ids)) as task:
        for image_id, stored in store:
            mask = mask_of(stored[..., 0], recipe.classes[0])
            runs[image_id] = encode(mask)
            if not np.array_equal(decode(runs[image_id], store.size(image_id)), mask):
                raise ToolkitError(f"{image_id}: its mask does not survive encoding and decoding; nothing was written")
            shares.append(float(mask.mean()))
            task.advance()
    return runs, _summarise(shares)


def _summary(store: ProbabilityStore, recipe: Recipe) -> MaskSummary:
    return _summarise([float(mask_of(stored[..., 0], recipe.classes[0]).mean()) for _, stored in store])


def _summarise(shares: list[float]) -> MaskSummary:
    values = np.array(shares)
    filled = values[values > 0]
    return MaskSummary(len(values), float((values == 0).mean()), float(filled.mean()) if len(filled) else 0.0)


def _strange(test: MaskSummary, oof: MaskSummary) -> list[str]:
    """Differences between test and out-of-fold masks that chance does not explain."""
    found = []
    share = oof.empty_share
    spread = (share * (1 - share) * (1 / test.images + 1 / oof.images)) ** 0.5
    if abs(test.empty_share - share) > max(_STRANGE_SHARE, 4 * spread):
        found.append(
            f"{test.empty_share:.1%} of the test masks are empty, but {share:.1%} out-of-fold: do test images differ, "
            "or is the threshold off?"
        )
    low, high = sorted((test.mean_coverage, oof.mean_coverage))
    if test.images >= 50 and high > _STRANGE_RATIO * low:
        found.append(
            f"test masks cover {test.mean_coverage:.1%} of their images on average, out-of-fold {oof.mean_coverage:.1%}"
        )
    return found


def _file_name(name: str) -> str:
    if Path(name).name != name or name.startswith((".", " ")) or len(name.encode()) > _NAME_BYTES:
        raise SubmissionError(f"--name: {name!r} cannot be a file name; give a short name without folders")
    return name.removesuffix(".csv")


def _write_provenance(path: Path, experiment: Experiment, recipe: Recipe, resolved: Resolved) -> None:
    config = resolved.config
    tuned = read_json(experiment.tuned) if experiment.tuned.is_file() else None
    score = read_json(experiment.score)
    write_json(
        path.with_suffix(".json"),
        {
            "submission": path.name,
            "experiment": experiment.name,
            "members": list(config.get("members", [])),
            "weights": list(config.get("weights", [])),
            "views": config.get("views", "none"),
            "recipe": recipe_to_plain(recipe),
            "scores": {
                "metric": score["metric"],
                "oof": score["all"],
                # Those of the tuned recipe say nothing of another one.
                **(
                    {key: tuned[key] for key in ("untuned", "tuned", "nested")}
                    if tuned and tuned["test_recipe"] == recipe_to_plain(recipe)
                    else {}
                ),
            },
            "digests": {
                "submission": file_digest(path),
                "test_predictions": store_digest(experiment.predictions("test")),
                "oof_predictions": store_digest(experiment.predictions("oof")),
            },
            "versions": dict(resolved.versions),
            "git_commit": _git_commit(experiment.folder),
        },
    )


def _git_commit(folder: Path) -> str | None:
    """The commit that the experiment's folder is at, with `-dirty` where files differ; None outside a repository."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=folder, capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip() or None
