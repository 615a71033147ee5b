"""The verbs of `tk` that are not methods of Experiment, with the same arguments; they return results and never print.

An experiment is given by its name, its path, or as an Experiment. Functions work in the current folder, or in that of
the first Experiment that is given. `progress` is as for Experiment. All raise a `ToolkitError` for what a user can fix.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.api.arguments import Shown
from toolkit.api.error_words import in_python
from toolkit.api.named import AnyPath, Named, name_of, session_for
from toolkit.api.paths import as_path, as_paths
from toolkit.cluster.units import Machines
from toolkit.commands.comparing.compare import compare as compare_command
from toolkit.commands.comparing.compare_result import CompareResult
from toolkit.commands.comparing.evaluate import evaluate as evaluate_command
from toolkit.commands.comparing.evaluate_result import EvaluateResult
from toolkit.commands.ensembling.ensemble import EnsembleResult, parse_mean, parse_views, parse_weights
from toolkit.commands.ensembling.ensemble import ensemble as ensemble_command
from toolkit.commands.inspecting import config
from toolkit.commands.inspecting.clean import CleanResult
from toolkit.commands.inspecting.clean import clean as clean_command
from toolkit.commands.inspecting.data import DataResult, examine_data
from toolkit.commands.inspecting.ls import ListResult, list_experiments
from toolkit.commands.inspecting.preview import PreviewResult
from toolkit.commands.inspecting.preview import preview as preview_command
from toolkit.commands.inspecting.status import StatusResult
from toolkit.commands.inspecting.status import status as status_of
from toolkit.commands.predicting.pseudo import PseudoOptions
from toolkit.commands.predicting.pseudo import pseudo as pseudo_command
from toolkit.commands.predicting.pseudo_result import PseudoResult
from toolkit.commands.reporting.report import ReportResult
from toolkit.commands.reporting.report import report as report_command
from toolkit.commands.session import Session
from toolkit.commands.starting.demo import DemoResult
from toolkit.commands.starting.demo import demo as demo_command
from toolkit.commands.starting.import_config import DataFolders, ImportResult
from toolkit.commands.starting.import_config import import_config as import_command
from toolkit.commands.starting.init import InitResult
from toolkit.commands.starting.init import init as init_command
from toolkit.commands.starting.new import DataFiles, NewResult
from toolkit.commands.starting.new import new as new_command
from toolkit.commands.starting.pages import PagesResult
from toolkit.commands.starting.pages import pages as pages_command
from toolkit.commands.starting.simulate import SimulateOptions, SimulateResult
from toolkit.commands.starting.simulate import simulate as simulate_command
from toolkit.commands.submitting.check import CheckResult
from toolkit.commands.submitting.check import check as check_command
from toolkit.commands.submitting.lb import LeaderboardResult, leaderboard
from toolkit.commands.submitting.score import ScoreOptions, ScoreResult, score_submission
from toolkit.commands.training.lr_find import LrFindOptions, LrFindResult, find_learning_rate
from toolkit.commands.training.plan import plan as plan_command
from toolkit.commands.training.planning.plan_result import PlanResult
from toolkit.commands.training.search import search as search_command
from toolkit.commands.training.trials.search_result import SearchResult
from toolkit.config.training.execution import parse_engine
from toolkit.files.data.given_dataset import GivenDataset


@in_python
def clean(*, yes: bool = False, progress: Shown = None) -> CleanResult:
    """List the decoded images and digests that are kept, as `tk clean` does; `yes` removes them."""
    return clean_command(session_for(progress), remove=yes)


@in_python
def new(
    name: str,
    dataset: Any = None,
    *,
    images: AnyPath | None = None,
    masks: AnyPath | None = None,
    test: AnyPath | None = None,
    sample_submission: AnyPath | None = None,
    competition: AnyPath | None = None,
    extends: Named | None = None,
    overrides: Sequence[str] = (),
    progress: Shown = None,
) -> NewResult:
    """Create experiments/NAME/config.yaml, as `tk new` does.

    A dataset, as for `Experiment.fit`, stands in for folders of images and masks; it is not kept.
    """
    preset = None if competition is None else str(competition)
    files = DataFiles(as_path(images), as_path(masks), as_path(test), as_path(sample_submission), preset)
    session = session_for(progress, extends)
    if dataset is not None:
        session = Session(replace(session.workspace, dataset=GivenDataset(dataset)), session.progress)
    return new_command(session, name, files=files, extends=name_of(extends), overrides=overrides)


@in_python
def import_config(
    file: AnyPath,
    *,
    name: str | None = None,
    images: AnyPath | None = None,
    masks: AnyPath | None = None,
    test: AnyPath | None = None,
    classes_file: AnyPath | None = None,
    skip: Sequence[str] = (),
    progress: Shown = None,
) -> ImportResult:
    """Translate the configuration of another system into experiments/NAME/config.yaml, as `tk import` does."""
    data = DataFolders(as_path(images), as_path(masks), as_path(test), as_path(classes_file))
    return import_command(session_for(progress), Path(file), name=name, data=data, skip=skip)


@in_python
def init(folder: AnyPath, *, name: str = "baseline", progress: Shown = None) -> InitResult:
    """Recognise the contents of a competition folder and write a config.yaml with reasons, as `tk init` does."""
    return init_command(session_for(progress), Path(folder), name=name)


@in_python
def simulate(
    kind: str,
    out: AnyPath,
    *,
    count: int = 200,
    test_count: int | None = None,
    seed: int = 0,
    size: int | str | None = None,
    progress: Shown = None,
) -> SimulateResult:
    """Write a competition folder of simulated images with exact labels, as `tk simulate` does.

    `size` is one side in pixels, or HEIGHTxWIDTH, for example `96x160`.
    """
    options = SimulateOptions(count, test_count, seed, None if size is None else str(size))
    return simulate_command(session_for(progress), kind, Path(out), options=options)


@in_python
def demo(folder: AnyPath = Path("demo"), *, progress: Shown = None) -> DemoResult:
    """Run the whole job on a generated competition, as `tk demo` does."""
    return demo_command(session_for(progress), Path(folder))


@in_python
def data(experiment: Named, *, overrides: Sequence[str] = (), progress: Shown = None) -> DataResult:
    """Examine the data of an experiment, as `tk data` does; `findings` are the problems."""
    return examine_data(session_for(progress, experiment), name_of(experiment), overrides=overrides)


@in_python
def preview(
    experiment: Named,
    *,
    count: int = 12,
    seed: int | None = None,
    stage: int = 0,
    overrides: Sequence[str] = (),
    progress: Shown = None,
) -> PreviewResult:
    """Draw a sheet of augmented training images with their masks, as `tk preview` does."""
    session = session_for(progress, experiment)
    return preview_command(session, name_of(experiment), count=count, seed=seed, stage=stage, overrides=overrides)


@in_python
def ls(*, verbose: bool = False, html: bool = False, progress: Shown = None) -> ListResult:
    """List experiments with their state and scores, as `tk ls` does."""
    return list_experiments(session_for(progress), verbose=verbose, html=html)


@in_python
def status(experiment: Named, *, progress: Shown = None) -> StatusResult:
    """How far the training of an experiment is, also while a cluster works on it, as `tk status` shows it."""
    return status_of(session_for(progress, experiment), name_of(experiment))


@in_python
def config_show(experiment: Named, *, overrides: Sequence[str] = (), progress: Shown = None) -> dict[str, Any]:
    """The configuration with inheritance, overrides and defaults applied, as `tk config show` prints it."""
    return config.show_config(session_for(progress, experiment), name_of(experiment), overrides=overrides)


@in_python
def config_schema() -> dict[str, Any]:
    """The JSON Schema of config.yaml, as `tk config schema` prints it."""
    return config.config_schema()


@in_python
def lr_find(
    experiment: Named,
    *,
    overrides: Sequence[str] = (),
    low: float = 1e-7,
    high: float = 1.0,
    steps: int = 120,
    folds: int = 0,
    stage: int = 0,
    progress: Shown = None,
) -> LrFindResult:
    """Try rising learning rates on one fold and suggest one, as `tk lr-find` does; no weights are kept.

    `folds` is the number of the fold.
    """
    options = LrFindOptions(low, high, steps, folds, stage)
    return find_learning_rate(
        session_for(progress, experiment), name_of(experiment), overrides=overrides, options=options
    )


@in_python
def pages(paths: AnyPath | Sequence[AnyPath], out: AnyPath, *, progress: Shown = None) -> PagesResult:
    """Write each page of TIFF files as a file of its own, as `tk pages` does."""
    return pages_command(session_for(progress), as_paths(paths), Path(out))


@in_python
def plan(
    experiments: Sequence[Named],
    *,
    hours: float = 9.0,
    overrides: Sequence[str] = (),
    again: bool = False,
    device: str | None = None,
    progress: Shown = None,
) -> PlanResult:
    """Measure some steps and say what trains and predicts in the time, as `tk plan` does; nothing is trained."""
    session, names = session_for(progress, *experiments), [name_of(one) for one in experiments]
    return plan_command(session, names, hours=hours, overrides=overrides, again=again, device=device)


@in_python
def pseudo(
    experiment: Named,
    *,
    images: Sequence[AnyPath] = (),
    views: str = "hflip",
    minimum_confidence: float = 0.9,
    engine: str | None = None,
    progress: Shown = None,
) -> PseudoResult:
    """Label images without labels for other experiments to learn from, as `tk pseudo` does."""
    session = session_for(progress, experiment)
    chosen = parse_engine(engine) or session.workspace.engine
    options = PseudoOptions([Path(folder) for folder in images], views, minimum_confidence)
    session = replace(session, workspace=replace(session.workspace, engine=chosen))
    return pseudo_command(session, name_of(experiment), options=options)


@in_python
def ensemble(
    experiments: Sequence[Named],
    *,
    weights: Sequence[float] | str | None = None,
    mean: str = "probability",
    tta: bool = False,
    views: str | None = None,
    name: str | None = None,
    engine: str | None = None,
    cluster: Machines | None = None,
    progress: Shown = None,
) -> EnsembleResult:
    """Blend the predictions of experiments and ensembles into a new one, as `tk ensemble` does.

    `weights` is `equal`, `search`, or one number for each member. `engine` is `tensorflow`, `openvino` or `auto`.
    `cluster` is `ray_cluster()`.
    """
    session = session_for(progress, *experiments)
    chosen = parse_engine(engine) or session.workspace.engine
    return ensemble_command(
        Session(replace(session.workspace, engine=chosen), session.progress, cluster or session.cluster),
        [name_of(one) for one in experiments],
        weights=parse_weights(weights) if weights is None or isinstance(weights, str) else list(weights),
        mean=parse_mean(mean),
        views=parse_views(views, tta),
        name=name,
    )


@in_python
def search(
    experiment: Named,
    space: AnyPath,
    *,
    trials: int | None = None,
    hours: float | None = None,
    cluster: Machines | None = None,
    progress: Shown = None,
) -> SearchResult:
    """Search better values for the keys that the file `space` names, as `tk search` does; goes on where it stopped."""
    session = session_for(progress, experiment)
    session = session if cluster is None else replace(session, cluster=cluster)
    return search_command(session, name_of(experiment), Path(space), trials=trials, hours=hours)


@in_python
def evaluate(
    experiment: Named | None = None,
    *,
    recipe: str | None = None,
    threshold: float | None = None,
    worst: int = 10,
    csv: AnyPath | None = None,
    progress: Shown = None,
) -> EvaluateResult:
    """Scores and confusion of the classes, scores by size, and the worst images, as `tk evaluate` shows them."""
    session = session_for(progress, experiment)
    return evaluate_command(
        session, name_of(experiment), recipe=recipe, threshold=threshold, worst=worst, csv=as_path(csv)
    )


@in_python
def compare(
    experiments: Sequence[Named],
    *,
    baseline: Named | None = None,
    sort_by: str | None = None,
    csv: AnyPath | None = None,
    progress: Shown = None,
) -> CompareResult:
    """The keys that differ, the scores, and whether differences exceed chance, as `tk compare` shows them."""
    session, names = session_for(progress, *experiments, baseline), [name_of(one) for one in experiments]
    return compare_command(session, names, baseline=name_of(baseline), sort_by=sort_by, csv=as_path(csv))


@in_python
def write_report(
    experiments: Sequence[Named] = (), *, out: AnyPath | None = None, progress: Shown = None
) -> ReportResult:
    """Write a page that shows what was found, as `tk report` does; of several experiments the first is the baseline."""
    session, names = session_for(progress, *experiments), [name_of(one) for one in experiments]
    return report_command(session, names, out=as_path(out))


@in_python
def check(
    submission: AnyPath,
    *,
    sample: AnyPath | None = None,
    images: AnyPath | None = None,
    competition: AnyPath | None = None,
    progress: Shown = None,
) -> CheckResult:
    """Check a submission file before it is uploaded, as `tk check` does; `findings` are the problems."""
    preset = None if competition is None else str(competition)
    session, file = session_for(progress), Path(submission)
    return check_command(session, file, sample=as_path(sample), images=as_path(images), competition=preset)


@in_python
def score(
    submission: AnyPath,
    solution: AnyPath,
    *,
    images: AnyPath | None = None,
    metric: str | None = None,
    competition: AnyPath | None = None,
    classes: Sequence[str] = (),
    ignore: Sequence[int] = (),
    progress: Shown = None,
) -> ScoreResult:
    """Score a submission, or a folder of mask files, against a known solution, as `tk score` does.

    `classes` names the classes of mask files, in the order of their numbers from 1; `ignore` are values of ignored
    pixels in those of the solution.
    """
    preset = None if competition is None else str(competition)
    options = ScoreOptions(as_path(images), metric, preset, classes, ignore)
    return score_submission(session_for(progress), Path(submission), solution=Path(solution), options=options)


@in_python
def lb(
    name: str | None = None, score: float | None = None, *, private: bool = False, progress: Shown = None
) -> LeaderboardResult:
    """Record a leaderboard score, or compare all of them with cross-validation, as `tk lb` does."""
    return leaderboard(session_for(progress), name, score=score, board="private" if private else "public")
