"""`tk data`: examine the data of an experiment before anything is trained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from toolkit.commands.inspecting.data_samples import draw_samples
from toolkit.commands.session import Session
from toolkit.commands.training.folds.divided_neighbours import divided_neighbours
from toolkit.commands.training.folds.fold_plan import find_folds
from toolkit.commands.training.settings import load_as_run
from toolkit.config.models import Config
from toolkit.config.training.networks import has_backbone, parse_architecture
from toolkit.errors import DataError, ToolkitError
from toolkit.files.data.finding import find_extra_images, find_test_images
from toolkit.files.data.sources import Images, LabelledImages
from toolkit.files.datasets.dataset import Dataset, check_all_bit_depths, find_labelled, refuse_shared, weights_of
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.png import write_png
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.files.inspection.checking import (
    DataIndex,
    duplicate_findings_of,
    file_findings,
    test_findings,
    training_findings,
)
from toolkit.files.inspection.data_findings import DataFinding, by_level, errors_of
from toolkit.files.inspection.data_summary import ClassShare, FileSummary, class_shares, summary_of
from toolkit.files.inspection.duplicate_findings import like_extra
from toolkit.files.inspection.examining import examine_images, examine_labelled
from toolkit.files.inspection.image_facts import ImageFacts
from toolkit.files.inspection.image_findings import sides
from toolkit.files.submissions.layout import sample_layout_for
from toolkit.messages import Progress, Silent, Table
from toolkit.report.result import Result

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class DataResult(Result):
    """The summary and findings of `tk data`; a summary is None if the data cannot be read, which is a finding."""

    experiment: str
    training: FileSummary | None
    test: FileSummary | None
    classes: list[ClassShare]
    findings: list[DataFinding]
    file: str
    samples: str

    @property
    def exit_code(self) -> int:
        """0, or that of `DataError` if there are errors."""
        return DataError.exit_code if errors_of(self.findings) else 0

    def tables(self) -> list[Table]:
        """Files, classes and findings."""
        tables = []
        shown = [(name, part) for name, part in (("training", self.training), ("test", self.test)) if part is not None]
        if shown:
            cells = [dict(part.rows()) for _, part in shown]
            rows = [(key, *(part.get(key, "") for part in cells)) for key in cells[0]]
            tables.append(Table(f"{self.experiment}: data", ("", *(name for name, _ in shown)), rows))
        if self.classes:
            lines = [share.row() for share in self.classes]
            columns = ("class", "pixel values", "pixels", "images", "of all images")
            tables.append(Table(f"{self.experiment}: classes", columns, lines))
        told = [(one.level, one.check, one.in_one_line(with_advice=True)) for one in self.findings]
        if told:
            tables.append(Table(f"{self.experiment}: findings", ("", "check", "finding"), told))
        return tables

    def next_steps(self) -> list[str]:
        """The files and the next command."""
        lines = [f"all ids of each finding: {self.file}"]
        if self.samples:
            lines.append(f"pictures: {self.samples}")
        if not self.findings:
            lines.append("no problems were found in the data")
        if errors_of(self.findings):
            return [*lines, f"next: fix the errors, then run tk data {self.experiment} again"]
        return [*lines, f"next: tk fit {self.experiment}"]


def examine_data(session: Session, name: str, *, overrides: Sequence[str] = ()) -> DataResult:
    """Examine all data of an experiment, and write data.json and a sheet of samples.

    Problems with data become findings; they are not raised.

    Raises:
        ConfigError: the configuration is not valid.
        MissingFileError: there is no such experiment.
    """
    experiment, progress = session.workspace.find(name), session.progress
    refuse_ensemble(experiment, "data of its own")
    loaded = load_as_run(session, experiment, overrides)
    config, placed = loaded.config, loaded.naming_places
    found = _Collected()
    labelled = found.trying("training data", placed()(lambda: find_labelled(config)))
    images = found.trying("test data", placed()(lambda: find_test_images(config.data, config.shape[2])))
    facts = () if labelled is None else _training(labelled, config, found, progress)
    shown = () if images is None else _test(images, config, found, progress)
    extra = found.trying("extra data", lambda: find_extra_images(config.data, config.task_classes, config.shape[2]))
    listening = _Listening(found, "values")
    found.trying("values", lambda: check_all_bit_depths(config, labelled, extra or (), images, listening))
    found.findings += _sides(config, [*facts, *shown])
    if labelled is not None:
        _extra(labelled, facts, extra or (), found=found, progress=progress)
        _duplicates(experiment, config, labelled, facts, test=shown, found=found)
    findings = by_level(found.findings)
    samples = _write_samples(experiment, config, labelled, facts, findings)
    result = DataResult(
        experiment.name,
        None if labelled is None else summary_of(facts, labelled.images, labelled.masks),
        None if images is None else summary_of(shown, images),
        [] if labelled is None else class_shares(facts, labelled.classes, labelled.masks),
        findings,
        str(experiment.data_findings),
        samples,
    )
    write_json(experiment.data_findings, asdict(result))
    return result


class _Collected:
    """Findings, including raised errors."""

    def __init__(self) -> None:
        self.findings: list[DataFinding] = []

    def trying(self, check: str, look: Callable[[], _Found]) -> _Found | None:
        """The result of `look`; None if it raises an error, which becomes a finding."""
        try:
            return look()
        except ToolkitError as error:
            message, *details = error.message.splitlines()
            self.findings.append(
                DataFinding("error", check, message, (), error.advice, tuple(line.strip() for line in details))
            )
            return None


def _training(
    labelled: LabelledImages, config: Config, found: _Collected, progress: Progress
) -> tuple[ImageFacts, ...]:
    facts = examine_labelled(labelled, progress, "examining training images")
    found.findings += training_findings(labelled, facts, folds_count=config.folds_count)
    found.findings += file_findings(facts, labelled.images, labelled.masks, pretrained=_is_pretrained(config))
    found.trying("weights", lambda: weights_of(config, labelled))
    return facts


def _test(images: Images, config: Config, found: _Collected, progress: Progress) -> tuple[ImageFacts, ...]:
    facts = examine_images(images, progress, "examining test images")
    told = [*test_findings(images, facts), *file_findings(facts, images, pretrained=_is_pretrained(config))]
    found.findings += [_of("test", finding) for finding in told]
    sample = config.data.sample_submission
    if sample is not None:
        listening = _Listening(found, "sample submission")
        found.trying(
            "sample submission", lambda: sample_layout_for(sample, images.ids, listening, config.data.table_format)
        )
    return facts


def _is_pretrained(config: Config) -> bool:
    """Whether the network starts from published or given weights, which want three channels."""
    return has_backbone(config.architecture) and config.encoder_weights is not None


def _sides(config: Config, facts: Sequence[ImageFacts]) -> Iterator[DataFinding]:
    """A note on sides that the network cannot take, unless images are cut to its shape, or the network is the user's.

    `facts` are those of training and test images.
    """
    options = parse_architecture(config.architecture, config.architecture_options, [config.architecture])
    if options is not None and config.patches is None and config.crops is None and config.tiles is None:
        yield from sides([one for one in facts if not one.problem], options.side_multiple)


def _of(part: str, finding: DataFinding) -> DataFinding:
    return replace(finding, check=f"{part}: {finding.check}")


class _Listening(Silent):
    """A progress that turns warnings into findings."""

    def __init__(self, found: _Collected, check: str) -> None:
        self._found, self._check = found, check

    def warn(self, message: str) -> None:
        self._found.findings.append(DataFinding("warning", self._check, message))


def _extra(
    labelled: LabelledImages,
    facts: Sequence[ImageFacts],
    extra: Sequence[LabelledImages],
    *,
    found: _Collected,
    progress: Progress,
) -> None:
    """Check extra images, which every fold trains on: they must be valid, and not held out by a fold."""
    checked = []
    for data in extra:
        further = examine_labelled(data, progress, "examining extra images")
        found.findings += [_of("extra", finding) for finding in training_findings(data, further, extra=True)]
        checked.append((data, _index(further)))
    if checked:
        found.trying("extra data", lambda: refuse_shared(labelled, _index(facts), checked))
    for data, index in checked:
        found.findings += like_extra(_index(facts).facts, index.facts, data.images.origin)


def _index(facts: Sequence[ImageFacts]) -> DataIndex:
    return DataIndex(tuple(one for one in facts if not one.problem))


def _duplicates(
    experiment: Experiment,
    config: Config,
    labelled: LabelledImages,
    facts: tuple[ImageFacts, ...],
    *,
    test: Sequence[ImageFacts],
    found: _Collected,
) -> None:
    """Find duplicates across folds, and split groups, by folds.csv or the folds that `tk fit` would draw."""
    kept = [one for one in facts if not one.problem]
    if not kept:
        return
    table = None
    if len(kept) == len(facts) and not errors_of(found.findings):
        dataset = Dataset(labelled, DataIndex(facts), (), None, {}, None)
        table = found.trying("folds", lambda: find_folds(experiment, config, dataset, Silent()))
    folds = None if table is None else table.folds
    if table is not None:
        found.findings += divided_neighbours(labelled.images, table)
    found.findings += duplicate_findings_of(kept, folds, [one for one in test if not one.problem])


def _write_samples(
    experiment: Experiment,
    config: Config,
    labelled: LabelledImages | None,
    facts: Sequence[ImageFacts],
    findings: Sequence[DataFinding],
) -> str:
    """Draw the sheet of samples; returns its path, or an empty text if no image can be shown."""
    usable = [one for one in facts if not one.problem]
    if labelled is None or not usable:
        return ""
    sheet = draw_samples(experiment.name, labelled, usable, findings, config.activation)
    write_png(experiment.data_samples, sheet)
    return str(experiment.data_samples)
