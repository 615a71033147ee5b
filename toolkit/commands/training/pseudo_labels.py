"""The pseudo-labels that an experiment learns from: found, checked against leaks, and described for later."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.config.data.pseudo_labels import PseudoSpec, parse_pseudo
from toolkit.config.loading import Loaded
from toolkit.config.members import parse_member
from toolkit.config.models import Config
from toolkit.config.stage_values import stage_key
from toolkit.config.training.negatives import parse_negatives
from toolkit.core.arrays import Integers
from toolkit.core.folds.unseen import ImageSet
from toolkit.core.sampling.epoch_sampling import Negatives
from toolkit.errors import ChangedError, ConfigError, NothingToLearnError, ToolkitError, counted
from toolkit.files.datasets.dataset import Dataset
from toolkit.files.datasets.pseudo.allowed_labels import AllowedFold, Unlabelled, allowed_labels
from toolkit.files.datasets.pseudo.labels_made import folds_of_members, labels_of
from toolkit.files.datasets.pseudo.pseudo_pool import PseudoPools
from toolkit.files.datasets.pseudo.seen_images import LabelsUsed, SeenImages, UsedByFold, pictures_of
from toolkit.files.datasets.pseudo.teacher import Teacher, find_teacher, other_reading
from toolkit.files.datasets.pseudo.unlabelled import absolute_folders, find_unlabelled
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.inspection.checking import check_test_data, content_digest
from toolkit.files.predictions.store import store_digest
from toolkit.messages import Progress


@dataclass(frozen=True)
class PseudoLabels:
    """What an experiment learns from the labels of other networks; nothing by default.

    `digest` changes whenever what any fold learns does; `used` is what later rounds have to know.
    """

    pools: PseudoPools = field(default_factory=dict)
    digest: str = ""
    used: LabelsUsed | None = None


def find_pseudo_labels(
    experiment: Experiment, loaded: Loaded[Config], dataset: Dataset, folds: Integers, progress: Progress
) -> PseudoLabels:
    """The pseudo-labels that the stages of an experiment name.

    Args:
        experiment: the student.
        loaded: its configuration.
        dataset: its data.
        folds: the fold that holds each image out, `int64 (images,)`.
        progress: shows the work.

    Raises:
        MissingFileError, NotReadyError: the teacher, its labels or its images are not there.
        ConfigError: the teacher is the experiment itself, predicts other classes, or reads images otherwise.
        ChangedError: the labels are not those of the present networks, settings and images of the teacher.
        FoldsError: all networks of the teacher saw images that a fold holds out.
        NothingToLearnError: no label is certain enough for a stage and fold, or its rule for negatives chooses none.
    """
    found: dict[str, list[AllowedFold]] = {}
    pictures: set[str] = set()
    told: list[str] = []
    for number, stage in enumerate(loaded.config.stages):
        spec = parse_pseudo(loaded.config.pseudo if stage.pseudo is None else stage.pseudo)
        if spec is None:
            continue
        where = loaded.where(*stage_key(stage, number, "pseudo"))
        if spec.teacher not in found:
            with _naming(f"{where}.from"):
                teacher, unlabelled = _teacher(experiment, loaded.config, spec.teacher, progress)
                seen = SeenImages(loaded.config, dataset, progress)
                found[spec.teacher] = allowed_labels(teacher, unlabelled, seen, folds, progress=progress)
            pictures |= set(pictures_of(unlabelled.facts)) - {""}
            told += _described(spec.teacher, teacher, unlabelled, found[spec.teacher])
        _refuse_too_few(where, spec, parse_negatives(stage.negatives), found[spec.teacher], number)
        _tell_taken(spec, found[spec.teacher], number, progress)
    if not found:
        return PseudoLabels()
    pools = {(name, fold): one.pool for name, allowed in found.items() for fold, one in enumerate(allowed)}
    used: LabelsUsed = {
        "folds": [_used(found, fold) for fold in range(loaded.config.folds_count)],
        "pictures": sorted(pictures),
    }
    return PseudoLabels(pools, digest("\n".join(told).encode()), used)


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Put the place of a key before the messages of errors that belong to it."""
    try:
        yield
    except ToolkitError as error:
        raise type(error)(f"{where}: {error.message}", error.advice) from error


def _teacher(experiment: Experiment, config: Config, name: str, progress: Progress) -> tuple[Teacher, Unlabelled]:
    """The teacher, and the images that it labelled as the student reads them."""
    source, _ = parse_member(name)
    if Path(source).name != source:
        raise ConfigError(f"{name!r} is a path", "Name an experiment of the same folder, for example exp042.")
    if source == experiment.name:
        raise ConfigError(
            f"{name} is this experiment itself", "Name an earlier experiment; a further round is a new experiment."
        )
    member = find_member(Workspace(experiment.folder.parent), name)
    made = labels_of(member.experiment, member.name)
    teacher = find_teacher(member, made["views"])
    if folds_of_members(teacher) != made["members"]:
        raise ChangedError(
            f"{name} has other members or trained folds than when its pseudo-labels were made",
            f"Run: tk pseudo {name}",
        )
    theirs, own = teacher.classes, config.task_classes
    if (theirs.names, theirs.activation) != (own.names, own.activation):
        raise ConfigError(
            f"{name} predicts other classes ({', '.join(theirs.names)}, {theirs.activation}) than this experiment "
            f"({', '.join(own.names)}, {own.activation})",
            "Use a teacher with the same classes and activation.",
        )
    differing = other_reading(teacher.config, config)
    if differing is not None:
        key, expected, found = differing
        raise ConfigError(
            f"{name} reads images with {key}: {expected}, this experiment with {found}, so that pseudo-labelled images "
            "would be other pixels than labelled ones",
            f"Use a teacher that reads images as this experiment does, or set {key} as {name} has it.",
        )
    folders = absolute_folders(member.experiment, made["images"])
    cache = experiment.cache
    images = find_unlabelled(member.experiment, teacher.config, folders, teacher.config.shape[2])
    facts = check_test_data(images, progress, cache)
    content = content_digest(facts)
    if teacher.config.shape[2] != config.shape[2]:
        images = find_unlabelled(member.experiment, teacher.config, folders, config.shape[2])
        facts = check_test_data(images, progress, cache)
    return teacher, Unlabelled(images, facts, content)


def _described(name: str, teacher: Teacher, unlabelled: Unlabelled, allowed: Sequence[AllowedFold]) -> list[str]:
    """Lines that change whenever what any fold learns from this teacher does."""
    stores = [f"{fold.name} {store_digest(fold.store)}" for fold in teacher.folds]
    weights = [f"{one.member.name} {one.weight!r}" for one in teacher.members]
    return [
        f"{name} {teacher.mean}",
        *stores,
        *weights,
        *(f"{one.image_id} {one.content}" for one in unlabelled.facts),
        *(f"{','.join(one.pool.models)} {digest(chr(10).join(one.pool.ids).encode())}" for one in allowed),
    ]


def _refuse_too_few(
    where: str, spec: PseudoSpec, negatives: Negatives, allowed: Sequence[AllowedFold], stage: int
) -> None:
    """Refuse a fold that would learn from no image."""
    for fold, one in enumerate(allowed):
        pool, taken = one.pool, one.pool.taken(spec.minimum_confidence)
        may = f"of {spec.teacher} that fold {fold} may learn from"
        if not pool.ids:
            raise NothingToLearnError(
                f"{where}: there is no label {may}: each image shows what it or the hold-out keeps back",
                f"Label other images: tk pseudo {spec.teacher} --images FOLDER",
            )
        if not len(taken):
            raise NothingToLearnError(
                f"{where}: no label {may} has a confidence of at least {spec.minimum_confidence:g}; the highest is "
                f"{float(pool.confidence.max()):.3f}",
                "Set a lower minimum_confidence.",
            )
        if negatives.kind != "real" and not pool.has_foreground[taken].any():
            lower = "or a lower minimum_confidence" if pool.has_foreground.any() else "or use another teacher"
            raise NothingToLearnError(
                f"{where}: none of the {counted(len(taken), 'label')} {may} with a confidence of at least "
                f"{spec.minimum_confidence:g} has foreground, and negatives of stages.{stage} chooses as many without "
                "foreground as go with those that have it: none",
                f"Set negatives: real in this stage, {lower}.",
            )


def _tell_taken(spec: PseudoSpec, allowed: Sequence[AllowedFold], stage: int, progress: Progress) -> None:
    """Say how many images each fold learns from."""
    for fold, one in enumerate(allowed):
        pool, taken = one.pool, len(one.pool.taken(spec.minimum_confidence))
        shown = f", {pool.left_out} left out because they show what it holds out" if pool.left_out else ""
        progress.say(
            f"fold {fold} · stage {stage}: {taken} of {len(pool.ids)} images labelled by {', '.join(pool.models)} "
            f"are certain enough{shown}"
        )


def _used(found: Mapping[str, Sequence[AllowedFold]], fold: int) -> UsedByFold:
    seen = ImageSet()
    for allowed in found.values():
        seen |= allowed[fold].seen
    return {
        "teachers": {name: list(allowed[fold].pool.models) for name, allowed in found.items()},
        "images": {name: len(allowed[fold].pool.ids) for name, allowed in found.items()},
        "ids": sorted(seen.ids),
        "pictures": sorted(seen.pictures),
    }
