"""Every n-th change of the disk fails, is torn, or is the last one: nothing finished is lost, and a rerun mends all.

A sample of the changes by default; all of them with FAULTS=all, which takes a long time.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import KINDS, VERBS, Disk, Kind, Scenario, results_of, run, strays_in

pytestmark = pytest.mark.train

SAMPLE = 2
STORAGE = 16


def numbers(changes: int, place: int) -> list[int]:
    """The numbers of the changes to disturb; the samples of different kinds are different."""
    if os.environ.get("FAULTS") == "all":
        return list(range(changes))
    return [min(changes - 1, (3 * number + place) * changes // (3 * SAMPLE)) for number in range(SAMPLE)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_rerun_after_a_fault_makes_what_an_undisturbed_run_makes(
    tmp_path: Path, scenarios: Callable[[str], Scenario], verb: str, kind: Kind
) -> None:
    scenario = scenarios(verb)
    finished = results_of(scenario.start)
    for number in numbers(scenario.changes, KINDS.index(kind)):
        folder = tmp_path / str(number)
        shutil.copytree(scenario.start, folder)
        disk = Disk(kind, number)
        outcome = run(folder, scenario.words, disk)
        where = f"tk {scenario.words}: change {number} of {scenario.changes} ({disk.made[-1]}) {kind}"
        assert outcome.code in ((None,) if kind == "is the last" else (0, STORAGE)), f"{where}: {outcome.said}"
        kept = results_of(folder)
        lost = {name for name in finished if name not in kept and name in scenario.expected}
        assert not lost, where
        again = run(folder, scenario.words, Disk())
        assert again.code == 0, f"{where}: {again.said}"
        found = results_of(folder)
        assert found.keys() == scenario.expected.keys(), where
        assert [name for name in found if found[name] != scenario.expected[name]] == [], where
        assert strays_in(folder) == [], where
        shutil.rmtree(folder)
