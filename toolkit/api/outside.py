"""Trained networks for other machines and programs: `tk bundle`, `tk export` and `tk submit --images` from Python."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from toolkit.api.arguments import Shown
from toolkit.api.error_words import in_python
from toolkit.api.named import AnyPath, Named, name_of, session_for
from toolkit.api.paths import as_path, as_paths
from toolkit.commands.session import Session
from toolkit.commands.sharing.bundle import BundleOptions
from toolkit.commands.sharing.bundle import bundle as bundle_command
from toolkit.commands.sharing.bundle_result import BundleResult
from toolkit.commands.sharing.export import ExportOptions
from toolkit.commands.sharing.export import export as export_command
from toolkit.commands.sharing.export_result import ExportResult
from toolkit.commands.submitting.submit import SubmitOptions
from toolkit.commands.submitting.submit_images import ImagesSubmission, TestFolder
from toolkit.commands.submitting.submit_images import submit_images as submit_images_command
from toolkit.config.training.execution import parse_engine


@in_python
def bundle(
    experiments: Sequence[Named],
    *,
    out: AnyPath = Path("bundle"),
    wheels: str | None = None,
    threshold: float | None = None,
    minutes: float = 480.0,
    kaggle_user: str | None = None,
    kaggle_competition: str | None = None,
    progress: Shown = None,
) -> BundleResult:
    """Write a folder that predicts test images on a machine without a network, as `tk bundle` does."""
    options = BundleOptions(Path(out), wheels, threshold, minutes, kaggle_user, kaggle_competition)
    names = [name_of(one) for one in experiments]
    return bundle_command(session_for(progress, *experiments), names, options=options)


@in_python
def export(
    experiment: Named,
    to: str,
    *,
    half: bool = False,
    fold: int | None = None,
    ensemble: bool = False,
    average: bool = False,
    stage: int | None = None,
    size: str | tuple[int, int] | None = None,
    out: AnyPath | None = None,
    force: bool = False,
    progress: Shown = None,
) -> ExportResult:
    """Write trained networks as a file for other programs, as `tk export` does.

    `to` is `savedmodel`, `onnx`, `openvino` or `tflite`. `size` is (height, width), `HEIGHTxWIDTH` or `dynamic`.
    """
    text = "x".join(map(str, size)) if isinstance(size, tuple) else size
    options = ExportOptions(half, fold, average, ensemble, stage, text, as_path(out), force)
    return export_command(session_for(progress, experiment), name_of(experiment), to, options=options)


@in_python
def submit_images(
    experiment: Named | None,
    images: AnyPath | Sequence[AnyPath],
    out: AnyPath,
    *,
    sample: AnyPath | None = None,
    threshold: float | None = None,
    min_area: int | None = None,
    minutes: float | None = None,
    engine: str | None = None,
    progress: Shown = None,
) -> ImagesSubmission:
    """Predict the images of a folder and write their submission to the file `out`, as `tk submit --images` does.

    `images` are several folders if the channels of images are in several.
    """
    session = session_for(progress, experiment)
    chosen = parse_engine(engine) or session.workspace.engine
    return submit_images_command(
        Session(replace(session.workspace, engine=chosen), session.progress),
        name_of(experiment),
        TestFolder(as_paths(images), Path(out), as_path(sample), minutes),
        options=SubmitOptions(threshold, min_area),
    )
