from collections.abc import Iterator
from functools import cache, partial

import pytest
import typer.testing

from toolkit.commands.scoring import overlays
from toolkit.messages import Silent
from toolkit.report.drawing import SMALLEST_TILE
from toolkit.report.overlay_sheet import overlay_sheet


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Draw overlays small, and build the command line once: both would take longer than most commands on tiny data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlays, "overlay_sheet", partial(overlay_sheet, tile_height=SMALLEST_TILE))
        patch.setattr("typer.testing._get_command", cache(typer.testing._get_command))
        yield


class Told(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)

    def warn(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def told() -> Told:
    return Told()
