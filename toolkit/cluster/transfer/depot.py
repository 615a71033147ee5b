"""A place between machines: files by their digests in an object store (S3, Google) or a folder, by fsspec."""

import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from toolkit.errors import ConfigError, MissingFileError, StorageError, not_valid
from toolkit.files.disk.digests import content_address
from toolkit.files.disk.writing import new_path

_INSTALL = "pip install 'segmentation-toolkit[cluster]'"
_PACKAGES = {"file": ("fsspec", _INSTALL), "s3": ("s3fs", _INSTALL), "gs": ("gcsfs", "pip install gcsfs")}
"""The module for each kind of address, and the command that installs it."""
_WAITS = (0.5, 2.0, 8.0)
"""Seconds before each further attempt."""
_PARTS_AT_ONCE = 2
"""Parts of a large file, of 50 MB each, that are in memory at once."""
_ADVICE = {
    "file": "Check that all machines have this folder and may write it.",
    "s3": "Check the address, the network and the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a "
    "profile). A store other than Amazon's needs AWS_ENDPOINT_URL.",
    "gs": "Check the address, the network and the credentials (GOOGLE_APPLICATION_CREDENTIALS).",
}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Depot:
    """A place that all machines reach: `s3://bucket/prefix`, `gs://bucket/prefix` or `file:///folder`.

    A file is there whole or not at all, under its digest (SHA-256). Requests that fail are repeated a few times.
    """

    address: str

    def __post_init__(self) -> None:
        """Check the address, and that the package for it is installed.

        Raises:
            ConfigError: it is no such address, or the package is missing.
        """
        kind, separator, place = self.address.partition("://")
        if not separator or kind not in _PACKAGES or not place.strip("/"):
            forms = ("s3://BUCKET/PREFIX", "gs://BUCKET/PREFIX", "file:///FOLDER")
            raise ConfigError(f"the place for files between machines: {not_valid(self.address, forms)}")
        module, install = _PACKAGES[kind]
        for needed in ("fsspec", module):
            try:
                importlib.import_module(needed)
            except ImportError as error:
                raise ConfigError(
                    f"{self.address} requires the package {needed}: {error}", f"Run: {install}"
                ) from error

    def below(self, name: str) -> "Depot":
        """A depot in a folder of this one."""
        return Depot(f"{self.address.rstrip('/')}/{name}")

    def put(self, digest: str, path: Path) -> None:
        """Upload a file under its digest, unless it is there.

        Raises:
            StorageError: the upload failed several times.
        """
        if not self.has(digest):
            self._try("put", digest, lambda: self._upload(digest, path))

    def get(self, digest: str, to: Path) -> None:
        """Download the file with a digest to a path, whole or not at all.

        Raises:
            MissingFileError: there is no such file.
            StorageError: the download failed several times, or the content is not that of the digest.
        """
        with new_path(to) as path:
            self._try("get", digest, lambda: self._download(digest, path))

    def has(self, digest: str) -> bool:
        """Whether the file with a digest is there; raises as `put`."""
        return self._try("look for", digest, lambda: bool(self._system.exists(self._name(digest))))

    def delete(self, digest: str) -> None:
        """Delete the file with a digest, if it is there; raises as `put`."""
        if self.has(digest):
            self._try("delete", digest, lambda: self._system.rm_file(self._name(digest)))

    def _upload(self, digest: str, path: Path) -> None:
        name = self._name(digest)
        if self._kind != "file":  # an object appears when it is complete
            self._system.put_file(str(path), name)
            return
        with new_path(Path(name)) as unfinished:
            self._system.put_file(str(path), str(unfinished))

    def _download(self, digest: str, path: Path) -> None:
        self._system.get_file(self._name(digest), str(path))
        if content_address(path) != digest:
            raise OSError("the content is not that of the digest")

    @property
    def _kind(self) -> str:
        return self.address.partition("://")[0]

    @property
    def _system(self) -> Any:
        """The file system; fsspec keeps those that it has made. Lists of files are not kept: others change them."""
        fsspec = importlib.import_module("fsspec")
        options: dict[str, Any] = {} if self._kind == "file" else {"use_listings_cache": False}
        if self._kind == "s3":
            options["max_concurrency"] = _PARTS_AT_ONCE
        return fsspec.filesystem(self._kind, **options)

    def _name(self, digest: str) -> str:
        place = self.address.partition("://")[2].rstrip("/")
        return f"{place}/{digest}"

    def _try(self, verb: str, digest: str, request: Callable[[], Result]) -> Result:
        what = f"cannot {verb} {digest[:12]}… in {self.address}"
        waits = list(_WAITS)
        while True:
            try:
                return request()
            except FileNotFoundError as error:
                if verb == "get":
                    raise MissingFileError(f"{what}: it is not there", "Run the command again.") from error
                raise StorageError(f"{what}: {error}", _ADVICE[self._kind]) from error
            except Exception as error:  # each client has errors of its own
                if not waits or isinstance(error, PermissionError):
                    raise StorageError(f"{what}: {error or type(error).__name__}", _ADVICE[self._kind]) from error
            time.sleep(waits.pop(0))
