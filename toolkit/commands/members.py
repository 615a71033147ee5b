"""The members of an ensemble: whether they fit together, and their predictions, made where they are missing."""

from collections.abc import Sequence
from pathlib import Path

from toolkit.config.loading import config_from_plain, is_ensemble, load_ensemble
from toolkit.config.models import EnsembleConfig
from toolkit.core.blend import to_probability, weighted_mean
from toolkit.errors import MembersError, NotReadyError
from toolkit.files.datasets import find_labelled
from toolkit.files.experiment import Experiment, Split
from toolkit.files.fold_table import read_folds
from toolkit.files.locks import locked
from toolkit.files.resolved import Resolved, read_resolved, refuse_changed_plugins
from toolkit.files.sources import find_images
from toolkit.files.store import ProbabilityStore, ProbabilityWriter, is_made_from, member_digests
from toolkit.learning.plugins import Own
from toolkit.messages import Progress


def is_in(experiment: Experiment, members: Sequence[Experiment]) -> bool:
    """Whether an experiment is one of the members, or of the members of their members."""
    inner = [_inner(member, load_ensemble(member.config).config) for member in members if is_ensemble(member.config)]
    same = any(member.folder.resolve() == experiment.folder.resolve() for member in members)
    return same or any(is_in(experiment, several) for several in inner)


def _inner(member: Experiment, config: EnsembleConfig) -> list[Experiment]:
    return [Experiment(member.folder.parent / name) for name in config.members]


def first_fitted(member: Experiment) -> Experiment:
    """The experiment itself, or the first inside an ensemble: beside it lies the code of its own metrics."""
    while is_ensemble(member.config):
        member = _inner(member, load_ensemble(member.config).config)[0]
    return member


def common_splits(members: Sequence[Experiment]) -> list[Split]:
    """Test predictions are blended where every member has them."""
    with_test = [member.name for member in members if member.predictions("test").is_dir()]
    if with_test and len(with_test) < len(members):
        without = [member.name for member in members if member.name not in with_test]
        raise MembersError(
            f"{', '.join(with_test)} predicted test images, {', '.join(without)} did not",
            f"Add data.test to its configuration and run: tk fit {without[0]}",
        )
    if len({frozenset(ProbabilityStore(member.predictions("test")).ids) for member in members if with_test}) > 1:
        raise MembersError(
            "the members predicted different test images", "Set data.test alike and run tk fit for each."
        )
    return ["oof", "test"] if with_test else ["oof"]


def refuse_different(
    members: Sequence[Experiment], stores: Sequence[ProbabilityStore], resolved: Sequence[Resolved]
) -> None:
    """Refuse members that were fitted to other images than the first, or to others of the same name."""
    first = set(stores[0].ids)
    for member, store in zip(members[1:], stores[1:], strict=True):
        differing = sorted(first.symmetric_difference(store.ids))
        if differing:
            raise MembersError(
                f"{members[0].name} and {member.name} were fitted to different images: {len(differing)} ids are in "
                f"only one of them, such as {', '.join(differing[:5])}",
                "Only experiments over the same images can be averaged.",
            )
        for image_id in store.ids:
            if store.size(image_id) != stores[0].size(image_id):
                raise MembersError(f"{image_id} has another size in {member.name} than in {members[0].name}")
    for key, what in (("training_data", "fitted to images or masks"), ("test_data", "used to predict test images")):
        if len({entry.digests.get(key) for entry in resolved}) > 1:
            raise MembersError(
                f"the members were {what} with the same ids but different content", "Use the same data folders for all."
            )


def refuse_views(member: Experiment, views: str) -> None:
    """Predictions with views are made anew, which takes the weights and plain members."""
    if views == "none":
        return
    if is_ensemble(member.config):
        config = load_ensemble(member.config).config
        if config.views not in ("none", views):
            raise MembersError(f"{member.name} is averaged over {config.views} already; --views {views} would mix them")
        for inner in _inner(member, config) if config.views == "none" else []:
            refuse_views(inner, views)
        return
    fitted = read_resolved(member).config
    last = len(fitted["stages"]) - 1
    gone = [fold for fold in range(fitted["folds_count"]) if not member.stage(fold, last).best_weights.is_file()]
    if gone:
        raise NotReadyError(
            f"{member.name} cannot be predicted with {views}: the weights of fold {', '.join(map(str, gone))} are gone",
            f"Run: tk fit {member.name}",
        )


def member_predictions(member: Experiment, split: Split, views: str, progress: Progress) -> Path:
    """The folder of a member's predictions with these views, made if they are missing or stale."""
    if is_ensemble(member.config):
        config = load_ensemble(member.config).config
        if views in ("none", config.views):
            return member.predictions(split)
        inner = _inner(member, config)
        with locked(member.lock):
            blend_members(member, inner, config, split=split, views=views, into=views, progress=progress)
    elif views != "none":
        with locked(member.lock):
            _predict(member, split, views, progress)
    return member.predictions(split, views)


def blend_members(
    experiment: Experiment,
    members: Sequence[Experiment],
    config: EnsembleConfig,
    *,
    split: Split,
    views: str,
    into: str = "none",
    progress: Progress,
) -> None:
    """Blend the members' predictions with these views into one store of the ensemble."""
    folders = [member_predictions(member, split, views, progress) for member in members]
    folder = experiment.predictions(split, into)
    # The plain predictions too: those with views go when a member is trained again, and come back only on demand.
    sources = [*folders, *(member.predictions(split) for member in members)]
    made_from = {"members": member_digests(folder, sources), "weights": list(config.weights), "views": views}
    if is_made_from(folder, made_from):
        return
    stores = [ProbabilityStore(member) for member in folders]
    if any(set(store.ids) != set(stores[0].ids) for store in stores):
        everywhere = set(stores[0].ids).intersection(*(store.ids for store in stores))
        differing = sorted(set(stores[0].ids).union(*(store.ids for store in stores)) - everywhere)
        raise MembersError(f"the members predicted different {split} images, such as {', '.join(differing[:5])}")
    if split == "oof" and into == "none":
        experiment.tuned.unlink(missing_ok=True)
    title = f"{experiment.name}: averaging {'out-of-fold' if split == 'oof' else 'test'} predictions"
    with (
        ProbabilityWriter(folder, stores[0].stored_type, made_from) as writer,
        progress.task(title, len(stores[0].ids)) as task,
    ):
        for image_id in stores[0].ids:
            probabilities = [to_probability(store.read(image_id)) for store in stores]
            writer.append(image_id, weighted_mean(probabilities, config.weights))
            task.advance()


def _predict(member: Experiment, split: Split, views: str, progress: Progress) -> None:
    from toolkit.learning.stores import FittedExperiment, predict_oof, predict_test

    resolved = read_resolved(member)
    refuse_changed_plugins(member, resolved)
    config = config_from_plain(resolved.config, member.folder)
    images = find_labelled(config).images
    own = Own(member.config, progress)
    fitted = FittedExperiment(member, config, resolved, images.ids, read_folds(member.folds, images.ids), own)
    if split == "oof":
        predict_oof(fitted, images, views, progress)
    elif config.data.test is not None:
        predict_test(fitted, find_images(config.data.test, "data.test", config.shape[2]), views, progress)
