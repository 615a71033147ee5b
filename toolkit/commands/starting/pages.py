"""`tk pages`: the pages of TIFF files as files of their own."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.errors import ChangedError, ConfigError, DataError, MissingFileError, listing
from toolkit.files.disk.digests import digest, file_digest
from toolkit.files.disk.writing import replacing
from toolkit.files.images.tiff_files import TIFF_SUFFIXES, encode_page, read_pages
from toolkit.messages import Table
from toolkit.report.result import Result

_NEIGHBOURS = """\
  data:
    neighbours:
      offsets: [-1, 0, 1]
      order_by: {pattern: ".+_(\\\\d+)"}
      group_by: {pattern: "(.+)_\\\\d+"}"""


@dataclass(frozen=True)
class PagedFile:
    """A file whose pages were written: how many, their (height, width) and channels, and the type of their values."""

    file: str
    pages: int
    size: tuple[int, int]
    channels: int
    dtype: str


@dataclass(frozen=True)
class PagesResult(Result):
    """What `tk pages` has written into the folder `out`; `kept` pages were there already."""

    files: list[PagedFile]
    out: str
    kept: int

    def tables(self) -> list[Table]:
        """One row for each file."""
        rows = [
            (one.file, f"{one.pages}", f"{one.size[0]}×{one.size[1]}", f"{one.channels}", one.dtype)
            for one in self.files
        ]
        return [Table(f"pages in {self.out}", ("file", "pages", "height × width", "channels", "values"), rows)]

    def next_steps(self) -> list[str]:
        """How an experiment reads pages with their neighbours, and the next command."""
        return [
            *([f"{self.kept} pages were there already"] if self.kept else []),
            "In config.yaml, to see the pages before and after each page (docs/data.md):",
            *_NEIGHBOURS.splitlines(),
            f"next: tk new NAME --images {shlex.quote(self.out)} --masks MASKS",
        ]


def pages(session: Session, paths: Sequence[Path], out: Path) -> PagesResult:
    """Write each page of TIFF files as `NAME_0001.tif`, `NAME_0002.tif`, … with the same values.

    Channels that the file stores as pages of their own (ImageJ, OME) stay together. Pages that are there already are
    kept, so that a command that was interrupted can be run again.

    Args:
        session: what shows progress.
        paths: TIFF files, and folders of them.
        out: the folder to write to.

    Raises:
        MissingFileError: a path does not exist, or a folder has no TIFF files.
        ConfigError: a file is not a TIFF file, or two files have the same name.
        DataError: a file is damaged, or its pages have different sizes.
        ChangedError: the folder has another file of the same name.
        StorageError: the folder cannot be written.
    """
    session.workspace.refuse_inside_experiment(out)
    files = _files(paths)
    inside = [path for path in files if path.parent.resolve() == out.resolve()]
    if inside:
        raise ConfigError(f"--out: {out} holds {inside[0].name} itself", "Choose another folder: --out")
    found: list[PagedFile] = []
    kept = 0
    with session.progress.task("writing pages", len(files)) as task:
        for path in files:
            last, count = None, 0
            try:
                for count, page in enumerate(read_pages(path), 1):
                    last = page
                    kept += not _write(out / f"{path.stem}_{count:04d}.tif", encode_page(page))
            except (OSError, ValueError) as error:
                raise DataError(f"{path}: {error}", "Repair this file, save it otherwise, or leave it out.") from error
            if last is None:
                raise DataError(f"{path}: has no pages", "Leave it out.")
            found.append(PagedFile(str(path), count, last.size, last.channels, str(last.values.dtype)))
            task.advance()
    return PagesResult(found, str(out), kept)


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inner = sorted(one for one in path.iterdir() if one.suffix.lower() in TIFF_SUFFIXES and one.is_file())
            if not inner:
                raise MissingFileError(f"{path}: there are no TIFF files in this folder")
            files += inner
            continue
        if not path.is_file():
            raise MissingFileError(f"{path} does not exist", "Name TIFF files, or a folder of them.")
        if path.suffix.lower() not in TIFF_SUFFIXES:
            raise ConfigError(f"{path} is not a TIFF file ({' or '.join(TIFF_SUFFIXES)})")
        files.append(path)
    twice = [name for name, count in Counter(path.stem for path in files).items() if count > 1]
    if twice:
        raise ConfigError(
            f"two files have the same name: {listing(twice)}", "Write them into different folders, one after the other."
        )
    return files


def _write(target: Path, content: bytes) -> bool:
    """Write a page, unless it is there already; returns whether it was written."""
    if target.is_file():
        if file_digest(target) == digest(content):
            return False
        raise ChangedError(
            f"{target} exists and is another file, so it is not replaced", "Choose another folder: --out"
        )
    with replacing(target) as file:
        file.write(content)
    return True
