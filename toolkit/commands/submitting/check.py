"""`tk check`: check a submission file, whatever made it."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.session import Session
from toolkit.commands.submitting.preset_option import named_competition
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.errors import SubmissionError
from toolkit.files.data.as_unpacked import find_unpacked_images
from toolkit.files.images.image_files import ImageFiles
from toolkit.files.submissions.checks import check_submission
from toolkit.files.submissions.expectations import Expected, TestImages
from toolkit.files.submissions.findings import Finding, is_refused
from toolkit.files.submissions.layout import sample_layout
from toolkit.files.submissions.log import SubmissionLog
from toolkit.messages import Table
from toolkit.report.result import Result


@dataclass(frozen=True)
class CheckResult(Result):
    """The findings about a submission file."""

    path: str
    competition: str | None
    rows: int
    images: int
    empty_rows: int
    findings: list[Finding]

    @property
    def exit_code(self) -> int:
        """0, or that of `SubmissionError` if the file would be refused."""
        return SubmissionError.exit_code if is_refused(self.findings) else 0

    def tables(self) -> list[Table]:
        """One row a finding."""
        what = f" for {self.competition}" if self.competition else ""
        title = f"{self.path}{what}: {self.rows} rows of {self.images} images, {self.empty_rows} of them empty masks"
        if not self.findings:
            return [Table(title, ("", ""), [("all checks", "passed")])]
        rows = [
            (
                finding.level,
                finding.check,
                finding.where + (f"\n(and {finding.count - 1} more)" if finding.count > 1 else ""),
                "; ".join(filter(None, (finding.came, finding.allowed))),
                finding.advice,
            )
            for finding in self.findings
        ]
        return [Table(title, ("", "check", "where", "what", "what to do"), rows)]

    def next_steps(self) -> list[str]:
        """What the findings mean, and which option would check more."""
        plain = "checked as one column-major mask per image; for another format: --competition NAME"
        hints = [] if self.competition else [plain]
        if is_refused(self.findings):
            return [*hints, "refused: fix the file before you upload it"]
        warned = "the competition may accept the file, but look at the warnings first"
        return [*hints, warned if self.findings else "no problems were found"]


def check(
    session: Session,
    path: Path,
    *,
    sample: Path | None = None,
    images: Path | None = None,
    competition: str | None = None,
) -> CheckResult:
    """Check a submission file against a competition, a sample submission and a folder of test images, if given.

    Raises:
        ConfigError: there is no such competition.
        MissingFileError: a file or folder does not exist.
        SubmissionError: the sample submission does not have the format of the competition.
    """
    form = named_competition(competition) or PLAIN
    found = None if images is None else _test_images(images, form)
    known = () if found is None else found.ids
    layout = None if sample is None else sample_layout(sample, form, "--sample", known)
    workspace = session.workspace
    earlier = [
        entry
        for entry in SubmissionLog(workspace.submission_log).read()
        if (workspace.submissions / f"{entry.name}.csv").resolve() != path.resolve()
    ]
    checked = check_submission(path, Expected(form, layout, sample, found, earlier=earlier), session.progress)
    return CheckResult(str(path), competition, checked.rows, checked.images, checked.empty_rows, checked.findings)


def _test_images(folder: Path, form: Competition) -> TestImages:
    images = find_unpacked_images(form, folder, "--images")
    known = frozenset(images.ids)

    def size(image_id: str) -> tuple[int, int] | None:
        return images.size(image_id) if image_id in known else None

    return TestImages(known, size, images.read if isinstance(images, ImageFiles) else None)
