"""`tk report`: one HTML file that shows what was found."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ConfigError, ToolkitError
from toolkit.files.disk.writing import write_text
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Progress, Silent, Table, Task
from toolkit.report.result import Result

_MOST = 20


@dataclass(frozen=True)
class ReportResult(Result):
    """The page, and the experiments that it shows; the first of them is its subject."""

    experiments: list[str]
    page: str
    kilobytes: int
    next: str

    def tables(self) -> list[Table]:
        """There are none."""
        return []

    def next_steps(self) -> list[str]:
        """The page, and the next command for the experiment."""
        return [f"page: {self.page} ({self.kilobytes:,} KB), opens in any browser", f"next: {self.next}"]


def report(session: Session, names: Sequence[str] = (), *, out: Path | None = None) -> ReportResult:
    """Write the page of an experiment, or of several with the first of them as the baseline.

    Args:
        session: the folder of all experiments, and what shows progress.
        names: names or paths; by default the experiment finished last.
        out: the file to write; by default report.html in the folder of the experiment, or for several experiments a
            file in reports/.

    Raises:
        MissingFileError: there is no such experiment.
        ConfigError: an experiment is named twice, or there are too many.
        StorageError: a file of an experiment is damaged, or the page cannot be written.
    """
    workspace = session.workspace
    found = [workspace.find(name) for name in names] or [workspace.find_or_last(None, session.progress)]
    if len({one.folder for one in found}) < len(found):
        raise ConfigError(f"an experiment is named twice: {', '.join(names)}", "Name each experiment once.")
    if len(found) > _MOST:
        raise ConfigError(f"a page shows at most {_MOST} experiments; received {len(found)}", "Name fewer of them.")
    if out is not None:
        _refuse_overwriting(out)
    first = found[0]
    path = out or (first.report if len(found) == 1 else workspace.report_of([one.name for one in found]))
    return write_page(session, first, list(names[1:]), path)


def write_page(
    session: Session, experiment: Experiment, others: Sequence[str] = (), path: Path | None = None
) -> ReportResult:
    """Write the page of an experiment, compared with others if there are any; raises as `report`."""
    from toolkit.commands.reporting.page_values import page_values
    from toolkit.report.page.document import Document
    from toolkit.report.page.registry import SECTIONS

    values = page_values(session, experiment, others)
    sections = [section for make in SECTIONS.values() if (section := make(values)) is not None]
    title = values.name if not others else f"{values.name} and {len(others)} more"
    kind = "ensemble" if values.is_ensemble else "experiment"
    images = f", {values.images:,} out-of-fold images" if values.images else ""
    line = f"{kind}, {values.state}; {values.metric or 'no metric yet'}{images}"
    html = Document(title, line, sections).html()
    path = path or experiment.report
    if not path.is_file() or regular(path).read_bytes() != html.encode():  # what has not changed is not touched
        write_text(path, html)
    return ReportResult([experiment.name, *others], str(path), round(len(html.encode()) / 1000), values.next_step)


def page_at_the_end(session: Session, experiment: Experiment, *, wanted: bool) -> str:
    """Write the page when a command has finished its work; returns the file, or nothing if there is none.

    A page that cannot be written is a warning, because the work of the command is done.
    """
    if not wanted:
        return ""
    try:
        return write_page(Session(session.workspace, Quiet(session.progress)), experiment).page
    except ToolkitError as error:
        session.progress.warn(f"{experiment.report} is not written: {error.message}")
        return ""


class Quiet(Silent):
    """A progress that shows tasks, but no messages: the command has told them already."""

    def __init__(self, shown: Progress) -> None:
        """`shown` shows the tasks."""
        self._shown = shown

    def task(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Open a task of `total` steps."""
        return self._shown.task(title, total)


def _refuse_overwriting(out: Path) -> None:
    """Refuse to replace a file that is no page, which a slip of the keyboard could name."""
    if out.exists() and (out.is_dir() or out.suffix.lower() not in (".html", ".htm")):
        raise ConfigError(
            f"--out: {out} exists and is no page", "Name a file that ends with .html, for example report.html."
        )
