"""The result of `tk plan`."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit.commands.ensembling.drops import Drops
from toolkit.messages import Table, duration_text
from toolkit.report.result import Result

_PARTS = {
    "start": "start: data, networks, compiling",
    "training": "training",
    "validation": "validation",
    "writing": "writing weights",
    "out_of_fold": "out-of-fold predictions",
    "test": "predictions by all folds",
}


@dataclass(frozen=True)
class PlannedExperiment:
    """The time of one experiment as it is configured.

    Attributes:
        name: of the experiment.
        device: what was measured, by name.
        cores: of the processor that may be used.
        precision: of the arithmetic.
        engine: that predicts.
        measured: whether the speed was measured by this run; otherwise an earlier one was used.
        parts: seconds of each part; `views` is left out, because nothing is predicted with further views.
        seconds: the sum.
        low, high: the range.
        recorded: the time of the epochs that are trained already, as a multiple of the planned time; None without any.
        recorded_epochs: how many there are.
    """

    name: str
    device: str
    cores: int
    precision: str
    engine: str
    measured: bool
    parts: Mapping[str, float]
    seconds: float
    low: float
    high: float
    recorded: float | None
    recorded_epochs: int


@dataclass(frozen=True)
class PlannedVariant:
    """A way to train all experiments, and its time; see `Variant`. `fits`: yes, no, or unsure within the range."""

    folds: int
    epochs: float
    side: float
    views: str
    seconds: float
    low: float
    high: float
    fits: str


@dataclass(frozen=True)
class PlanResult(Result):
    """The plan of experiments for so many hours, and what ensembles may drop to predict faster.

    `commands` train what was chosen; they are empty if nothing fits.
    """

    hours: float
    experiments: list[PlannedExperiment]
    variants: list[PlannedVariant]
    drops: list[Drops]
    commands: list[str]

    def tables(self) -> list[Table]:
        """The parts of each experiment, the variants, and for ensembles what may be dropped."""
        tables = []
        if self.experiments:
            names = [one.name for one in self.experiments]
            rows = [
                (title, *(duration_text(one.parts[part]) for one in self.experiments)) for part, title in _PARTS.items()
            ]
            rows.append(("all", *(duration_text(one.seconds) for one in self.experiments)))
            rows.append(("range", *(_range(one.low, one.high) for one in self.experiments)))
            first = self.experiments[0]
            where = f"{first.device}, {first.cores} cores, {first.precision}"
            tables.append(Table(f"as configured, from the start, on {where}", ("", *names), rows))
            tables.append(self._variants())
        return [*tables, *(table for one in self.drops for table in one.tables())]

    def next_steps(self) -> list[str]:
        """How sure the plan is, and the commands that train what fits."""
        return [
            *(_agreement(one) for one in self.experiments if one.recorded is not None),
            *(line for one in self.drops for line in one.next_steps(self.hours * 3600)),
            *self._advice(),
        ]

    def _advice(self) -> list[str]:
        if not self.experiments:
            return []
        if not self.commands:
            return [
                f"nothing of this fits into {_hours(self.hours)}: choose a smaller network or shape",
                "next: tk new NAME --extends EXPERIMENT --set shape=[128,128,3], then tk plan again",
            ]
        return [*(f"fits: {command}" for command in self.commands[:-1]), f"next: {self.commands[-1]}"]

    def _variants(self) -> Table:
        rows = [
            (
                f"{one.folds}",
                "all" if one.epochs == 1 else f"{one.epochs:.0%}",
                "as configured" if one.side == 1 else f"{one.side:.0%} (scaled)",
                one.views,
                duration_text(one.seconds),
                _range(one.low, one.high),
                one.fits,
            )
            for one in self.variants
        ]
        columns = ("folds", "epochs", "sides", "views", "time", "range", "fits")
        return Table(f"what fits into {_hours(self.hours)}", columns, rows)


def epochs_command(
    name: str,
    folds: list[int] | None,
    epochs: list[int] | None,
    hours: float,
    shape: list[int] | None = None,
    *,
    overrides: Sequence[str] = (),
) -> str:
    """The command that trains an experiment with these folds, epochs of each stage and shape; as configured if None.

    It stops between two epochs when the hours are over. `overrides` are those of the plan; what is given here wins.
    """
    words = ["tk", "fit", name]
    words += [] if folds is None else ["--folds", ",".join(map(str, folds))]
    chosen = [f"stages.{number}.epochs={count}" for number, count in enumerate(epochs or ())]
    chosen += [] if shape is None else [f"shape={shape}".replace(" ", "")]
    keys = {one.partition("=")[0] for one in chosen}
    kept = [one for one in overrides if one.partition("=")[0].strip() not in keys]
    words += [word for one in (*kept, *chosen) for word in ("--set", one)]
    return shlex.join([*words, "--max-time", f"{max(1, int(hours * 60))}m"])


def _range(low: float, high: float) -> str:
    return f"{duration_text(low)} – {duration_text(high)}"


def _hours(hours: float) -> str:
    return duration_text(hours * 3600)


def _agreement(one: PlannedExperiment) -> str:
    share = "–" if one.recorded is None else f"{one.recorded:.0%}"
    what = "1 epoch that is trained took" if one.recorded_epochs == 1 else f"{one.recorded_epochs} trained epochs took"
    return f"{one.name}: {what} {share} of the planned time; the range reaches to that"
