"""`tk ensemble`: several experiments into one prediction, which is an experiment again."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.commands.members import (
    blend_members,
    common_splits,
    first_fitted,
    is_in,
    member_predictions,
    refuse_different,
    refuse_views,
)
from toolkit.commands.overlays import write_overlays
from toolkit.commands.scoring import Scores, next_command, score_stores, write_scores, written
from toolkit.config.loading import (
    is_ensemble,
    load_ensemble,
    names_defined_beside_members,
    with_relative_paths,
)
from toolkit.config.models import EnsembleConfig
from toolkit.config.yaml_files import write_yaml
from toolkit.core.measuring import Direction
from toolkit.core.postprocess import IDENTITY
from toolkit.core.views import VIEWS
from toolkit.errors import ConfigError, MembersError
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.fold_table import read_folds, write_folds
from toolkit.files.locks import locked
from toolkit.files.resolved import Resolved, data_of, read_resolved, versions, write_resolved
from toolkit.files.store import ProbabilityStore
from toolkit.files.truth import TRUTH_KEYS, truth_of
from toolkit.files.writing import finite_or_none, write_text, writing_to
from toolkit.learning.plugins import Own
from toolkit.messages import Progress, Table


@dataclass(frozen=True)
class MemberScore:
    """A member's out-of-fold score, plain and with the views of the ensemble; None where the metric skips all."""

    name: str
    weight: float
    plain: float | None
    with_views: float | None


@dataclass(frozen=True)
class EnsembleResult:
    """What `tk ensemble` has made."""

    experiment: str
    metric: str
    direction: Direction
    classes: int
    views: str
    members: list[MemberScore]
    folds: list[float | None]
    all: float | None
    overlays: str

    def tables(self) -> list[Table]:
        """Members, with and without views, and the ensemble."""
        rows = [
            (member.name, f"{member.weight:g}", written(member.plain), written(member.with_views))
            for member in self.members
        ]
        rows.append((self.experiment, "", "", written(self.all)))
        columns = ("", "weight", "no views", f"views: {self.views}")
        return [Table(f"{self.experiment}: out-of-fold {self.metric}, untuned", columns, rows)]

    def next_steps(self) -> list[str]:
        """Whether it was worth it, where the pictures are, what to type."""
        scores = [score for member in self.members for score in (member.plain, member.with_views) if score is not None]
        best = (max if self.direction == "max" else min)(scores, default=None)
        verdict = "beats" if self._is_better(self.all, best) else "does NOT beat"
        worse = [member.name for member in self.members if self._is_better(member.plain, member.with_views)]
        advice = (
            f"the views {self.views} worsen the score of {', '.join(worse)}: training may not have seen such images; "
            "compare --views hflip, or none"
        )
        return [
            *([advice] if worse else []),
            f"the ensemble {verdict} its best member ({written(self.all)} against {written(best)})",
            f"pictures: {self.overlays}",
            next_command(self.experiment, several_classes=self.classes > 1),
        ]

    def _is_better(self, score: float | None, other: float | None) -> bool:
        if score is None or other is None:
            return score is not None
        return score > other if self.direction == "max" else score < other


def ensemble(
    workspace: Workspace,
    names: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    views: str = "none",
    name: str | None = None,
    progress: Progress,
) -> EnsembleResult:
    """Average the predictions of experiments and ensembles; missing predictions with views are made first and kept.

    Raises:
        MembersError: the members were fitted to different images or metrics.
        NotReadyError: a member is not fitted.
    """
    members = [workspace.find(member) for member in names]
    resolved = [read_resolved(member) for member in members]
    experiment = _place(workspace, members, name)
    config = _config(experiment, members, resolved, weights, views)
    plain = [ProbabilityStore(member.predictions("oof")) for member in members]
    refuse_different(members, plain, resolved)
    splits = common_splits(members)
    for member in members:
        refuse_views(member, views)
    ids = truth_of(members[0], resolved[0]).labelled.images.ids
    folds = read_folds(members[0].folds, ids)
    with writing_to(experiment.folder):
        experiment.folder.mkdir(parents=True, exist_ok=True)
    with locked(experiment.lock):
        _write_config(experiment, config, resolved[0], members[0], progress)
        write_folds(experiment.folds, ids, folds)
        if "test" not in splits:
            experiment.forget_predictions("test")
        for split in splits:
            blend_members(experiment, members, config, split=split, views=views, progress=progress)
        return _score(experiment, members, config, plain, progress)


def parse_weights(text: str | None) -> list[float] | None:
    """Weights as given on the command line, such as `0.6,0.4`."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(
            f"--weights: expected numbers separated by commas, such as 0.6,0.4, received {text!r}"
        ) from error


def parse_views(views: str | None, tta: bool) -> str:
    """The name of a set of views; `--tta` means flips."""
    if views is None:
        return "flips" if tta else "none"
    if views not in VIEWS or (tta and views != "flips"):
        allowed = "flips, as --tta says" if tta else ", ".join(VIEWS)
        raise ConfigError(f"--views: unknown set of views {views!r}; allowed: {allowed}")
    return views


def _config(
    experiment: Experiment,
    members: Sequence[Experiment],
    resolved: Sequence[Resolved],
    weights: Sequence[float] | None,
    views: str,
) -> EnsembleConfig:
    metrics = sorted({entry.primary_metric.label for entry in resolved})
    if len(metrics) > 1:
        raise MembersError(f"the members were fitted to different metrics: {', '.join(metrics)}")
    for key in ("classes", "activation", "benchmark_class"):
        if any(entry.config[key] != resolved[0].config[key] for entry in resolved):
            listed = "; ".join(
                f"{member.name}: {entry.config[key]}" for member, entry in zip(members, resolved, strict=True)
            )
            raise MembersError(f"the members differ in {key}: {listed}")
    repeated = {member.name for member in members if members.count(member) > 1}
    if repeated:
        raise MembersError(f"{', '.join(repeated)} is named twice; use --weights to let it count more")
    weights = tuple(weights or [1.0] * len(members))
    if len(weights) != len(members) or not all(0 < weight < math.inf for weight in weights):
        raise ConfigError(f"--weights: expected {len(members)} numbers above 0, one a member, received {list(weights)}")
    tree = {
        "members": tuple(_relative(member.folder, experiment.folder.parent) for member in members),
        "weights": weights,
        "views": views,
        "primary_metric": resolved[0].config["primary_metric"],
    }
    return EnsembleConfig.model_validate(tree, context={"own": names_defined_beside_members(members[0].config)})


def _place(workspace: Workspace, members: Sequence[Experiment], name: str | None) -> Experiment:
    """The folder of a new ensemble, or that of an earlier ensemble of the same name, which is made again."""
    place = workspace.place(name or "+".join(member.name for member in members))
    if is_in(place, members) or (place.config.is_file() and not is_ensemble(place.config)):
        raise ConfigError(
            f"{place.folder} is an experiment of its own", "Choose another name for the ensemble: --name NAME"
        )
    return place


def _write_config(
    experiment: Experiment, config: EnsembleConfig, first: Resolved, member: Experiment, progress: Progress
) -> None:
    tree: dict[str, Any] = config.model_dump(mode="json")
    if experiment.config.is_file() and load_ensemble(experiment.config).config != config:
        progress.say(f"{experiment.name} was made with other weights or views; it is made again")
    experiment.score.unlink(missing_ok=True)
    write_text(experiment.config, write_yaml(tree))
    truth = {"data": data_of(member, first).model_dump()} | {key: first.config[key] for key in TRUTH_KEYS}
    plain = with_relative_paths(tree | truth, experiment.folder)
    write_resolved(experiment, Resolved(plain, first.digests, first.precision, versions()))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def _score(
    experiment: Experiment,
    members: Sequence[Experiment],
    config: EnsembleConfig,
    plain: Sequence[ProbabilityStore],
    progress: Progress,
) -> EnsembleResult:
    truth = truth_of(experiment, read_resolved(experiment))
    data = truth.labelled
    store = ProbabilityStore(experiment.predictions("oof"))
    viewed = [ProbabilityStore(member_predictions(member, "oof", config.views, progress)) for member in members]
    folds = read_folds(experiment.folds, data.images.ids)
    scores: list[Scores] = score_stores(
        [store, *plain, *viewed],
        data,
        folds,
        [truth.metric],
        recipe=IDENTITY,
        benchmark=truth.benchmark,
        own=Own(first_fitted(members[0]).config, progress),
        progress=progress,
    )
    write_overlays(experiment, store, data, scores[0], IDENTITY)
    write_scores(experiment, scores[0])
    count = len(members)
    found = zip(members, config.weights, scores[1 : 1 + count], scores[1 + count :], strict=True)
    return EnsembleResult(
        experiment.name,
        scores[0].metric,
        scores[0].judgement.metrics[0].direction,
        data.classes.count,
        config.views,
        [
            MemberScore(member.name, weight, finite_or_none(without.all), finite_or_none(with_.all))
            for member, weight, without, with_ in found
        ],
        [finite_or_none(score) for score in scores[0].by_fold],
        finite_or_none(scores[0].all),
        str(experiment.overlays),
    )
