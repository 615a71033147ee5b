"""`tk predict --out FILE`: one image, one format, one file."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from toolkit.commands.predicting.formats import FORMATS, About, parse_formats
from toolkit.commands.predicting.one_file_formats import RUNS
from toolkit.errors import ChangedError, ConfigError, listing
from toolkit.files.datasets.images_to_predict import refuse_missing
from toolkit.files.disk.changes import attempt, make_folder, rename
from toolkit.files.images.decoding import IMAGE_SUFFIXES

_FORMATS_OF = {".png": ("png", "mask", "overlay"), ".npz": ("npz",), ".npy": ("npy",), ".csv": ("rle",)}
"""The formats that a single file can have, by its suffix; the first is the default."""


def names_a_file(out: Path) -> bool:
    """Whether `--out` names a file by its suffix; a folder that exists may have any name."""
    return out.suffix.lower() in (*IMAGE_SUFFIXES, ".csv") and not out.is_dir()


def format_of_file(out: Path, inputs: Sequence[Path], formats: Sequence[str] | None) -> str:
    """The format of the file that `--out` names.

    Args:
        out: the file.
        inputs: the images of the command.
        formats: those asked for; None for the first that suits the suffix.

    Raises:
        ConfigError: the formats or the images need more than one file, or the suffix is that of another format.
        ChangedError: the file exists.
        MissingFileError: an image does not exist.
    """
    allowed = _FORMATS_OF.get(out.suffix.lower(), ())
    folder = f"Choose a folder: --out {out.with_suffix('')}"
    if not allowed:
        raise ConfigError(f"--out: no format has files that end in {out.suffix}: {', '.join(_FORMATS_OF)}", folder)
    asked = [*allowed[:1]] if formats is None else [word.strip() for text in formats for word in text.split(",")]
    parse_formats(asked)
    for path in inputs:
        refuse_missing(path)
    if not all(path.is_file() for path in inputs):
        raise ConfigError(f"--out: {out} is a single file, but a folder of images is predicted", folder)
    if len(asked) != 1 or asked[0] not in allowed:
        raise ConfigError(
            f"--out: {out} cannot hold the format {', '.join(asked)}; {out.suffix} is for {', '.join(allowed)}", folder
        )
    if out.exists():
        raise ChangedError(f"--out: {out} exists already and is not replaced", "Delete it, or choose another name.")
    return asked[0]


@contextmanager
def folder_beside(out: Path) -> Iterator[Path]:
    """A temporary folder beside a file, for predictions of which one becomes that file.

    Raises:
        StorageError: the folder cannot be written.
    """
    make_folder(out.parent)
    new_folder = partial(tempfile.TemporaryDirectory, prefix=".predicting-", dir=out.parent)
    temporary = attempt("write to", out.parent, new_folder)
    with temporary as folder:
        yield Path(folder)


def refuse_several_files(out: Path, kind: str, about: About) -> None:
    """Refuse a format that has several files for one image, before it is predicted.

    Raises:
        ConfigError: each class has its own file.
    """
    paths = FORMATS[kind].paths(about, "image") if kind in FORMATS else [RUNS]
    if len(paths) > 1:
        raise ConfigError(
            f"--out: {out} is a single file, but the format {kind} has {len(paths)}, one for each class: "
            f"{listing(Path(path).parent for path in paths)}",
            f"Choose a folder: --out {out.with_suffix('')}",
        )


def move_only_file(folder: Path, kind: str, out: Path) -> None:
    """Move the only file of a format out of a folder of predictions."""
    place = folder / RUNS if kind == "rle" else next((folder / kind).rglob("*.*"))
    rename(place, out, out)
