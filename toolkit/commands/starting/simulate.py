"""`tk simulate`: a competition folder with simulated images whose labels are known exactly."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.errors import ConfigError
from toolkit.files.simulated import KINDS, ClassCount, SimulatedFiles, Simulation, write_simulation
from toolkit.messages import Table

_SIDE_AT_LEAST, _SIDE_AT_MOST = 16, 16384


@dataclass(frozen=True)
class SimulateResult:
    """What `tk simulate` has written; `classes` counts all images, the test images too."""

    simulation: Simulation
    folder: str
    classes: list[ClassCount]

    def tables(self) -> list[Table]:
        """How much there is of each class."""
        made = self.simulation
        total = sum(counted.pixels for counted in self.classes)
        rows = [
            (counted.name, f"{counted.pixels:,}", f"{100 * counted.pixels / total:.3f} %", f"{counted.images:,}")
            for counted in self.classes
        ]
        height, width = made.size
        title = f"{self.folder}: {made.count} training and {made.test_count} test images of {height}×{width}"
        return [Table(title, ("class", "pixels", "share", "images with it"), rows)]

    def next_steps(self) -> list[str]:
        """Where the solution is, and the experiment to start with."""
        made = self.simulation
        hidden = [f"hidden solution: {SimulatedFiles(Path(self.folder)).solution}"] if made.test_count else []
        return [*hidden, f"next: tk init {shlex.quote(self.folder)} --name {made.kind}"]


@dataclass(frozen=True)
class SimulateOptions:
    """How many images are simulated, and how large they are.

    `count` and `test_count` are the numbers of training and test images; a quarter of `count` if `test_count` is None.
    All images derive from `seed`. `size` is `SIDE` or `HEIGHTxWIDTH` in pixels; the usual size of the kind if it is
    None.
    """

    count: int = 200
    test_count: int | None = None
    seed: int = 0
    size: str | None = None


def simulate(
    session: Session, kind: str, folder: Path, *, options: SimulateOptions = SimulateOptions()
) -> SimulateResult:
    """Write a simulated competition into a folder of its own.

    Args:
        session: what shows progress.
        kind: what is simulated, see `toolkit.files.simulated.KINDS`.
        folder: where to.
        options: how many images, and how large.

    Raises:
        ConfigError: a value cannot be.
        DataError: the folder holds something else.
    """
    if kind not in KINDS:
        raise ConfigError(f"{kind!r} cannot be simulated; allowed: {', '.join(KINDS)}")
    count, seed, size = options.count, options.seed, options.size
    tests = count // 4 if options.test_count is None else options.test_count
    for option, value, least in (("--count", count, 1), ("--test-count", tests, 0), ("--seed", seed, 0)):
        if value < least:
            raise ConfigError(f"{option}: expected a whole number from {least} up, received {value}")
    simulation = Simulation(kind, seed, count, tests, KINDS[kind].size if size is None else _parse_size(size))
    return SimulateResult(simulation, str(folder), write_simulation(folder, simulation, session.progress))


def _parse_size(text: str) -> tuple[int, int]:
    sides = [int(side) for side in re.split("[x×]", text)] if re.fullmatch(r"\d+([x×]\d+)?", text) else []
    if not sides or not all(_SIDE_AT_LEAST <= side <= _SIDE_AT_MOST for side in sides):
        raise ConfigError(
            f"--size: expected SIDE or HEIGHTxWIDTH, sides from {_SIDE_AT_LEAST} to {_SIDE_AT_MOST} pixels, "
            f"received {text!r}"
        )
    return sides[0], sides[-1]
