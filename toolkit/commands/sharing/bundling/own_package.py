"""The wheel of this package as it runs now, and the installed versions of what it requires. No network is needed."""

import base64
import hashlib
import io
import zipfile
from collections.abc import Collection, Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from toolkit.config.yaml.file_paths import regular, visible_files
from toolkit.errors import ConfigError, listing

NAME = "segmentation-toolkit"
_PACKAGE = Path(__file__).parents[3]
_LEFT_OUT = (".pyc", ".pyo")
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The time of all files in the archive: the same package gives the same bytes."""


def own_wheel() -> tuple[str, bytes]:
    """The file name and content of the wheel of this package.

    It holds the files that run now, wherever they are: in a checkout, or installed. Nothing is built, so neither build
    tools nor leftovers of an earlier build matter. The metadata are those of the installation.

    Raises:
        ConfigError: the package runs without being installed.
    """
    try:
        installed = metadata.distribution(NAME)
    except metadata.PackageNotFoundError as error:
        raise ConfigError(
            f"the wheel of {NAME} cannot be written: it runs from a folder and is not installed",
            "Install it there: pip install -e .",
        ) from error
    stem = f"{NAME.replace('-', '_')}-{installed.version}"
    files = {path.relative_to(_PACKAGE.parent).as_posix(): regular(path).read_bytes() for path in _package_files()}
    for name in ("METADATA", "entry_points.txt", "top_level.txt", "licenses/LICENSE"):
        text = installed.read_text(name)
        if text is not None:
            files[f"{stem}.dist-info/{name}"] = text.encode()
    about = f"Wheel-Version: 1.0\nGenerator: {NAME} ({installed.version})\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{stem}.dist-info/WHEEL"] = about.encode()
    record = f"{stem}.dist-info/RECORD"
    rows = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in files.items()]
    files[record] = ("\n".join([*rows, f"{record},,"]) + "\n").encode()
    return f"{stem}-py3-none-any.whl", _archive(files)


def _package_files() -> list[Path]:
    return [
        path
        for _, paths in visible_files(_PACKAGE, lambda folder: folder.name != "__pycache__")
        for path in paths
        if path.suffix not in _LEFT_OUT
    ]


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _OLDEST)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)
    return target.getvalue()


def pinned_requirements(
    extras: Collection[str], modules: Collection[str], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The packages that this one requires, and those that they require, with the versions that are installed now.

    Args:
        extras: of this package.
        modules: names of further installed modules.
        environment: values of markers for another platform, see `Platform`; None for this one.

    Raises:
        ConfigError: a package that is needed there is not installed here, so that no version is known.
    """
    packages = metadata.packages_distributions()
    waiting = [(NAME, frozenset(extras))]
    waiting += [(name, frozenset[str]()) for module in sorted(modules) for name in packages.get(module, ())]
    found: dict[str, str] = {}
    seen, missing = set[tuple[str, frozenset[str]]](), list[str]()
    while waiting:
        name, wanted = waiting.pop()
        key = canonicalize_name(name), wanted
        if key in seen:
            continue
        seen.add(key)
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        found[key[0]] = installed.version
        for text in installed.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({**(environment or {}), "extra": extra}) for extra in ("", *wanted)
            ):
                waiting.append((needed.name, frozenset(needed.extras)))
    if missing:
        raise ConfigError(
            f"{listing(sorted(set(missing)))}: needed by the bundle, but not installed here, so no version is known",
            f"Run: pip install {' '.join(sorted(set(missing)))}",
        )
    del found[NAME]
    return dict(sorted(found.items()))
