"""The result of `tk predict`."""

from dataclasses import dataclass

from toolkit.errors import DataError, counted
from toolkit.messages import Table
from toolkit.report.result import Result

_LISTED = 20


@dataclass(frozen=True)
class Failed:
    """A file that could not be predicted, and the reason."""

    file: str
    reason: str


@dataclass(frozen=True)
class PredictResult(Result):
    """The predictions in the folder `out`; `table` is a CSV file with one row for each input file.

    `images` counts all input files, `predicted` those predicted by this run, and `kept` those predicted before.
    `left_out` are files that are not images by their suffix, and subfolders that hold predictions. `engine` is what
    computed the networks. `recipe_source` says in words where the recipe comes from, and `asked` whether formats were
    asked for. If `out` is a single file, there is no table, and `table` is empty.
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
    engine: str = ""
    recipe_source: str | None = None
    asked: bool = False

    @property
    def exit_code(self) -> int:
        """0, or that of `DataError` if a file could not be predicted."""
        return DataError.exit_code if self.failed else 0

    def tables(self) -> list[Table]:
        """The numbers of images, and the failed files."""
        rows = [
            ("images", f"{self.images}"),
            ("predicted", f"{self.predicted}"),
            ("kept from before", f"{self.kept}"),
            ("failed", f"{len(self.failed)}"),
        ]
        views = "" if self.views == "none" else f", {self.views}"
        by = f", {self.engine}" if self.engine else ""
        masks = "" if self.recipe is None else f"; masks: {self.recipe} ({self.recipe_source})"
        title = f"{self.experiment}: {counted(self.networks, 'network')}{views}{by}{masks}"
        tables = [Table(title, ("", "images"), rows)]
        if self.failed:
            shown = [(one.file, one.reason) for one in self.failed[:_LISTED]]
            more = f", the first {_LISTED}" if len(self.failed) > _LISTED else ""
            tables.append(Table(f"failed{more}", ("file", "reason"), shown))
        return tables

    def next_steps(self) -> list[str]:
        """The files and the next command."""
        where = [f"{', '.join(self.formats)}: {self.out}", *([f"table: {self.table}"] if self.table else [])]
        if self.failed:
            return [*where, "next: fix these files and run the same command again; finished predictions are kept"]
        if not self.table:
            return where
        if "overlay" in self.formats:
            return [*where, f"next: look at {self.out}/overlay"]
        return where if self.asked else [*where, "next: run the same command with --format overlay to draw pictures"]
