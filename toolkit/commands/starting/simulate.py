"""`tk simulate`: a competition folder of simulated images with exact labels."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.errors import ConfigError, counted, not_valid
from toolkit.files.simulated import KINDS, ClassCount, SimulatedFiles, Simulation, write_simulation
from toolkit.messages import Table
from toolkit.report.result import Result

_SIDE_AT_LEAST, _SIDE_AT_MOST = 16, 16384


@dataclass(frozen=True)
class SimulateResult(Result):
    """The competition that `tk simulate` has written; `classes` counts training and test images.

    `name` is one that an experiment on it may have.
    """

    simulation: Simulation
    folder: str
    classes: list[ClassCount]
    name: str

    def tables(self) -> list[Table]:
        """The pixels and images of each class."""
        made = self.simulation
        total = sum(one.pixels for one in self.classes)
        rows = [(one.name, f"{one.pixels:,}", f"{one.pixels / total:.3%}", f"{one.images:,}") for one in self.classes]
        height, width = made.size
        title = f"{self.folder}: {made.count} training and {counted(made.test_count, 'test image')} of {height}×{width}"
        return [Table(title, ("class", "pixels", "share", "images with it"), rows)]

    def next_steps(self) -> list[str]:
        """The hidden solution, and the next command."""
        made = self.simulation
        hidden = [f"hidden solution: {SimulatedFiles(Path(self.folder)).solution}"] if made.test_count else []
        return [*hidden, f"next: tk init {shlex.quote(self.folder)} --name {self.name}"]


_MOST_IMAGES = 1_000_000
_LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class SimulateOptions:
    """The numbers and size of simulated images.

    `count` and `test_count` are the numbers of training and test images; `test_count` is by default a quarter of
    `count`, but at least 1. All images derive from `seed`. `size` is `SIDE` or `HEIGHTxWIDTH` in
    pixels; each kind has its default.
    """

    count: int = 200
    test_count: int | None = None
    seed: int = 0
    size: str | None = None


def simulate(
    session: Session, kind: str, folder: Path, *, options: SimulateOptions = SimulateOptions()
) -> SimulateResult:
    """Write a simulated competition into a new folder.

    Args:
        session: what shows progress.
        kind: a key of `toolkit.files.simulated.KINDS`.
        folder: the folder to write.
        options: the numbers and size of images.

    Raises:
        ConfigError: the kind or an option is not valid.
        DataError: the folder holds other files.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind: {not_valid(kind, KINDS)}")
    count, seed, size = options.count, options.seed, options.size
    tests = max(1, count // 4) if options.test_count is None else options.test_count
    counts = (("--count", count, 1, _MOST_IMAGES), ("--test-count", tests, 0, _MOST_IMAGES))
    for option, value, least, most in (*counts, ("--seed", seed, 0, _LARGEST_SEED)):
        if value < least:
            raise ConfigError(f"{option}: expected a whole number of at least {least}; received {value}")
        if value > most:
            raise ConfigError(f"{option}: expected at most {most}; received {value}")
    simulation = Simulation(kind, seed, count, tests, KINDS[kind].size if size is None else _parse_size(size))
    classes = write_simulation(folder, simulation, session.progress)
    return SimulateResult(simulation, str(folder), classes, session.workspace.free_name(kind))


def _parse_size(text: str) -> tuple[int, int]:
    sides = [int(side) for side in re.split("[x×]", text)] if re.fullmatch(r"\d+([x×]\d+)?", text) else []
    if not sides or not all(_SIDE_AT_LEAST <= side <= _SIDE_AT_MOST for side in sides):
        raise ConfigError(
            f"--size: expected SIDE or HEIGHTxWIDTH, with sides from {_SIDE_AT_LEAST} to {_SIDE_AT_MOST} pixels; "
            f"received {text!r}"
        )
    return sides[0], sides[-1]
