"""Puts what a worker has written into the folder of the user, change by change."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from toolkit.cluster.transfer.outbox import Batch, Change
from toolkit.cluster.transfer.target_paths import inside, refuse_links
from toolkit.config.yaml.file_paths import regular
from toolkit.errors import StorageError
from toolkit.files.disk.changes import delete, delete_folder
from toolkit.files.disk.writing import replacing
from toolkit.files.experiment.folder import Experiment

_AT_ONCE = 1 << 20


def apply(batch: Batch, experiment: Experiment, path_of: Callable[[str], Path]) -> None:
    """Make the changes of a batch in the folder of an experiment, in their order.

    Each file is written whole or not at all. The run resumes to the same result from what there is after any number of
    changes, so an interruption does no harm; applying a batch again does none either.

    Args:
        batch: see `Outbox.take`.
        experiment: whose lock this process holds.
        path_of: the file with the content of a digest, for example `NodeFiles.path_of`.

    Raises:
        StorageError: a path leads out of the folder, a file does not have its digest, or the disk is full.
    """
    folder = experiment.folder
    paths = [inside(folder, change.path) for change in batch.changes]
    refuse_links(folder, [change.path for change in batch.changes])
    for change, path in zip(batch.changes, paths, strict=True):
        if change.digest:
            _write(change, path, path_of(change.digest))
        else:
            delete(path)
    for change, path in zip(batch.changes, paths, strict=True):
        if not change.digest:
            _delete_empty(path.parent, folder)


def _write(change: Change, path: Path, source: Path) -> None:
    found, size = hashlib.sha256(), 0
    with replacing(path) as target, regular(source).open("rb") as file:
        while content := file.read(_AT_ONCE):
            found.update(content)
            size += len(content)
            target.write(content)
        if (found.hexdigest(), size) != (change.digest, change.size):
            raise StorageError(
                f"{path}: what arrived from another machine is not what was sent",
                "The file was not changed. Run the command again.",
            )


def _delete_empty(folder: Path, root: Path) -> None:
    """Delete folders that have lost their last file, up to the root."""
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        delete_folder(folder)
        folder = folder.parent
