"""`tk pseudo`: label unlabelled images with the networks of each fold, for other experiments to learn from."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.commands.predicting.forecaster import chosen_views
from toolkit.commands.predicting.pseudo_pictures import write_pseudo_sheet
from toolkit.commands.predicting.pseudo_result import LabelledByFold, PseudoResult
from toolkit.commands.session import Session
from toolkit.config.checks.pseudo_labels import check_pseudo
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.core.masks.labels import has_foreground
from toolkit.core.recipe.probabilities import to_levels
from toolkit.core.sampling.label_certainty import certainty
from toolkit.core.sampling.pseudo_labels import LabelRule
from toolkit.errors import ConfigError
from toolkit.files.data.sources import Images
from toolkit.files.datasets.pseudo.labels_made import read_labels_made, write_labels_made
from toolkit.files.datasets.pseudo.teacher import Teacher, TeacherFold, find_teacher
from toolkit.files.datasets.pseudo.unlabelled import (
    absolute_folders,
    find_unlabelled,
    refuse_constant,
    relative_folders,
)
from toolkit.files.disk.tables import format_table
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.members import find_member
from toolkit.files.inspection.checking import check_test_data, content_digest
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made_from
from toolkit.learning.engines.openvino_package import refuse_missing
from toolkit.messages import Progress


@dataclass(frozen=True)
class PseudoOptions:
    """The folders of the images (the test images without any), the views, and the confidence that tables show."""

    images: Sequence[Path] = ()
    views: str = "hflip"
    minimum_confidence: float = 0.9


def pseudo(session: Session, name: str, *, options: PseudoOptions = PseudoOptions()) -> PseudoResult:
    """Label images without labels: one store of probabilities for the networks of each fold.

    Labels that were made from the same weights, images and views are kept. Nothing is trained.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: of the teacher: an experiment, an ensemble, or a part of an experiment.
        options: images, views and the confidence to show.

    Raises:
        ToolkitError: the teacher is not trained, images cannot be read, or files cannot be written.
    """
    started, progress = time.perf_counter(), session.progress
    if not 0 <= options.minimum_confidence <= 1:
        raise ConfigError(f"--minimum-confidence: expected 0 to 1, received {options.minimum_confidence:g}")
    views = chosen_views(options.views) or "none"
    member = find_member(session.workspace, name)
    experiment = member.experiment
    teacher = find_teacher(member, views)
    for fold in teacher.folds:
        refuse_missing(fold.networks.experiment.engine or fold.networks.config.engine)
    images = find_unlabelled(experiment, teacher.config, options.images, teacher.config.shape[2])
    with experiment.locked():
        facts = check_test_data(images, progress, experiment.cache)
        refuse_constant(images, facts, progress)
        content, folders = content_digest(facts), relative_folders(experiment, options.images)
        _tell_replaced(teacher, folders, progress)
        made = [_label(fold, images, content, progress) for fold in teacher.folds]
        write_labels_made(teacher, views, folders, content)
        rows = _measured(teacher, images.ids, progress)
        table, picture = experiment.pseudo_file("csv"), experiment.pseudo_file("png")
        names = [f"confidence:{fold.name}" for fold in teacher.folds]
        foreground = [f"foreground:{fold.name}" for fold in teacher.folds]
        cells = [
            (image_id, *(f"{one:.4f}" for one in values[0]), *values[1])
            for image_id, values in zip(images.ids, rows, strict=True)
        ]
        write_text(table, format_table(("image_id", *names, *foreground), cells))
        confidences = np.array([values[0] for values in rows], np.float64).reshape(len(rows), len(teacher.folds))
        write_pseudo_sheet(picture, teacher, images, confidences, options.minimum_confidence)
    return PseudoResult(
        experiment=member.name,
        first=teacher.members[0].member.experiment.name,
        soft=_can_be_soft(teacher),
        has_one_member=len(teacher.members) == 1,
        images=len(images.ids),
        views=views,
        minimum_confidence=options.minimum_confidence,
        folds=[
            LabelledByFold(
                fold.name,
                made[number],
                int((confidences[:, number] >= options.minimum_confidence).sum()),
                float(np.median(confidences[:, number])),
                float(confidences[:, number].max()),
                int(sum(values[1][number] for values in rows)),
            )
            for number, fold in enumerate(teacher.folds)
        ],
        table=str(table),
        picture=str(picture),
        seconds=round(time.perf_counter() - started, 1),
    )


def _tell_replaced(teacher: Teacher, folders: Sequence[Path], progress: Progress) -> None:
    """Say that labels of other images are replaced: a teacher has one set of labels."""
    name = teacher.member.name
    before = read_labels_made(teacher.member.experiment).get(name)
    if before is not None and before["images"] != [folder.as_posix() for folder in folders]:
        experiment = teacher.member.experiment
        of = ", ".join(map(str, absolute_folders(experiment, before["images"]))) or "the test images"
        progress.say(
            f"these labels of {name} replace those of {of}; to have both, name all folders at once: "
            f"tk pseudo {name} --images FOLDER --images FOLDER"
        )


def _can_be_soft(teacher: Teacher) -> bool:
    """Whether the configuration of the first member, with these labels, could learn probabilities."""
    plugins = names_defined_beside(teacher.members[0].member.experiment.config)
    student = teacher.config.model_copy(update={"pseudo": {"from": teacher.member.name}})
    try:
        for number in range(len(student.stages)):
            check_pseudo(student, number, plugins)
    except ValueError:
        return False
    return True


def _label(fold: TeacherFold, images: Images, content: str, progress: Progress) -> bool:
    """Let the networks of a fold label all images, unless they have; returns whether they did now."""
    made_from = fold.made_from(content)
    if is_made_from(fold.store, made_from):
        return False
    # TensorFlow is slow to import, so what is there is found first.
    from toolkit.learning.predicting.new_images import ImagePredictor

    predictor = ImagePredictor(fold.networks, progress)
    steps = sum(predictor.steps(images, image_id) for image_id in images.ids)
    with (
        progress.task(f"{fold.name} labels {len(images.ids)} images", steps) as task,
        ProbabilityWriter(fold.store, fold.networks.stored_type, made_from) as writer,
    ):
        for rows in predictor.rows(images, images.ids, task):
            (probability,), (presence,) = rows.probabilities, rows.presences
            writer.append_rows(rows.image_id, rows.size[0], probability, presence)
    return True


def _measured(teacher: Teacher, ids: Sequence[str], progress: Progress) -> list[tuple[list[float], list[int]]]:
    """For each image the confidence of each fold's label, and whether it has foreground."""
    classes = teacher.classes
    rule = LabelRule(classes.activation, ((0.5, 0.5),) * classes.count, soft=False)
    stores = [ProbabilityStore(fold.store) for fold in teacher.folds]
    found = []
    with progress.task("confidence of the labels", len(ids)) as task:
        for image_id in ids:
            maps = [to_levels(store.read(image_id)) for store in stores]
            confidence = [certainty(levels, [levels], classes.activation) for levels in maps]
            found.append((confidence, [int(has_foreground(rule.labels(levels))) for levels in maps]))
            task.advance()
    return found
