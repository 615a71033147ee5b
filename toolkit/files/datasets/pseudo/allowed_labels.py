"""The pseudo-labels that each fold may learn from: made by networks that never saw what the fold holds out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.core.arrays import Integers
from toolkit.core.ensembling.means import Blender
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.folds.unseen import ImageSet, held_back, unseen_by
from toolkit.core.images.duplicates import equal_groups, near_duplicate_groups
from toolkit.core.masks.labels import has_foreground
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.sampling.label_certainty import certainty
from toolkit.core.sampling.pseudo_labels import LabelRule
from toolkit.errors import ChangedError, FoldsError, listing
from toolkit.files.data.sources import Images
from toolkit.files.datasets.pseudo.pseudo_pool import LabelMaps, PseudoLabelled, PseudoPool
from toolkit.files.datasets.pseudo.seen_images import SeenImages, beyond_training, pictures_of
from toolkit.files.datasets.pseudo.teacher import Teacher, TeacherFold, TeacherMember
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.masks.mask_files import EmptyMasks
from toolkit.files.predictions.store import ProbabilityStore, is_made_from
from toolkit.messages import Progress

_NAMED = 3
_HALF = 0.5


@dataclass(frozen=True)
class Unlabelled:
    """Images without labels, and what is known of each, in the order of the sorted ids."""

    images: Images
    facts: tuple[ImageFacts, ...]
    content: str


@dataclass(frozen=True)
class AllowedFold:
    """What one fold may learn from, and what its teachers had seen besides the fold's own training images."""

    pool: PseudoPool
    seen: ImageSet


def open_stores(teacher: Teacher, content: str) -> dict[str, ProbabilityStore]:
    """The labels that each fold of a teacher made of the images with this digest, by the name of the fold.

    Raises:
        ChangedError: they are missing, or were made from other weights, settings or images.
    """
    name = teacher.member.name
    stale = [fold.name for fold in teacher.folds if not is_made_from(fold.store, fold.made_from(content))]
    if stale:
        raise ChangedError(
            f"the pseudo-labels of {name} are not those of its present networks and images: {listing(stale)}",
            f"Run: tk pseudo {name}",
        )
    return {fold.name: ProbabilityStore(fold.store) for fold in teacher.folds}


def shown_groups(labelled: Sequence[ImageFacts], unlabelled: Sequence[ImageFacts]) -> list[tuple[list[int], list[int]]]:
    """Groups of images that show the same, exactly or nearly: positions of labelled and of unlabelled ones.

    Only groups with both kinds are found.
    """
    if not unlabelled:
        return []
    both, count = [*labelled, *unlabelled], len(labelled)
    constant = np.array([one.is_constant for one in both], np.bool_)
    groups = [*equal_groups([one.picture for one in both], constant)]
    groups += near_duplicate_groups(np.stack([one.thumbnail for one in both]))
    split = [
        ([one for one in group if one < count], [one - count for one in group if one >= count]) for group in groups
    ]
    return [(here, there) for here, there in split if here and there]


def allowed_labels(
    teacher: Teacher,
    unlabelled: Unlabelled,
    seen: SeenImages,
    folds: Integers,
    *,
    progress: Progress,
) -> list[AllowedFold]:
    """What each fold of a student may learn from a teacher.

    Args:
        teacher: whose labels are made.
        unlabelled: the images that it labelled, as the student reads them.
        seen: finds what the networks of the teacher saw; it has the data of the student.
        folds: the fold that holds out each of the student's images, `int64 (images,)`.
        progress: shows the work, and says how many images show labelled ones.

    Raises:
        FoldsError: every network of a member saw images that a fold holds out.
        ChangedError: the labels are stale.
    """
    dataset, name = seen.dataset, teacher.member.name
    stores = open_stores(teacher, unlabelled.content)
    by_fold = {fold.name: seen.by(fold) for fold in teacher.folds}
    groups = shown_groups(dataset.index.facts, unlabelled.facts)
    _tell_shown(name, groups, progress)
    ids, pictures = dataset.index.ids, pictures_of(dataset.index.facts)
    named = dict(zip(pictures, ids, strict=True))
    certainties: dict[tuple[str, ...], tuple[list[float], list[bool]]] = {}
    found = []
    for number in range(seen.config.folds_count):
        held = held_back(ids, pictures, folds, number)
        members = [_unseen(member, by_fold, held, named) for member in teacher.members]
        maps = LabelMaps(
            tuple(tuple(stores[fold.name] for fold in member) for member in members),
            tuple(member.weight for member in teacher.members),
            Blender(teacher.mean, teacher.classes.activation),
        )
        names = tuple(fold.name for member in members for fold in member)
        source = _source(teacher, unlabelled, maps)
        if names not in certainties:
            certainties[names] = _certainties(source, unlabelled, ", ".join(names), progress)
        back = np.isin(folds, [number, HOLDOUT])
        known = np.ones(len(unlabelled.facts), np.bool_)
        for here, there in groups:
            known[there] &= not back[here].any()
        pool = _pool(source, unlabelled, certainties[names], known, names)
        of_models = ImageSet()
        for each in names:
            of_models |= by_fold[each]
        found.append(AllowedFold(pool, beyond_training(of_models, ids, pictures, folds, number)))
    return found


def _unseen(
    member: TeacherMember,
    by_fold: Mapping[str, ImageSet],
    held: ImageSet,
    named: Mapping[str, str],
) -> list[TeacherFold]:
    """The folds of a member whose networks never saw what a fold of the student holds out.

    `named` has the ids of images by the digests of their pixels.
    """
    seen = [by_fold[fold.name] for fold in member.folds]
    allowed = [member.folds[place] for place in unseen_by(held, seen)]
    if allowed:
        return allowed
    least = min((held.shared(images) for images in seen), key=len)
    shown = list(dict.fromkeys(named.get(one, one) for one in least))
    source = member.member.experiment
    raise FoldsError(
        f"pseudo: all networks of {member.member.name} saw images that a fold or the hold-out keeps back "
        f"(at least {len(shown)}: {listing(shown, _NAMED)}), so scores of what learns from their labels would be "
        "too good",
        f"Use the folds of the teacher: add folds: ../{source.name}/folds.csv to config.yaml, or make a teacher with "
        "the folds of this experiment, all of them trained.",
    )


def _source(teacher: Teacher, unlabelled: Unlabelled, maps: LabelMaps) -> PseudoLabelled:
    rule = LabelRule(teacher.classes.activation, ((_HALF, _HALF),) * teacher.classes.count, soft=False)
    return PseudoLabelled(unlabelled.images, EmptyMasks(unlabelled.images.ids), teacher.classes, maps=maps, rule=rule)


def _certainties(
    source: PseudoLabelled, unlabelled: Unlabelled, names: str, progress: Progress
) -> tuple[list[float], list[bool]]:
    """The certainty of each label, and whether it has foreground."""
    found, positive = [], []
    with progress.task(f"confidence of labels by {names}", len(unlabelled.facts)) as task:
        for one in unlabelled.facts:
            voices = source.maps.voices(one.image_id)
            label = source.maps.mean(voices)
            each = [to_levels(voice) for member in voices for voice in member]
            found.append(certainty(label, each, source.classes.activation))
            positive.append(has_foreground(source.rule.labels(label)))
            task.advance()
    return found, positive


def _pool(
    source: PseudoLabelled,
    unlabelled: Unlabelled,
    certainties: tuple[list[float], list[bool]],
    known: npt.NDArray[np.bool_],
    names: tuple[str, ...],
) -> PseudoPool:
    places = np.flatnonzero(known).tolist()
    return PseudoPool(
        source,
        tuple(unlabelled.facts[place].image_id for place in places),
        {unlabelled.facts[place].image_id: unlabelled.facts[place].size for place in places},
        np.array([certainties[0][place] for place in places], np.float64),
        np.array([certainties[1][place] for place in places], np.bool_),
        names,
        len(unlabelled.facts) - len(places),
    )


def _tell_shown(name: str, groups: Sequence[tuple[list[int], list[int]]], progress: Progress) -> None:
    count = len({place for _, there in groups for place in there})
    if count:
        progress.warn(
            f"pseudo: {count} images that {name} labelled show what labelled images show; no fold learns from those "
            "that show what it or the hold-out keeps back"
        )
