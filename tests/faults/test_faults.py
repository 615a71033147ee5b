"""Every n-th change of the disk fails, is torn, or is the last one: nothing finished is lost, and a rerun mends all.

A sample of the changes by default; all of them with FAULTS=all, which takes a long time; those from the 200th on with
FAULTS=200.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import KINDS, VERBS, Disk, Kind, Outcome, Scenario, results_of, run, strays_in

pytestmark = pytest.mark.train

SAMPLE = 2
STORAGE = 16


def numbers(changes: int, place: int) -> list[int]:
    """The numbers of the changes to disturb; the samples of different kinds are different."""
    wanted = os.environ.get("FAULTS", "")
    if wanted:
        return list(range(0 if wanted == "all" else int(wanted), changes))
    return [min(changes - 1, (3 * number + place) * changes // (3 * SAMPLE)) for number in range(SAMPLE)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_rerun_after_a_fault_makes_what_an_undisturbed_run_makes(
    tmp_path: Path, scenarios: Callable[[str], Scenario], verb: str, kind: Kind
) -> None:
    scenario = scenarios(verb)
    problems = []
    for number in numbers(scenario.changes, KINDS.index(kind)):
        folder = tmp_path / str(number)
        shutil.copytree(scenario.start, folder)
        disk = Disk(kind, number)
        outcome = run(folder, scenario.words, disk)
        where = f"tk {scenario.words}: change {number} of {scenario.changes} ({disk.made[-1]}) {kind}"
        problems += [f"{where}: {problem}" for problem in problems_after(outcome, kind, folder, scenario)]
        shutil.rmtree(folder)
    assert not problems


def problems_after(outcome: Outcome, kind: Kind, folder: Path, scenario: Scenario) -> Iterator[str]:
    """What is wrong after a disturbed run, and after a further run that is not disturbed."""
    if outcome.code not in ((None,) if kind == "is the last" else (0, STORAGE)):
        yield outcome.said
    kept = results_of(folder)
    lost = [name for name in results_of(scenario.start) if name not in kept and name in scenario.expected]
    if lost:
        yield f"lost: {lost}"
    again = run(folder, scenario.words, Disk())
    if again.code != 0:
        yield f"the next run: {again.said}"
    found, expected = results_of(folder), scenario.expected
    if found.keys() != expected.keys():
        yield f"missing: {sorted(expected.keys() - found.keys())}, too many: {sorted(found.keys() - expected.keys())}"
    different = [name for name in found.keys() & expected.keys() if found[name] != expected[name]]
    if different:
        yield f"different: {different}"
    if strays_in(folder):
        yield f"left: {strays_in(folder)}"
