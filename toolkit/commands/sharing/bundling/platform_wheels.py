"""Wheels of other packages for a named platform, downloaded by pip."""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import ConfigError, MissingFileError, counted
from toolkit.files.disk.changes import delete, make_folder
from toolkit.files.disk.writing import write_text
from toolkit.messages import Progress

_PLATFORM = re.compile(r"(?P<tag>[a-z][a-z0-9_]*)-cp(?P<major>3)(?P<minor>\d{1,2})")
_NEWEST_GLIBC = 35
"""That of Ubuntu 22.04, which Kaggle's notebooks run on; wheels for older ones run there too."""
_SYSTEMS = {"linux": ("linux", "Linux", "posix"), "manylinux": ("linux", "Linux", "posix"),
            "macosx": ("darwin", "Darwin", "posix"), "win": ("win32", "Windows", "nt")}  # fmt: skip
"""How the tags of platforms begin, and what markers call them: sys_platform, platform_system, os_name."""
_HOURS = 4 * 3600


@dataclass(frozen=True)
class Platform:
    """A platform and a version of Python: the tags that pip knows it by, and the values of markers there."""

    name: str
    tags: tuple[str, ...]
    python: str
    environment: Mapping[str, str]


def parse_platform(text: str) -> Platform:
    """The platform of `--wheels`: `linux_x86_64-cp311`, or a tag of pip in the place of `linux_x86_64`.

    Raises:
        ConfigError: it is none.
    """
    found = _PLATFORM.fullmatch(text)
    system = (
        None if found is None else next((one for key, one in _SYSTEMS.items() if found["tag"].startswith(key)), None)
    )
    if found is None or system is None:
        raise ConfigError(
            f"--wheels: expected a platform and a Python, for example linux_x86_64-cp311; received {text!r}",
            "pip's own names are accepted too: manylinux_2_28_x86_64-cp312, win_amd64-cp311, macosx_14_0_arm64-cp311",
        )
    tag, python = found["tag"], f"{found['major']}.{found['minor']}"
    machine = next(
        (one for one in ("x86_64", "aarch64", "arm64", "amd64") if tag.endswith(one)), tag.rpartition("_")[2]
    )
    tags: tuple[str, ...] = (tag,)
    if tag.startswith("linux_"):
        older = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 4, -1)]
        tags = (*older, f"manylinux2014_{machine}", tag)
    sys_platform, platform_system, os_name = system
    environment = {
        "sys_platform": sys_platform, "platform_system": platform_system, "os_name": os_name,
        "platform_machine": machine.upper() if machine == "amd64" else machine,
        "python_version": python, "python_full_version": f"{python}.0",
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
    }  # fmt: skip
    return Platform(text, tags, python, environment)


def download_wheels(platform: Platform, requirements: Mapping[str, str], folder: Path, progress: Progress) -> None:
    """Download the wheels of packages with these versions into a folder.

    Raises:
        MissingFileError: there is no network, no pip, or no wheel for the platform.
    """
    make_folder(folder)
    listed = folder / "requirements.txt"
    write_text(listed, requirements_text(requirements))
    words = [
        sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar", "off", "--no-deps",
        "--only-binary", ":all:", "--dest", str(folder), "--implementation", "cp", "--python-version", platform.python,
        *(word for tag in platform.tags for word in ("--platform", tag)), "--requirement", str(listed),
    ]  # fmt: skip
    title = f"downloading the wheels of {counted(len(requirements), 'package')} for {platform.name}"
    with progress.task(title, 1) as task:
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=_HOURS, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            raise _failed(platform, str(error)) from error
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
            raise _failed(platform, lines[-1] if lines else f"exit code {done.returncode}")
        task.advance()
    delete(listed)


def requirements_text(requirements: Mapping[str, str]) -> str:
    """The content of a file of requirements."""
    return "".join(f"{name}=={version}\n" for name, version in requirements.items())


def _failed(platform: Platform, reason: str) -> MissingFileError:
    return MissingFileError(
        f"--wheels: pip cannot download the wheels for {platform.name}: {reason}",
        "Check the network and the name of the platform. Or leave out --wheels, where the packages are installed.",
    )
