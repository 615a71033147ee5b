"""Files that may be opened: regular ones, under names that a file can have; and those below a folder."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from toolkit.errors import ConfigError

_LONGEST_PATH = 4_096
_LONGEST_NAME = 255
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def impossible(path: str) -> str:
    """Why no file can have this path; empty if one can."""
    if not path:
        return "it is empty"
    if "\0" in path:
        return "it contains the character NUL, which no path of a file may have"
    name = max(path.split("/"), key=lambda part: len(os.fsencode(part)))
    if len(os.fsencode(name)) > _LONGEST_NAME:
        return f"{name[:20]}… is longer than the {_LONGEST_NAME} bytes that the name of a file may have"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        return f"{path[:20]}… is longer than the {_LONGEST_PATH} bytes that a path may have"
    return ""


def refuse_impossible(path: str, where: str) -> None:
    """Refuse a path that no file can have; `where` says for the message where it is written.

    Raises:
        ConfigError: it is one.
    """
    problem = impossible(path)
    if problem:
        raise ConfigError(f"{where}: no file can have this path: {problem}")


def seen_from(folder: Path, text: str) -> Path:
    """The absolute path of `text` in a file of the folder; `~` is the home of the user."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # there is no such user: a folder may have this name
        path = Path(text)
    return absolute(folder / path)


def absolute(path: Path) -> Path:
    """Links are not followed: data folders are often links, and messages should show what the user wrote."""
    return Path(os.path.abspath(path))  # noqa: PTH100 # Path.resolve would follow them


def visible_files(
    root: Path, enters: Callable[[Path], bool] = lambda folder: True
) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder from `root` down with its files, sorted, without hidden ones; through links too, but never twice.

    `enters` says which folders below the root are looked into.
    """
    seen = set()
    for place, below, names in os.walk(root, followlinks=True):
        resolved, here = Path(place).resolve(), Path(place)
        if resolved in seen:  # links may form a circle
            below.clear()
            continue
        seen.add(resolved)
        below[:] = sorted(name for name in below if not name.startswith(".") and enters(here / name))
        yield here, [here / name for name in sorted(names) if not name.startswith(".")]


def regular(path: Path) -> Path:
    """The path, if it is that of a regular file or a link to one.

    Opening a named pipe would wait for a writer, and a device like /dev/zero has no end.

    Raises:
        OSError: the path is that of something else, or no file can have it; FileNotFoundError if there is none.
    """
    problem = impossible(str(path))
    if problem:
        raise OSError(errno.EINVAL, problem, shortened(path))
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'no regular file')}, not a file", str(path))
    return path


def shortened(path: Path | str) -> str:
    """A path as messages show it: visible characters, and not thousands of them."""
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= 300 else f"{text[:150]}…{text[-50:]}"
