"""Which units may begin, and what becomes of those that die or fail; knows nothing of Ray."""

from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.cluster.units import Unit

MOST_ATTEMPTS = 3


@dataclass(frozen=True)
class Failure:
    """Why a unit was not finished."""

    unit: Unit
    reason: str


class Schedule:
    """The order of units: each begins after those that it names, and is begun again if it dies, three times at most."""

    def __init__(self, units: Sequence[Unit]) -> None:
        """Plan the units.

        Raises:
            ValueError: two have the same name, or one waits for a unit that does not come before it.
        """
        known: set[str] = set()
        for unit in units:
            if unit.name in known or not known.issuperset(unit.after):
                raise ValueError(f"{unit.name} has the name of another unit, or waits for one that is not before it")
            known.add(unit.name)
        self._waiting = list(units)
        self._attempts: dict[str, int] = {}
        self._finished: set[str] = set()
        self._running: set[str] = set()
        self.failures: list[Failure] = []

    @property
    def is_over(self) -> bool:
        """Whether nothing runs and nothing can begin any more."""
        return not self._running and not self._waiting

    def ready(self) -> list[Unit]:
        """The units that may begin now, in order."""
        return [unit for unit in self._waiting if self._finished.issuperset(unit.after)]

    def attempt(self, unit: Unit) -> int:
        """How often a unit was begun."""
        return self._attempts.get(unit.name, 0)

    def begin(self, unit: Unit) -> int:
        """Note that a unit begins; returns how often it was begun, from 1."""
        self._waiting.remove(unit)
        self._running.add(unit.name)
        self._attempts[unit.name] = self.attempt(unit) + 1
        return self._attempts[unit.name]

    def put_back(self, unit: Unit) -> None:
        """Note that a unit could not begin after all, and this was no attempt."""
        self._running.remove(unit.name)
        self._waiting.insert(0, unit)
        self._attempts[unit.name] -= 1

    def finish(self, unit: Unit) -> None:
        """Note that a unit is finished."""
        self._running.remove(unit.name)
        self._finished.add(unit.name)

    def die(self, unit: Unit, reason: str) -> bool:
        """Note that the process or the node of a unit is gone; returns whether the unit will begin again."""
        if self.attempt(unit) < MOST_ATTEMPTS:
            self._running.remove(unit.name)
            self._waiting.insert(0, unit)
            return True
        self.fail(unit, f"it died {MOST_ATTEMPTS} times, the last time because {reason}")
        return False

    def fail(self, unit: Unit, reason: str) -> None:
        """Note that a unit cannot be finished, and neither can those that wait for it."""
        self._running.discard(unit.name)
        self.failures.append(Failure(unit, reason))
        lost = {unit.name}
        for other in list(self._waiting):
            if lost.intersection(other.after):
                lost.add(other.name)
                self._waiting.remove(other)
                self.failures.append(Failure(other, f"{unit.name} was not finished"))
