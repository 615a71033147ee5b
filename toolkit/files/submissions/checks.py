"""Checks a submission file for everything that a competition would refuse or score in an unintended way."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.files.disk.digests import file_digest
from toolkit.files.masks.rle_rows import MaskRow
from toolkit.files.submissions.expectations import Expected
from toolkit.files.submissions.findings import WHOLE_FILE, Finding, Findings, is_refused
from toolkit.files.submissions.id_checks import check_ids
from toolkit.files.submissions.mask_checks import MaskChecks
from toolkit.files.submissions.rows import read_raw_rows
from toolkit.messages import Progress


@dataclass(frozen=True)
class Checked:
    """The findings about a file, its numbers of rows, images and empty rows, and the digest of its content."""

    findings: list[Finding]
    rows: int
    images: int
    empty_rows: int
    digest: str

    @property
    def is_refused(self) -> bool:
        """Whether any finding refuses the submission."""
        return is_refused(self.findings)


def check_submission(path: Path, expected: Expected, progress: Progress) -> Checked:
    """Check a submission file against everything that is known of what it should contain.

    Raises:
        MissingFileError: the file does not exist or cannot be read.
        UnreadableImageError: a test image cannot be read.
    """
    findings = Findings()
    raw = read_raw_rows(path, findings)
    rows = [] if raw is None else check_ids(raw, expected, findings)
    by_image: dict[str, list[MaskRow]] = {}
    for row in rows:
        by_image.setdefault(row.image_id, []).append(row)
    masks = MaskChecks(expected, len(by_image), findings)
    with progress.task("checking the submission", len(by_image)) as task:
        for image_id, several in by_image.items():
            masks.check_image(image_id, several)
            task.advance()
    masks.finish()
    digest = file_digest(path)
    _check_novelty(path, digest, expected, findings)
    return Checked(findings.all(), len(raw.rows) if raw else 0, len(by_image), masks.empty_rows, digest)


def _check_novelty(path: Path, digest: str, expected: Expected, findings: Findings) -> None:
    """The file is neither the sample submission nor the same as an earlier submission."""
    if expected.sample_path is not None and file_digest(expected.sample_path) == digest:
        findings.warn("novelty", WHOLE_FILE, "the file is the sample submission itself")
    for entry in reversed(expected.earlier):
        if entry.digest == digest:
            score = "" if entry.public is None else f", public score {entry.public:g}"
            uploaded = f", uploaded {entry.uploaded[:10]}" if entry.uploaded else ""
            came = f"the file has the same content as {entry.name}{uploaded}{score}"
            again = bool(entry.uploaded) and entry.competition == expected.upload_to
            tell = findings.refuse if again else findings.warn
            tell("novelty", WHOLE_FILE, came, "", "Uploading it again gives no new information.")
            return
