"""Commands that are run in turns, so that a machine that is shared or warms up is fair to all of them.

Each command prints one line of JSON with its figures as its last line. Medians over the rounds and ratios to the first
command are printed, and kept in RESULTS.md with the machine and the date.
"""

import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"

Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One figure of one piece of work: the median of each program, and the median ratio to the first of them."""

    work: str
    figure: str
    medians: Mapping[str, float]
    ratios: Mapping[str, float]

    def cells(self) -> list[str]:
        """The texts of the row."""
        medians = " · ".join(f"{name} {value:.4g}" for name, value in self.medians.items())
        ratios = " · ".join(f"{name} {value:.2f}" for name, value in self.ratios.items())
        return [self.work, self.figure, medians, ratios or "–"]


def ours(*arguments: str) -> list[str]:
    """A module of this folder as a command."""
    return [sys.executable, "-m", *arguments]


def peer(python: str | None, script: str, *arguments: str) -> dict[str, list[str]]:
    """A script of benchmarks/peers as a command, if an environment with PyTorch is named."""
    return {} if python is None else {"PyTorch": [python, str(ROOT / "benchmarks" / "peers" / script), *arguments]}


def in_turns(work: str, commands: Mapping[str, Sequence[str]], figures: Sequence[str], rounds: int) -> list[Row]:
    """Run the commands in turns, and compare their figures, round by round."""
    found: dict[str, list[Figures]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            print(f"{work}: {name}, {number + 1} of {rounds}", file=sys.stderr, flush=True)
            found[name].append(_run(command))
    first, *others = commands
    rows = []
    for figure in figures:
        values = {name: [run[figure] for run in runs] for name, runs in found.items() if figure in runs[0]}
        medians = {name: statistics.median(several) for name, several in values.items()}
        ratios = {
            f"{first}/{name}": statistics.median(a / b for a, b in zip(values[first], values[name], strict=True))
            for name in others
            if name in values and first in values
        }
        rows.append(Row(work, figure, medians, ratios))
        print(" | ".join(rows[-1].cells()), flush=True)
    return rows


def keep(title: str, rows: Sequence[Row]) -> None:
    """Append a table to RESULTS.md."""
    lines = ["", f"## {title}", "", f"{dt.date.today().isoformat()}, {machine()}", ""]
    lines += ["| work | figure | median | ratio |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row.cells())} |" for row in rows]
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def machine() -> str:
    """The processor, its number of cores, and the fastest instructions it has."""
    info = Path("/proc/cpuinfo")
    text = info.read_text() if info.is_file() else ""
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "")
    flags = [flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if f" {flag}" in text]
    return f"{model or platform.processor()}, {os.cpu_count()} cores, {flags[0] if flags else platform.machine()}"


def _run(command: Sequence[str]) -> Figures:
    done = subprocess.run(list(command), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures
