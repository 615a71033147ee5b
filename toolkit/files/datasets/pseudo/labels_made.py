"""pseudo.json: the labels that were made for a teacher, and of which images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, with_config
from typing_extensions import TypedDict  # that of Python 3.11 cannot be checked by pydantic

from toolkit.core.images.views import parse_views
from toolkit.errors import NotReadyError
from toolkit.files.datasets.pseudo.teacher import Teacher
from toolkit.files.disk.json_files import STRICT, read_json, write_json
from toolkit.files.experiment.folder import Experiment


@with_config(STRICT)
class LabelsOfTeacher(TypedDict):
    """The labels of one teacher: its views, its members, their folds, and the folders of the images.

    The folders are relative to that of the experiment; without any, the images are the test images. `content` is a
    digest of the images.
    """

    views: str
    members: dict[str, list[int]]
    images: list[str]
    content: str


@with_config(STRICT)
class LabelsMade(TypedDict):
    """The content of pseudo.json: the labels of an experiment and of parts of it, by name."""

    format: Literal[1]
    teachers: dict[str, LabelsOfTeacher]


_SHAPE = TypeAdapter(LabelsMade)


def read_labels_made(experiment: Experiment) -> Mapping[str, LabelsOfTeacher]:
    """The labels that were made, by the name of the experiment or of its part; nothing if none were.

    Raises:
        StorageError: the file is damaged.
    """
    path = experiment.pseudo_file("json")
    if not path.is_file():
        return {}
    return read_json(path, _SHAPE, f"Delete it, and run: tk pseudo {experiment.name}")["teachers"]


def labels_of(experiment: Experiment, name: str) -> LabelsOfTeacher:
    """The labels of one teacher.

    Raises:
        NotReadyError: none were made.
        StorageError: the file is damaged, or names views that do not exist.
    """
    made = read_labels_made(experiment)
    if name not in made:
        raise NotReadyError(f"there are no pseudo-labels of {name} yet", f"Run: tk pseudo {name}")
    parse_views(made[name]["views"])
    return made[name]


def write_labels_made(teacher: Teacher, views: str, images: Sequence[Path], content: str) -> None:
    """Write that labels of a teacher were made; `images` are the folders, none for the test images."""
    experiment = teacher.member.experiment
    entry: LabelsOfTeacher = {
        "views": views,
        "members": folds_of_members(teacher),
        "images": [path.as_posix() for path in images],
        "content": content,
    }
    teachers = {**read_labels_made(experiment), teacher.member.name: entry}
    write_json(experiment.pseudo_file("json"), {"format": 1, "teachers": teachers})


def folds_of_members(teacher: Teacher) -> dict[str, list[int]]:
    """The folds of each member by its name."""
    return {one.member.name: [fold.fold for fold in one.folds] for one in teacher.members}
