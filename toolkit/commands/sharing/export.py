"""`tk export`: trained networks as a file for other programs, which is run and compared before it gets its name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.commands.scoring.recipe_choice import ChosenRecipe, choose_recipe
from toolkit.commands.session import Session
from toolkit.commands.sharing.export_check import images_to_compare
from toolkit.commands.sharing.export_job import DESCRIPTION, ExportJob
from toolkit.commands.sharing.export_result import ExportResult
from toolkit.config.training.networks import check_shape, parse_architecture
from toolkit.errors import ChangedError, ConfigError, out_of_range
from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.json_files import write_json
from toolkit.files.disk.locks import locked
from toolkit.files.disk.writing import new_folder
from toolkit.files.experiment.fitted import Fitted, Networks, find_fitted, first_networks
from toolkit.files.experiment.members import Member, find_member, members_of, refuse_ensemble
from toolkit.files.experiment.resolved import config_of, read_resolved
from toolkit.files.experiment.trained import tell_untrained
from toolkit.learning.plugins import Plugins
from toolkit.learning.predicting.exporting.registry import ExportFormat, parse_format
from toolkit.learning.predicting.exporting.weighted_networks import weighted_networks
from toolkit.messages import Progress

_ANY_SIZE = "dynamic"


@dataclass(frozen=True)
class ExportOptions:
    """Which networks are exported, and how.

    `half` stores weights in float16. `fold` is the only fold; `ensemble` takes the mean of all. `average` is refused,
    with the reason. `stage` is the stage whose best weights are taken, by default the last. `size` is `HEIGHTxWIDTH` or
    `dynamic`; by default the size of prediction. `out` is the folder to write; `force` replaces an earlier export.
    """

    half: bool = False
    fold: int | None = None
    average: bool = False
    ensemble: bool = False
    stage: int | None = None
    size: str | None = None
    out: Path | None = None
    force: bool = False


def export(session: Session, name: str, kind: str, *, options: ExportOptions = ExportOptions()) -> ExportResult:
    """Write the networks of an experiment or ensemble as one file of another program.

    Its input are images `uint8 (batch, height, width, channels)`, its output probabilities; see `docs/exporting.md`.
    The file is run by its own runtime on labelled images, and gets its name only if it predicts what the toolkit does.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path of an experiment, an ensemble or a part of an experiment.
        kind: a name in `EXPORT_FORMATS`.
        options: which networks, and how they are written.

    Raises:
        ConfigError: an option is not valid, or the networks cannot be one file.
        NotReadyError: weights are missing.
        MissingFileError, DataError, FoldsError: the labelled images of the experiment are not there.
        ChangedError: the folder exists.
        ExportError: the format cannot hold the network, or its file predicts something else.
    """
    progress = session.progress
    of_kind = _format(kind, options)
    member = find_member(session.workspace, name)
    fitted = _chosen(member, options, progress)
    members = weighted_networks(fitted)
    first = members[0].networks
    size, multiple = _size(first, options.size)
    out = options.out or session.workspace.root / "exports" / _name(member, kind, options)
    session.workspace.refuse_inside_experiment(out)
    _refuse_existing(out, options)
    recipe = _recipe(member, fitted, progress)
    found = images_to_compare(members)
    any_size = options.size == _ANY_SIZE
    job = ExportJob(member.name, of_kind, members, size, any_size, multiple, options.half, recipe, found, progress)
    with _locked(out), new_folder(out) as folder:
        text = job.describe()
        file = folder / of_kind.file
        job.write(file, text)
        compared = job.compare(file)
        write_json(folder / DESCRIPTION, text | {"compared": asdict(compared)})
        written = [path for path in folder.rglob("*") if path.is_file() and path.name != DESCRIPTION]
        return job.result(out, kind, compared, sum(path.stat().st_size for path in written))


def _format(name: str, options: ExportOptions) -> ExportFormat:
    kind = parse_format(name)
    if options.half and not kind.takes_half:
        raise ConfigError(
            f"--half: a {kind.title} computes with the types that its weights have, and float16 is not safe there",
            "Leave out --half, or choose onnx, openvino or tflite.",
        )
    if options.size == _ANY_SIZE and not kind.takes_any_size:
        raise ConfigError(
            f"--size dynamic: {kind.title} plans its memory for one size",
            "Give a size, for example --size 256x256, or leave the option out; one export for each size.",
        )
    return kind


def _chosen(member: Member, options: ExportOptions, progress: Progress) -> Fitted:
    """The networks that the options name, without further views."""
    if options.average:
        raise ConfigError(
            "--average: the mean of the weights of folds is another network than the mean of their predictions. The "
            "folds were trained apart, so it predicts badly whatever its batch statistics are, and there is no image "
            "that none of them has seen to find that out",
            "Export the mean of the predictions (--ensemble) or one fold (--fold N). Weights of one fold are averaged "
            "in training: weight_averaging in config.yaml, see docs/schedules.md.",
        )
    if options.ensemble and options.fold is not None:
        raise ConfigError("--fold and --ensemble contradict each other", "Give one of them.")
    if options.fold is not None:
        _check_fold(member, options.fold)
    folds = None if options.fold is None else [options.fold]
    fitted = find_fitted(member, folds=folds, stage=options.stage, views="none")
    if not isinstance(fitted, Networks):
        views = members_of(member.experiment)[1].views
        if views != "none":
            progress.warn(f"{member.name} predicts with the views {views}, which are not in the exported file")
        return fitted
    if len(fitted.folds) > 1 and not options.ensemble:
        raise ConfigError(
            f"{member.name} has {len(fitted.folds)} trained folds, whose mean tk predict computes",
            f"Export that mean as one file, which computes {len(fitted.folds)} networks: --ensemble\n"
            "Or a single network: --fold N",
        )
    if options.ensemble and not member.is_part:
        tell_untrained(member.experiment, read_resolved(member.experiment).config, progress, "prediction")
    return fitted


def _check_fold(member: Member, fold: int) -> None:
    refuse_ensemble(member.experiment, "folds", "--fold: ")
    if member.part.fold is not None:
        raise ConfigError(f"--fold: {member.name} already names a fold", "Remove --fold.")
    count = config_of(member.experiment, read_resolved(member.experiment)).folds_count
    if not 0 <= fold < count:
        raise ConfigError(f"--fold: {member.experiment.name}: {out_of_range('fold', fold, count)}")


def _size(networks: Networks, text: str | None) -> tuple[tuple[int, int] | None, int]:
    """(height, width) of the input if the option names one, and the number that both sides are multiples of."""
    from toolkit.learning.predicting.view_sizes import side_multiple

    config, plugins = networks.config, Plugins.of(networks.experiment)
    multiple = side_multiple(config, plugins)
    if text is None or text == _ANY_SIZE:
        return None, multiple
    sides = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text)
    if sides is None or not int(sides[1]) or not int(sides[2]):
        raise ConfigError(f"--size: expected HEIGHTxWIDTH, for example 256x320, or dynamic; received {text!r}")
    size = (int(sides[1]), int(sides[2]))
    options = parse_architecture(config.architecture, config.architecture_options, plugins)
    try:
        check_shape(config.architecture, options, (*size, config.shape[2]))
    except ValueError as error:
        raise ConfigError(f"--size: {error}") from error
    return size, multiple


def _name(member: Member, kind: str, options: ExportOptions) -> str:
    """The name of the folder, which says what is in it."""
    fold = "" if options.fold is None else f"-fold{options.fold}"
    stage = "" if options.stage is None else f"-stage{options.stage}"
    size = "" if options.size is None else f"-{options.size.replace('×', 'x')}"
    return f"{member.name.replace(':', '.')}{fold}{stage}-{kind}{'-half' if options.half else ''}{size}"


def _refuse_existing(out: Path, options: ExportOptions) -> None:
    if not out.exists():
        return
    if not (out / DESCRIPTION).is_file():
        raise ChangedError(f"--out: {out} exists and is no export, so it is not replaced", "Choose another name.")
    if not options.force:
        raise ChangedError(
            f"{out} exists already and is not replaced", "Replace it with --force, or choose another name with --out."
        )


def _recipe(member: Member, fitted: Fitted, progress: Progress) -> ChosenRecipe:
    """The recipe of the description, and of the comparison."""
    classes = first_networks(fitted).config.task_classes
    try:
        return choose_recipe(member.experiment, classes, None, None, of_mean=fitted.is_mean_of_folds, progress=progress)
    except ChangedError as error:
        raise ChangedError(error.message, f"Run: tk tune {member.experiment.name}") from error


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Keep two runs off the folder of exports."""
    make_folder(out.parent)
    with locked(out.parent / ".exporting"):
        yield
