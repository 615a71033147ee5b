"""The members of an ensemble: whether they fit together, and their predictions, made where they are missing."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from toolkit.cluster.units import Machines
from toolkit.commands.ensembling.blending import Ensemble, blend
from toolkit.commands.predicting.shards.shard_units import predict_on
from toolkit.errors import MembersError, NotReadyError, listing
from toolkit.files.data.finding import find_test_images
from toolkit.files.experiment.folder import Split
from toolkit.files.experiment.members import Member, members_of
from toolkit.files.experiment.resolved import Resolved, read_resolved
from toolkit.files.experiment.trained import untrained_folds
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.messages import Progress

if TYPE_CHECKING:
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment

_SAME_KEYS = ("classes", "activation", "benchmark_class")
_SAME_DATA = (("training_data", "fitted to images or masks"), ("test_data", "used to predict test images"))


def refuse_other_tasks(members: Sequence[Member], resolved: Sequence[Resolved]) -> None:
    """Refuse members that were fitted to another metric, other classes or other data than the first, or named twice.

    Raises:
        MembersError: the members differ in metric, classes or data, or one is named twice.
    """
    metrics = sorted({entry.primary_metric.label for entry in resolved})
    if len(metrics) > 1:
        raise MembersError(f"the members were fitted to different metrics: {', '.join(metrics)}")
    for key in _SAME_KEYS:
        if any(entry.config[key] != resolved[0].config[key] for entry in resolved):
            listed = "; ".join(
                f"{member.name}: {entry.config[key]}" for member, entry in zip(members, resolved, strict=True)
            )
            raise MembersError(f"the members differ in {key}: {listed}")
    repeated = {member.name for member in members if members.count(member) > 1}
    if repeated:
        raise MembersError(f"{', '.join(repeated)} is named twice; use --weights to give it more weight")


def refuse_other_images(members: Sequence[Member], resolved: Sequence[Resolved], plain: Sequence[Path]) -> None:
    """Refuse members whose out-of-fold predictions, in the folders `plain`, are of other images or sizes.

    Raises:
        MembersError: the images, their sizes or their content differ.
    """
    stores = [ProbabilityStore(folder) for folder in plain]
    whole = [number for number, member in enumerate(members) if member.part.fold is None]
    for number in whole[1:]:
        first = whole[0]
        differing = sorted(set(stores[first].ids).symmetric_difference(stores[number].ids))
        for member, entry in ((members[place], resolved[place]) for place in (first, number) if differing):
            missing = None if member.is_ensemble else untrained_folds(member.experiment, entry.config)
            if missing is not None:
                raise MembersError(
                    f"{missing.describe()}. The other members predicted more images.",
                    f"Train the rest, or name a fold that is trained, such as {member.name}:fold{missing.trained[0]}",
                )
        if differing:
            raise MembersError(
                f"{members[first].name} and {members[number].name} were fitted to different images: {len(differing)} "
                f"ids are in only one of them (for example {listing(differing)})",
                "Only experiments over the same images can be averaged.",
            )
    for member, store in zip(members[1:], stores[1:], strict=True):
        for image_id in set(stores[0].ids).intersection(store.ids):
            if store.size(image_id) != stores[0].size(image_id):
                raise MembersError(f"the sizes of {image_id} differ in {member.name} and {members[0].name}")
    for key, what in _SAME_DATA:
        if len({entry.digests.get(key) for entry in resolved}) > 1:
            raise MembersError(
                f"the members were {what} with the same ids but different content",
                "Use the same data folders for all members.",
            )


def refuse_gaps(members: Sequence[Member], ids: Sequence[str]) -> None:
    """Refuse single folds that leave images without any out-of-fold prediction; `ids` are those of all labelled images.

    Raises:
        MembersError: some images have no out-of-fold prediction.
    """
    covered = frozenset[str]().union(*(member.images(None if member.part.fold is None else ids) for member in members))
    expected = members[0].fold_table().out_of_fold.ids
    missing = sorted(set(expected) - covered)
    if missing:
        raise MembersError(
            f"{len(missing)} of {len(expected)} training images have no out-of-fold prediction (for example "
            f"{listing(missing)}), because {', '.join(member.name for member in members)} do not hold them out",
            "Add the missing folds, or use the whole experiment.",
        )


def refuse_other_holdouts(members: Sequence[Member]) -> None:
    """Refuse members with different hold-outs: one may have trained on the hold-out of another.

    Raises:
        MembersError: the hold-outs differ.
    """
    first = frozenset(members[0].fold_table().holdout.ids)
    for member in members[1:]:
        differing = sorted(first.symmetric_difference(member.fold_table().holdout.ids))
        if differing:
            raise MembersError(
                f"{members[0].name} and {member.name} have different hold-outs: {len(differing)} images are in only "
                f"one of them (for example {listing(differing)}), so one may have trained on the hold-out of the other",
                f"Fit them with the same folds: set folds: ../{members[0].experiment.name}/folds.csv",
            )


def refuse_single_folds(members: Sequence[Member], option: str) -> None:
    """Refuse single folds for an option that compares members on the same images.

    Raises:
        MembersError: a member is a single fold.
    """
    single = [member.name for member in members if member.part.fold is not None]
    if single:
        raise MembersError(
            f"{option} compares members on the same images, but {', '.join(single)} predicted only held-out images",
            "Name whole experiments, or give numbers and views: --weights 0.6,0.4 --views flips",
        )


def common_splits(members: Sequence[Member], resolved: Sequence[Resolved]) -> list[Split]:
    """The splits to average: out-of-fold, test if every member has test predictions, hold-out if there is one.

    Raises:
        MembersError: only some members have test predictions, or they are of different images.
    """
    tested = [
        "test_data" in entry.digests if member.is_part else member.predictions("test").is_dir()
        for member, entry in zip(members, resolved, strict=True)
    ]
    if any(tested) and not all(tested):
        having = [member.name for member, has in zip(members, tested, strict=True) if has]
        without = [member for member, has in zip(members, tested, strict=True) if not has]
        raise MembersError(
            f"{', '.join(having)} predicted test images, {', '.join(member.name for member in without)} did not",
            f"Add data.test to its configuration and run: tk fit {without[0].experiment.name}",
        )
    folders = [member.predictions("test") for member in members if not member.is_part]
    if any(tested) and len({frozenset(ProbabilityStore(folder).ids) for folder in folders}) > 1:
        raise MembersError(
            "the members predicted different test images", "Set data.test to the same images and run tk fit for each."
        )
    splits: list[Split] = ["oof", "test"] if any(tested) else ["oof"]
    return [*splits, "holdout"] if members[0].fold_table().holdout.ids else splits


def refuse_views(member: Member, views: str) -> None:
    """Refuse views that a member cannot be predicted with.

    Raises:
        MembersError: the member is already averaged over other views.
        NotReadyError: the weights for new predictions are missing.
    """
    if views == "none" or member.is_part:  # a part was only found with its weights
        return
    if member.is_ensemble:
        inner, config = members_of(member.experiment)
        if config.views not in ("none", views):
            raise MembersError(
                f"{member.name} is already averaged over {config.views}; --views {views} cannot be added"
            )
        for one, weight in zip(inner, config.weights, strict=True):
            if weight and config.views == "none":
                refuse_views(one, views)
        return
    fitted = read_resolved(member.experiment).config
    last = len(fitted["stages"]) - 1
    predicted = np.unique(member.fold_table().out_of_fold.folds).tolist()
    gone = [fold for fold in predicted if not member.experiment.stage(fold, last).best_weights.is_file()]
    if gone:
        raise NotReadyError(
            f"{member.name} cannot be predicted with {views}: weights of fold {', '.join(map(str, gone))} are missing",
            f"Run: tk fit {member.name}",
        )


def predict_member(
    member: Member, split: Split, views: str, progress: Progress, *, machines: Machines | None = None
) -> Path:
    """The folder of a member's predictions with these views, made if they are missing or stale, on machines if given.

    The folder of a single fold may hold other images too; see `Member.images`.
    """
    (folder,) = predict_sets(member, split, [views], progress, machines=machines)
    return folder


def predict_sets(
    member: Member, split: Split, sets: Sequence[str], progress: Progress, *, machines: Machines | None = None
) -> list[Path]:
    """As `predict_member`, for several sets of views in one pass over the images."""
    if member.is_ensemble:
        return [_blended(member, split, views, progress, machines) for views in sets]
    made = [views for views in sets if views != "none" or member.is_part]
    folders = {}
    if made:
        with member.experiment.locked(with_tasks=machines is not None):
            folders = dict(zip(made, _predict(member, split, made, progress, machines), strict=True))
    return [folders.get(views, member.predictions(split, views)) for views in sets]


def predict_weighted(
    members: Sequence[Member],
    weights: Sequence[float],
    split: Split,
    views: str,
    progress: Progress,
    *,
    machines: Machines | None = None,
) -> list[Path]:
    """As `predict_member`, for several members; members without weight are not predicted."""
    return [
        predict_member(member, split, views, progress, machines=machines)
        if weight
        else member.predictions(split, views)
        for member, weight in zip(members, weights, strict=True)
    ]


def _blended(member: Member, split: Split, views: str, progress: Progress, machines: Machines | None) -> Path:
    inner, config = members_of(member.experiment)
    if views in ("none", config.views):
        return member.predictions(split)
    with member.experiment.locked(with_tasks=machines is not None):
        folders = predict_weighted(inner, config.weights, split, views, progress, machines=machines)
        ensemble = Ensemble(member.experiment, inner, config)
        return blend(ensemble, folders, split=split, views=views, into=views, progress=progress)


def _predict(
    member: Member, split: Split, sets: Sequence[str], progress: Progress, machines: Machines | None
) -> list[Path]:
    from toolkit.learning.predicting.fitted_experiment import find_fitted_experiment
    from toolkit.learning.predicting.oof_and_test import predict_holdout, predict_oof, predict_test

    fitted, images = find_fitted_experiment(member, progress)
    of_all_folds = replace(fitted, part=replace(member.part, fold=None))
    there = []
    if split == "oof" and member.part.fold is not None:
        there = [views for views in sets if _is_current(of_all_folds, views)]
    elif split == "test":
        tests = find_test_images(fitted.config.data, fitted.config.shape[2])
        if tests is None:
            return [fitted.predictions(split, views) for views in sets]
        images = tests
    missing = [views for views in sets if views not in there]
    if machines is not None:
        predict_on(machines, fitted, {split: images}, missing, progress)
    predict = {"oof": predict_oof, "test": predict_test, "holdout": predict_holdout}[split]
    predict(fitted, images, missing, progress)
    return [(of_all_folds if views in there else fitted).predictions(split, views) for views in sets]


def _is_current(fitted: "FittedExperiment", views: str) -> bool:
    """Whether out-of-fold predictions exist and were made from the present weights."""
    paths = [path for fold in fitted.fold_numbers for path in fitted.weights_of(fold)]
    return all(path.is_file() for path in paths) and fitted.is_current("oof", views)
