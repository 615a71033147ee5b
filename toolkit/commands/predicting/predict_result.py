"""What `tk predict` has made, and what it could not."""

from dataclasses import dataclass

from toolkit.errors import DataError
from toolkit.messages import Table

_LISTED = 20


@dataclass(frozen=True)
class Failed:
    """A file that could not be predicted, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class PredictResult:
    """What `tk predict` has made in `out`; `table` is a CSV file with a row for each file.

    `images` counts all files, `predicted` those that were predicted now, `kept` those that were there already;
    `left_out` are files that are no images by their ending, and folders inside that hold predictions.
    """

    experiment: str
    images: int
    predicted: int
    kept: int
    failed: list[Failed]
    left_out: list[str]
    formats: list[str]
    networks: int
    views: str
    recipe: str | None
    out: str
    table: str
    seconds: float

    @property
    def exit_code(self) -> int:
        """0, or that of broken data if any file could not be predicted."""
        return DataError.exit_code if self.failed else 0

    def tables(self) -> list[Table]:
        """How many there are, and those that failed."""
        rows = [
            ("images", f"{self.images}"),
            ("predicted", f"{self.predicted}"),
            ("kept as they were", f"{self.kept}"),
            ("failed", f"{len(self.failed)}"),
        ]
        networks = "1 network" if self.networks == 1 else f"{self.networks} networks"
        views = "" if self.views == "none" else f", {self.views}"
        masks = "" if self.recipe is None else f"; masks: {self.recipe}"
        tables = [Table(f"{self.experiment}: {networks}{views}{masks}", ("", "images"), rows)]
        if self.failed:
            shown = [(one.file, one.reason) for one in self.failed[:_LISTED]]
            more = f", the first {_LISTED}" if len(self.failed) > _LISTED else ""
            tables.append(Table(f"failed{more}", ("file", "why"), shown))
        return tables

    def next_steps(self) -> list[str]:
        """Where everything is, and what to type."""
        where = [f"{', '.join(self.formats)}: {self.out}", f"table: {self.table}"]
        if self.failed:
            return [*where, "next: mend these files and run the same command again, which keeps what is done"]
        if "overlay" in self.formats:
            return [*where, f"next: look at {self.out}/overlay"]
        return [*where, "next: the same command with --format overlay draws pictures to look at"]
