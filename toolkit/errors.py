"""Errors that a user can fix, each with its exit code, and the phrases that their messages share."""

import difflib
import errno
import re
import sysconfig
import traceback
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import ClassVar

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.EACCES, errno.EINVAL)
_LONGEST_NAME = 100


class ToolkitError(Exception):
    """An error that a user can fix.

    `message` says what is wrong and where, what was found and what is allowed; `advice` says what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """Message and advice, one below the other."""
        return f"{self.message}\n{self.advice}" if self.advice else self.message


class ConfigError(ToolkitError):
    """The configuration or an option is not valid: an unknown key, a wrong type, a value out of range."""

    exit_code = 3


class MissingFileError(ToolkitError):
    """A file, folder or experiment does not exist or cannot be read."""

    exit_code = 4


class DataError(ToolkitError):
    """Images, masks or label files are damaged or contradict each other."""

    exit_code = 5


class NothingToLearnError(ToolkitError):
    """The data hold nothing to learn from: no images, no foreground, or only constant images."""

    exit_code = 6


class FoldsError(ToolkitError):
    """folds.csv does not match the data or the configuration."""

    exit_code = 7


class NetworkError(ToolkitError):
    """The network cannot be built as configured."""

    exit_code = 8


class WeightsError(ToolkitError):
    """Weights cannot be downloaded or read, or do not fit the network."""

    exit_code = 9


class NotReadyError(ToolkitError):
    """The results of an earlier command are missing."""

    exit_code = 10


class ChangedError(ToolkitError):
    """Results on disk were made with a different configuration or different data."""

    exit_code = 11


class LockedError(ToolkitError):
    """Another run is working on the same experiment."""

    exit_code = 12


class MembersError(ToolkitError):
    """The members of an ensemble cannot be combined."""

    exit_code = 13


class SubmissionError(ToolkitError):
    """A submission, sample submission or solution does not have the format of the competition."""

    exit_code = 14


class TrainingError(ToolkitError):
    """Training failed: the loss is not a finite number."""

    exit_code = 15


class StorageError(ToolkitError):
    """A file cannot be written, for example because the disk is full, or a stored file is damaged."""

    exit_code = 16


class OutOfTimeError(ToolkitError):
    """The time limit is reached; finished work is kept, and the same command resumes."""

    exit_code = 17


class UploadError(ToolkitError):
    """A submission cannot be uploaded: no client, no credentials, or refused by the competition's site."""

    exit_code = 18


class ClusterError(ToolkitError):
    """A cluster cannot be reached or used, or could not finish its tasks; what it finished is kept."""

    exit_code = 19


class ExportError(ToolkitError):
    """A network cannot be written in a format, or its file does not predict what the toolkit predicts."""

    exit_code = 20


def as_told(error: BaseException) -> ToolkitError | None:
    """The error that tells what the machine refused, or how a user's own code tried to end the program.

    None for other errors, and for Ctrl-C.
    """
    if isinstance(error, MemoryError):
        what = f": {error}" if str(error) else ""
        return ToolkitError(
            f"the memory of this machine is not enough{what}",
            "Use a smaller shape or batch, smaller images, or fewer at once.",
        )
    if isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, OSError) and error.strerror:
        name = str(error.filename or "a file")
        shown = name if len(name) <= 300 else f"{name[:150]}…{name[-50:]}"
        kind = MissingFileError if error.errno in _NOT_FOUND else StorageError
        return kind(f"cannot use {shown}: {error.strerror.lower()}", "Check the path, its permissions and the disk.")
    if isinstance(error, ValueError) and str(error).startswith("embedded null"):
        return MissingFileError("a path contains the character NUL, which no path of a file may have")
    if isinstance(error, SystemExit | GeneratorExit) or (
        isinstance(error, KeyboardInterrupt) and type(error) is not KeyboardInterrupt
    ):
        return ConfigError(
            f"own code tried to end the program: {raised_by(error)}", "Let it raise an ordinary error instead."
        )
    return None


def raised_by(error: BaseException) -> str:
    """The last line of the user's own code that an error went through, and the error: `mine.py:7: ValueError: …`."""
    others = (str(Path(__file__).parent), *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
    places = [(frame.filename, str(frame.lineno)) for frame in traceback.extract_tb(error.__traceback__)]
    # In a graph TensorFlow runs a copy of the code. Its message is a trace of the original, whose last line names the
    # fault.
    places = [place for place in places if "__autograph_generated_file" not in place[0]]
    places += re.findall(r'File "([^"]+)", line (\d+)', str(error))
    own = [":".join(place) for place in places if not place[0].startswith(others)]
    kind, text = type(error).__name__, (str(error).strip().splitlines() or [""])[-1].strip()
    return f"{own[-1] + ': ' if own else ''}{kind}: {text.removeprefix(f'{kind}: ')}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: `1 image`, `3 images`; `plural` is for nouns that do not just add an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def listing(names: Iterable[object], at_most: int = 5) -> str:
    """The first names, separated by commas, with an ellipsis where there are more: `a, b, c, …`."""
    words = [text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…" for text in map(str, names)]
    return ", ".join([*words[:at_most], *(["…"] if len(words) > at_most else [])])


def listing_lines(entries: Iterable[object], at_most: int = 20) -> str:
    """The first entries, each in an indented line of its own, and a last line with the number of further ones."""
    lines = [f"  {entry}" for entry in entries]
    more = [f"  … and {len(lines) - at_most} more"] if len(lines) > at_most else []
    return "\n".join([*lines[:at_most], *more])


def nearest(word: str, allowed: Collection[str]) -> str | None:
    """The allowed word that is closest to `word`, ignoring case; None if none is close."""
    by_lower = {name.lower(): name for name in reversed(list(allowed))}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def misspelt(word: str, allowed: Collection[str]) -> str | None:
    """The allowed word that `word` is a misspelling of, ignoring case; None if it is probably another word."""
    by_lower = {name.lower(): name for name in reversed(list(allowed))}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.8)
    return by_lower[found[0]] if found else None


_CHOICES = "choose from "


def not_valid(word: str, allowed: Collection[str]) -> str:
    """The text about a word that is not allowed, with the nearest valid one and all valid ones."""
    near = nearest(word, allowed)
    guess = "" if near is None else f"did you mean {near!r}? "
    return f"{word!r} is not valid; {guess}{_CHOICES}{', '.join(allowed)}"


def choices_once(messages: Iterable[str]) -> list[str]:
    """Messages that end as those of `not_valid` do, with each list of valid words only where it occurs first."""
    seen: set[str] = set()
    shortened = []
    for message in messages:
        start, found, allowed = message.rpartition(_CHOICES)
        shortened.append(start.rstrip("; ") if found and allowed in seen else message)
        seen.add(allowed)
    return shortened


def out_of_range(what: str, number: int, count: int) -> str:
    """The text about a number outside 0 to `count` - 1: `there is no fold 7; choose from 0 to 4`."""
    choices = {0: "there are none", 1: "there is only 0"}.get(count, f"choose from 0 to {count - 1}")
    return f"there is no {what} {number}; {choices}"
