"""Where `--on` lets work run, read from its text."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.errors import ClusterError, ConfigError

RAY = "ray"
_ADDRESS = re.compile(r"(ray://)?[A-Za-z0-9][A-Za-z0-9.-]*:\d{1,5}|(ray://)?\[[0-9A-Fa-f:]+\]:\d{1,5}")
_VARIABLE = "RAY_ADDRESS"


@dataclass(frozen=True)
class Place:
    """A Ray cluster at an address, `HOST:PORT` or `ray://HOST:PORT`; without one, Ray on this machine."""

    address: str | None = None

    @property
    def text(self) -> str:
        """How `--on` names it."""
        return self.address or RAY

    def refuse_unreachable(self, seconds: float = 10) -> None:
        """Refuse an address where nothing listens, for which Ray would wait for minutes.

        Raises:
            ClusterError: nothing answers within so many seconds.
        """
        if self.address is None:
            return
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), seconds).close()
        except (OSError, OverflowError) as error:
            raise ClusterError(
                f"--on {self.text}: nothing answers there: {getattr(error, 'strerror', None) or error}",
                "Check the address and the port, and that the cluster runs (ray status). Or use this machine: --on ray",
            ) from error


def parse_place(text: str, environment: Mapping[str, str] = os.environ) -> Place:
    """The place that `--on` names: `ray`, which means the address in RAY_ADDRESS where that is set, or an address.

    Raises:
        ConfigError: the text is neither.
    """
    found = environment.get(_VARIABLE, "") if text == RAY else text
    if not found:
        return Place()
    if not _ADDRESS.fullmatch(found):
        where = f"--on ray, {_VARIABLE}" if text == RAY else "--on"
        raise ConfigError(
            f"{where}: expected ray, HOST:PORT or ray://HOST:PORT; received {found!r}",
            "For Ray on this machine: --on ray. For a cluster, the address of its head, for example "
            "--on ray://10.0.0.1:10001",
        )
    return Place(found)
