"""What `tk score` compares: a submission or a folder of mask files, and the classes that both have."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.core.images.resizing import scale_mask
from toolkit.core.masks.labels import IGNORE, Classes
from toolkit.core.metrics.classification_report import BACKGROUND
from toolkit.errors import ConfigError, SubmissionError, listing
from toolkit.files.submissions.layout import Submission, read_solution, read_submission
from toolkit.files.submissions.mask_folder import MaskFolder, read_mask_folder
from toolkit.messages import Progress

Masks = Submission | MaskFolder
_FOREGROUND = {1, 255}
"""The values of a single foreground class in mask files."""


def read_predicted(path: Path, competition: Competition) -> Masks:
    """The submission, or the folder of mask files; raises as `read_submission` and `read_mask_folder`."""
    return read_mask_folder(path, "submission") if path.is_dir() else read_submission(path, competition)


def read_truth(path: Path, competition: Competition) -> Masks:
    """The solution, or the folder of mask files; raises as `read_solution` and `read_mask_folder`."""
    return read_mask_folder(path, "--solution") if path.is_dir() else read_solution(path, competition)


def planes_of(masks: Masks, image_id: str, size: tuple[int, int], classes: Classes) -> npt.NDArray[np.uint8]:
    """One plane for each class, `uint8 (height, width, classes)`: 1 inside, 0 outside, 255 in ignored pixels.

    Masks of files are scaled to `size`, which differs from their own only if the competition has an output size.
    """
    if isinstance(masks, Submission):
        return masks.masks(image_id, size).view(np.uint8)
    planes = masks.planes(image_id, classes)
    if planes.shape[:2] == size:
        return planes
    scaled = [scale_mask(planes[..., number] == 1, size).view(np.uint8) for number in range(classes.count)]
    found = np.stack(scaled, axis=-1)
    found[scale_mask((planes == IGNORE).any(axis=-1), size)] = IGNORE
    return found


def classes_of(
    predicted: Masks,
    truth: Masks,
    competition: Competition,
    *,
    names: Sequence[str],
    ignore: Sequence[int],
    progress: Progress,
) -> tuple[Classes, Classes]:
    """The classes of predicted masks and of true masks, which differ only in the values of ignored pixels.

    Args:
        predicted: the submission or folder that is scored.
        truth: the solution.
        competition: its classes are numbered from 1 in mask files, or have folders of their names.
        names: the same without a competition; empty to use the values that occur in the solution.
        ignore: values of ignored pixels in the mask files of the solution.
        progress: shows the work.

    Raises:
        ConfigError: names or ignored values do not apply.
        SubmissionError: the classes of both differ.
    """
    if names and competition.classes:
        raise ConfigError(f"--classes does not apply: {competition.name} names the classes", "Leave out --classes.")
    if ignore and not isinstance(truth, MaskFolder):
        raise ConfigError("--ignore applies to mask files, but the solution is a table", "Leave out --ignore.")
    folders = [masks for masks in (predicted, truth) if isinstance(masks, MaskFolder)]
    if names and len(folders) < 2:
        raise ConfigError(
            "--classes applies to mask files on both sides; the classes of tables are those of the competition",
            "Name the competition, or its YAML file: --competition NAME_OR_FILE",
        )
    if not folders:
        classes = Classes(competition.classes or ("foreground",))
    elif any(folder.class_names for folder in folders):
        classes = _of_folders(folders, tuple(competition.classes or names))
    elif competition.classes:
        classes = Classes(competition.classes, "sigmoid", tuple((n,) for n in range(1, len(competition.classes) + 1)))
    else:
        classes = _of_values(predicted, truth, names, ignore, progress)
    if classes.count > 1 and not competition.classes and (len(folders) < 2 or competition is not PLAIN):
        raise SubmissionError(
            f"the masks have a single class by the format of {competition.name}, but the mask files have several: "
            f"{listing(classes.names)}",
            "Name a competition with rows: class, or its YAML file: --competition NAME_OR_FILE",
        )
    return classes, replace(classes, ignore=tuple(ignore))


def refuse_other_sizes(predicted: Masks, truth: Masks, ids: Iterable[str]) -> None:
    """Check that mask files of both sides have the same size.

    Raises:
        SubmissionError: some differ.
    """
    if not (isinstance(predicted, MaskFolder) and isinstance(truth, MaskFolder)):
        return
    sizes = ((image_id, predicted.size(image_id), truth.size(image_id)) for image_id in ids)
    differing = [f"{one} ({_text(ours)}, not {_text(theirs)})" for one, ours, theirs in sizes if ours != theirs]
    if differing:
        raise SubmissionError(
            f"{len(differing)} masks have another size in {predicted.path} than in {truth.path}: {listing(differing)}"
        )


def _of_folders(folders: Sequence[MaskFolder], names: tuple[str, ...]) -> Classes:
    """Classes that have a folder each."""
    whole = [folder for folder in folders if not folder.class_names]
    if whole:
        raise SubmissionError(
            f"{whole[0].path} has a file for each image, but the other side has a folder for each class: "
            f"{listing(next(folder.class_names for folder in folders if folder.class_names))}",
            "Both sides need the same layout.",
        )
    known = names or folders[-1].class_names
    for folder in folders:
        if set(folder.class_names) != set(known):
            raise SubmissionError(
                f"{folder.path} has the classes {listing(folder.class_names)}; expected {listing(known)}"
            )
    return Classes(known, "sigmoid", tuple((number,) for number in range(1, len(known) + 1)))


def _of_values(
    predicted: Masks, truth: Masks, names: Sequence[str], ignore: Sequence[int], progress: Progress
) -> Classes:
    """Classes by the values in mask files: any value above 0 for a single class, else a number for each class."""
    if names:
        return _numbered(names, range(len(names) + 1))
    ours, theirs = (_values(masks, progress) - {0} for masks in (predicted, truth))
    theirs -= set(ignore)
    one_class = isinstance(predicted, Submission) or isinstance(truth, Submission) or ours | theirs <= _FOREGROUND
    if len(ours) <= 1 and len(theirs) <= 1 and one_class:
        return Classes()
    if 255 in theirs and len(theirs) > 1:
        raise SubmissionError(
            f"{truth.path} has the values {listing(sorted(theirs), 10)}; 255 beside class numbers mostly marks ignored "
            "pixels",
            "If it does: --ignore 255. If it is a class: --classes NAMES",
        )
    unknown = sorted(ours - theirs) if isinstance(truth, MaskFolder) else []
    if unknown:
        raise SubmissionError(
            f"{predicted.path} has the values {listing(unknown, 10)}, which the solution does not have; it has "
            f"{listing([0, *sorted(theirs)], 10)}",
            "If they are classes that do not occur in the solution, name all classes in the order of their numbers: "
            "--classes NAMES",
        )
    values = sorted(ours | theirs)
    return _numbered(list(map(str, values)), [0, *values])


def _numbered(names: Sequence[str], values: Iterable[int]) -> Classes:
    """Exclusive classes with a number each; the first value is that of the background."""
    return Classes((BACKGROUND, *names), "softmax", tuple((value,) for value in values))


def _values(masks: Masks, progress: Progress) -> set[int]:
    """All pixel values; those of a table are 0 and 1."""
    if isinstance(masks, Submission):
        return {0, 1}
    found: set[int] = set()
    with progress.task(f"reading {masks.path}", len(masks.by_image)) as task:
        for image_id in masks.by_image:
            found |= masks.values(image_id)
            task.advance()
    return found


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
