"""Blending the predictions of members into one store, image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.config.models import EnsembleConfig
from toolkit.core.arrays import Presence
from toolkit.core.ensembling.means import Blender
from toolkit.core.recipe.probabilities import StoredType, mean_presence
from toolkit.core.tuning.fold_means import FoldSpread
from toolkit.errors import MembersError, listing
from toolkit.files.experiment.folder import Experiment, Split
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.resolved import read_resolved
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made_from, member_digests
from toolkit.messages import Progress

_PREDICTIONS: dict[Split, str] = {"oof": "out-of-fold", "test": "test", "holdout": "hold-out"}


@dataclass(frozen=True, eq=False)
class Source:
    """The predictions of one member; for a single fold, only of its held-out images."""

    store: ProbabilityStore
    ids: frozenset[str]

    def presence(self, image_id: str) -> Presence | None:
        """The output of its presence head; None if it has none, or did not predict the image."""
        return self.store.presence(image_id) if image_id in self.ids else None


@dataclass(frozen=True)
class Ensemble:
    """An ensemble: its folder, its members, and its configuration, with one weight for each member."""

    experiment: Experiment
    members: Sequence[Member]
    config: EnsembleConfig


def sources_of(members: Sequence[Member], folders: Sequence[Path], split: Split) -> list[Source]:
    """The predictions of members, in their folders.

    Raises:
        MembersError: the members predicted different images.
    """
    stores = [ProbabilityStore(folder) for folder in folders]
    ids = frozenset(image_id for store in stores for image_id in store.ids)
    sources = []
    for member, store in zip(members, stores, strict=True):
        whole = split != "oof" or member.part.fold is None
        expected = ids if whole else member.images()
        missing = sorted(expected.difference(store.ids))
        if missing:
            raise MembersError(
                f"the members predicted different {split} images: {member.name} has no prediction of {listing(missing)}"
            )
        sources.append(Source(store, expected))
    return sources


def blend(
    ensemble: Ensemble,
    folders: Sequence[Path],
    *,
    split: Split,
    views: str,
    into: str = "none",
    progress: Progress,
) -> Path:
    """Blend the members' predictions with these views, in their folders, into one store of the ensemble.

    A store that was made from the same predictions and settings is kept. Members without a weight are not read.

    Returns:
        The folder of the store.
    """
    experiment, members, config = ensemble.experiment, ensemble.members, ensemble.config
    folder = experiment.predictions(split, into)
    counted = [number for number, weight in enumerate(config.weights) if weight]
    read = [folders[number] for number in counted]
    # The plain predictions too: those with views go when a member is trained again, and come back only on demand.
    plain = [members[number].experiment.predictions(split) for number in counted]
    made_from = {
        "members": member_digests(folder, [*read, *(path for path in plain if path.is_dir())]),
        "names": list(config.members),
        "weights": list(config.weights),
        "mean": config.mean,
        "views": views,
    }
    if is_made_from(folder, made_from):
        return folder
    sources = dict(zip(counted, sources_of([members[number] for number in counted], read, split), strict=True))
    if split == "oof" and into == "none":
        experiment.forget_conclusions()
    activation = read_resolved(members[0].experiment).config["activation"]
    blender = Blender(config.mean, activation)
    ids = tuple(dict.fromkeys(image_id for source in sources.values() for image_id in source.store.ids))
    ids = tuple(image_id for image_id in ids if any(image_id in source.ids for source in sources.values()))
    stored_type: StoredType = (
        "float16" if any(one.store.stored_type == "float16" for one in sources.values()) else "uint8"
    )
    present = _presences(sources, config.weights, ids)
    title = f"{experiment.name}: averaging {_PREDICTIONS[split]} predictions"
    with ProbabilityWriter(folder, stored_type, made_from) as writer, progress.task(title, len(ids)) as task:
        for image_id in ids:
            maps = {number: one.store.read(image_id) for number, one in sources.items() if image_id in one.ids}
            writer.append(image_id, blender.blend(maps, config.weights, stored_type), present.get(image_id))
            task.advance()
        writer.fold_spread = _fold_spread(sources, config.weights)
    return folder


def _fold_spread(sources: Mapping[int, Source], weights: Sequence[float]) -> FoldSpread | None:
    """Folds of the ensemble vary at most as those of its members on average; None if that is unknown for a member."""
    known = [one.store.fold_spread for one in sources.values()]
    found = [spread.variance for spread in known if spread is not None]
    if len(found) < len(known):
        return None
    return FoldSpread(np.average(found, axis=0, weights=[weights[number] for number in sources]))


def _presences(sources: Mapping[int, Source], weights: Sequence[float], ids: Sequence[str]) -> dict[str, Presence]:
    """The mean output of the members' presence heads for each image; empty if any image has none."""
    given = [weights[number] for number in sources]
    found = {}
    for image_id in ids:
        presence = mean_presence([source.presence(image_id) for source in sources.values()], given)
        if presence is None:
            return {}
        found[image_id] = presence
    return found
