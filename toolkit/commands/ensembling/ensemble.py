"""`tk ensemble`: averages the predictions of several experiments; the result is an experiment too."""

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from toolkit.commands.ensembling.blending import Ensemble, blend, sources_of
from toolkit.commands.ensembling.member_predictions import (
    common_splits,
    predict_member,
    predict_weighted,
    refuse_gaps,
    refuse_other_holdouts,
    refuse_other_images,
    refuse_other_tasks,
    refuse_single_folds,
    refuse_views,
)
from toolkit.commands.ensembling.member_scores import MemberScore, Verdict, score_members
from toolkit.commands.ensembling.view_search import ViewSearch, is_search, search_views, views_to_try
from toolkit.commands.ensembling.weight_search import Setting, WeightSearch, search_weights
from toolkit.commands.reporting.report import page_at_the_end
from toolkit.commands.scoring.constant_score import ConstantScore
from toolkit.commands.scoring.scores import HoldoutScore, next_command
from toolkit.commands.session import Session
from toolkit.config.loading import load_ensemble, names_defined_beside_members, with_relative_paths
from toolkit.config.models import EnsembleConfig, Weighting
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.core.arrays import Integers
from toolkit.core.ensembling.means import MEANS, Mean
from toolkit.core.images.views import parse_views as read_views
from toolkit.core.images.views import views_folder, views_name
from toolkit.core.metrics.metric import Direction
from toolkit.errors import ConfigError, not_valid
from toolkit.files.datasets.truth import TRUTH_KEYS, truth_of
from toolkit.files.disk.changes import delete, make_folder
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import ALL_SPLITS, Experiment
from toolkit.files.experiment.folds_csv import FoldTable, read_fold_table, write_folds
from toolkit.files.experiment.members import Member, find_member, members_of
from toolkit.files.experiment.resolved import Resolved, data_of, read_resolved, versions, write_resolved
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import engines_of
from toolkit.learning.engines.openvino_package import refuse_missing
from toolkit.learning.plugins import Plugins
from toolkit.messages import Progress, Table, interval_text, score_text
from toolkit.report.result import Result, page_line

WeightsGiven = Sequence[float] | Literal["equal", "search"]
"""One number per member, or how to find them."""


@dataclass(frozen=True)
class EnsembleResult(Result):
    """The result of `tk ensemble`; `verdict` compares it with its best member, if one predicted all images.

    `engine` is what computed the networks of its members. `page` is that of the ensemble; empty without one.
    """

    experiment: str
    metric: str
    direction: Direction
    classes: int
    views: str
    mean: Mean
    members: list[MemberScore]
    folds: list[float | None]
    all: float | None
    interval: tuple[float | None, float | None]
    verdict: Verdict | None
    view_search: ViewSearch | None
    weight_search: WeightSearch | None
    overlays: str
    holdout: HoldoutScore | None = None
    holdout_verdict: Verdict | None = None
    constant: ConstantScore | None = None
    engine: str = ""
    page: str = ""

    def tables(self) -> list[Table]:
        """The searches of views and weights, if there were any; the scores of the members and of the ensemble."""
        viewed = self.views != "none"
        rows = [
            (
                member.name,
                f"{member.weight:g}",
                *([score_text(member.plain)] if viewed else []),
                score_text(member.with_views),
                interval_text(*member.interval),
                *([f"{member.images}"] if self._has_parts else []),
                *([score_text(member.holdout)] if self.holdout else []),
            )
            for member in self.members
        ]
        all_images = [""] if self._has_parts else []
        rows.append(
            (
                self.experiment,
                "",
                *([""] if viewed else []),
                score_text(self.all),
                interval_text(*self.interval),
                *all_images,
                *([score_text(self.holdout.score)] if self.holdout else []),
            )
        )
        blanks = [""] * (len(rows[-1]) - (4 if viewed else 3))
        for title, score in self.constant.rows() if self.constant else ():
            rows.append((title, "", *([""] if viewed else []), score, *blanks))
        scores = ["no views", f"views: {self.views}"] if viewed else [self.metric]
        further = [*(["images"] if self._has_parts else []), *(["hold-out"] if self.holdout else [])]
        columns = ("", "weight", *scores, "95 % interval", *further)
        by = f", {self.engine}" if self.engine else ""
        title = f"{self.experiment}: out-of-fold {self.metric}, untuned, mean of {_MEANT[self.mean]}{by}"
        return [*(table for search in self._searches for table in search.tables()), Table(title, columns, rows)]

    def next_steps(self) -> list[str]:
        """Warnings, the verdict, the pictures, and the next command."""
        return [
            *(step for search in self._searches for step in search.next_steps()),
            *self._views_advice(),
            *([self.verdict.describe()] if self.verdict else []),
            *(self.constant.advice() if self.constant else ()),
            *([f"on the hold-out: {self.holdout_verdict.describe()}"] if self.holdout_verdict else []),
            f"pictures: {self.overlays}",
            *page_line(self.page),
            next_command(self.experiment),
        ]

    def _views_advice(self) -> list[str]:
        """What to try if views lower the score of members; nothing if the views were chosen by the score."""
        worse = [member.name for member in self.members if _is_better(self.direction, member.plain, member.with_views)]
        if not worse or self.view_search is not None:
            return []
        advice = (
            f"the views {self.views} lower the score of {', '.join(worse)}: training may not use such augmentation; "
            "compare with --views auto or none"
        )
        return [advice]

    @property
    def _searches(self) -> list[ViewSearch | WeightSearch]:
        return [search for search in (self.view_search, self.weight_search) if search is not None]

    @property
    def _has_parts(self) -> bool:
        return len({member.images for member in self.members}) > 1


_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")

_MEANT = {"probability": "probabilities", "logit": "logits", "vote": "votes"}


def _is_better(direction: Direction, score: float | None, other: float | None) -> bool:
    if score is None or other is None:
        return score is not None and other is None
    return score > other if direction == "max" else score < other


def ensemble(
    session: Session,
    names: Sequence[str],
    *,
    weights: WeightsGiven = "equal",
    mean: Mean = "probability",
    views: str = "none",
    name: str | None = None,
) -> EnsembleResult:
    """Average the predictions of experiments, parts of them and ensembles; missing predictions are made and kept.

    Raises:
        ConfigError: a part of an experiment does not exist, or the numbers of weights and members differ.
        MembersError: the members differ in images or metric, or leave images without a prediction.
        NotReadyError: a member is not fitted.
    """
    workspace, progress, machines = session.workspace, session.progress, session.cluster
    refuse_missing(workspace.engine)
    members = [find_member(workspace, member) for member in names]
    resolved = [read_resolved(member.experiment) for member in members]
    experiment = _place(workspace, members, views, name)
    choices = views_to_try(views) if is_search(views) else ()
    _refuse(members, resolved, weights, views_name(choices) if choices else views, searching=bool(choices))
    splits = common_splits(members, resolved)
    truth = truth_of(members[0].experiment, resolved[0])
    ids = truth.labelled.images.ids
    refuse_other_holdouts(members)
    refuse_gaps(members, ids)
    plain = [predict_member(member, "oof", "none", progress, machines=machines) for member in members]
    refuse_other_images(members, resolved, plain)
    everything = read_fold_table(members[0].experiment.folds, ids)
    table = members[0].fold_table()
    plugins = Plugins.of(members[0].experiment, progress)
    labelled = truth.only(table.out_of_fold.ids).labelled
    parts = _parts(table, progress) if choices or weights == "search" else table.out_of_fold.folds
    groups = table.out_of_fold.group_numbers
    setting = Setting(labelled, parts, groups, truth.for_searches(plugins)[0].build_metric(plugins), mean, progress)
    numbers = [1.0] * len(members) if isinstance(weights, str) else list(weights)
    make_folder(experiment.folder)
    with experiment.locked():
        plain_mean = replace(setting, mean="probability")
        view_search = search_views(members, numbers, choices, plain_mean, machines) if choices else None
        views = view_search.views if view_search else views
        viewed = [predict_member(member, "oof", views, progress, machines=machines) for member in members]
        weight_search = None
        if weights == "search":
            weight_search = search_weights(members, sources_of(members, viewed, "oof"), setting)
            numbers = weight_search.weights
        weighting = weights if isinstance(weights, str) else "given"
        config = _config(experiment, members, tuple(numbers), weighting=weighting, mean=mean, views=views)
        _write_config(experiment, config, resolved[0], members[0], progress)
        _write_searches(experiment, view_search, weight_search)
        write_folds(experiment.folds, everything.ids, everything.folds, everything.groups)
        blended = Ensemble(experiment, members, config)
        folders = {"oof": viewed}
        for split in ALL_SPLITS:
            if split not in splits:
                experiment.forget_predictions(split)
                continue
            if split != "oof":
                folders[split] = predict_weighted(members, config.weights, split, views, progress, machines=machines)
            blend(blended, folders[split], split=split, views=views, progress=progress)
        held_out = folders.get("holdout", ())
        scored = score_members(blended, plain, viewed, held_out=held_out, plugins=plugins, progress=progress)
    return EnsembleResult(
        experiment.name,
        scored.metric,
        scored.direction,
        truth.classes.count,
        config.views,
        config.mean,
        scored.members,
        scored.folds,
        scored.all,
        scored.interval,
        scored.verdict,
        view_search,
        weight_search,
        str(experiment.overlays),
        scored.holdout,
        scored.holdout_verdict,
        scored.constant,
        ", ".join(sorted(engines_of(experiment.predictions("oof")))),
        page_at_the_end(session, experiment, wanted=config.report),
    )


def _parts(table: FoldTable, progress: Progress) -> Integers:
    """The parts of the images for nested scores: the folds, or random parts of a single fold."""
    parts = table.parts("a search")
    if table.folds_count == 1:
        progress.say(f"with a single fold, nested scores use {int(parts.max()) + 1} random parts of its images")
    return parts


def parse_weights(text: str | None) -> WeightsGiven:
    """Weights as given on the command line: `equal`, `search`, or numbers (`0.6,0.4`).

    Raises:
        ConfigError: the text is none of these.
    """
    if text in (None, "equal", "search"):
        return "search" if text == "search" else "equal"
    try:
        return [float(part) for part in str(text).split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--weights: expected equal, search, or comma-separated numbers (for example 0.6,0.4); received {text!r}"
        ) from error


def parse_mean(text: str) -> Mean:
    """The mean with this name.

    Raises:
        ConfigError: the name is unknown.
    """
    for mean in MEANS:
        if text == mean:
            return mean
    raise ConfigError(f"--mean: {not_valid(text, MEANS)}")


def parse_views(views: str | None, tta: bool) -> str:
    """The name of a set of views, or `auto` with the set to choose from; `--tta` means flips.

    Raises:
        ConfigError: the set is unknown, or contradicts `--tta`.
    """
    if views is None:
        return "flips" if tta else "none"
    try:
        name = views if is_search(views) else views_name(read_views(views))
    except ValueError as error:
        raise ConfigError(f"--views: {error}") from error
    if tta and name != "flips":
        raise ConfigError(f"--tta means --views flips; received --views {views} as well. Leave out one of them.")
    return name


_LARGEST_WEIGHT = 1e9


def _refuse(
    members: Sequence[Member], resolved: Sequence[Resolved], weights: WeightsGiven, views: str, *, searching: bool
) -> None:
    """Refuse members that cannot be averaged, before anything is predicted; `searching`: views are searched."""
    refuse_other_tasks(members, resolved)
    for option, asked in (("--weights search", weights == "search"), ("--views auto", searching)):
        if asked:
            refuse_single_folds(members, option)
    count = len(members)
    if not isinstance(weights, str) and (
        len(weights) != count or not all(0 < one <= _LARGEST_WEIGHT for one in weights)
    ):
        raise ConfigError(
            f"--weights: expected {count} numbers above 0 and at most {_LARGEST_WEIGHT:.0e}, one for each member; "
            f"received {list(weights)}"
        )
    for member in members:
        refuse_views(member, views)


def _config(
    experiment: Experiment,
    members: Sequence[Member],
    weights: tuple[float, ...],
    *,
    weighting: Weighting,
    mean: Mean,
    views: str,
) -> EnsembleConfig:
    tree = {
        "members": tuple(_name_in(member, experiment.folder.parent) for member in members),
        "weights": weights,
        "weighting": weighting,
        "mean": mean,
        "views": views,
        "primary_metric": read_resolved(members[0].experiment).config["primary_metric"],
        "report": not experiment.config.is_file() or load_ensemble(experiment.config).config.report,
    }
    plugins = names_defined_beside_members(members[0].experiment.config)
    return EnsembleConfig.model_validate(tree, context={"plugins": plugins})


def _place(workspace: Workspace, members: Sequence[Member], views: str, name: str | None) -> Experiment:
    """The folder of a new ensemble, or of an earlier ensemble with the same name, which is replaced."""
    place = workspace.place(name or default_name(members, views))
    if _is_in(place, members) or (place.config.is_file() and not place.is_ensemble):
        raise ConfigError(
            f"{place.folder} is not an ensemble, or is one of the members",
            "Choose another name for the ensemble: --name NAME",
        )
    return place


def default_name(members: Sequence[Member], views: str) -> str:
    """The names of the members; that of a single one and the views, with dashes for letters that no name may have."""
    name = "+".join(member.name.replace(":", ".") for member in members)
    if len(members) > 1 or views == "none":
        return name
    return f"{name}-{_NOT_IN_NAMES.sub('-', views if is_search(views) else views_folder(views))}"


def _is_in(experiment: Experiment, members: Sequence[Member]) -> bool:
    """Whether an experiment is one of the members, or of their members at any depth."""
    inner = [members_of(member.experiment)[0] for member in members if member.is_ensemble]
    same = any(member.experiment.folder.resolve() == experiment.folder.resolve() for member in members)
    return same or any(_is_in(experiment, several) for several in inner)


def _write_config(
    experiment: Experiment, config: EnsembleConfig, first: Resolved, member: Member, progress: Progress
) -> None:
    tree: dict[str, Any] = config.model_dump(mode="json", exclude={"report"} if config.report else None)
    if experiment.config.is_file() and load_ensemble(experiment.config).config != config:
        progress.say(f"{experiment.name} was made with other members, weights, means or views; it is made again")
    delete(experiment.score)
    write_text(experiment.config, write_yaml(tree))
    truth = {"data": data_of(member.experiment, first).model_dump()} | {key: first.config[key] for key in TRUTH_KEYS}
    plain = with_relative_paths(tree | truth, experiment.folder)
    write_resolved(experiment, Resolved(plain, first.digests, first.precision, versions()))


def _write_searches(experiment: Experiment, view_search: ViewSearch | None, weight_search: WeightSearch | None) -> None:
    """What was tried; the files of earlier searches go."""
    for path, search in ((experiment.view_search, view_search), (experiment.weight_search, weight_search)):
        if search is None:
            delete(path)
        else:
            write_json(path, asdict(search))


def _name_in(member: Member, folder: Path) -> str:
    path = Path(os.path.relpath(member.experiment.folder, folder)).as_posix()
    return ":".join((path, *member.part.words))
