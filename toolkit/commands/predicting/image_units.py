"""Units of work that predict new images on other machines, each into a folder of its own, from where files are copied.

These folders are in that of the experiment, where units may write.
"""

import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.cluster.units import Machines, Unit
from toolkit.commands.predicting.prediction_job import Missing, PredictionJob
from toolkit.config.training.execution import EngineChoice
from toolkit.config.yaml.file_paths import regular
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views
from toolkit.core.recipe.postprocess import recipe_from_plain, recipe_to_plain
from toolkit.errors import DataError, counted
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import Inputs, find_inputs, images_of
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.fitted import Fitted, find_fitted, first_networks
from toolkit.files.experiment.members import find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.messages import Progress

_COMPARED = 8
"""Images by which engines are compared, the same for all units."""
_GROUP = 4
"""Units end between groups of images that are predicted at once."""


@dataclass(frozen=True)
class ImagesGiven:
    """Where a worker finds the images: paths as `inside` gives them, as for `find_inputs`."""

    paths: tuple[str, ...]
    recursive: bool
    leave_out: str


@dataclass(frozen=True)
class NetworksGiven:
    """Which networks of a member predict, as for `find_fitted`, and which engine was asked for."""

    folds: Sequence[int] | None
    stage: int | None
    views: str | None
    engine: EngineChoice | None


def inside(path: Path, root: Path) -> str:
    """A path relative to the working folder if it is inside, because other machines may see that elsewhere."""
    place, top = (Path(os.path.abspath(one)) for one in (path, root))  # noqa: PTH100 # links stay as they are
    return place.relative_to(top).as_posix() if place.is_relative_to(top) else place.as_posix()


def predict_images_on(
    machines: Machines,
    job: PredictionJob,
    missing: Missing,
    *,
    inputs: Inputs,
    images: Images,
    given: ImagesGiven,
    networks: NetworksGiven,
    progress: Progress,
) -> None:
    """Let machines make the missing files of a job; those that they cannot make are still missing afterwards.

    Raises:
        ClusterError: some units could not be finished; the files of the others are kept.
        LockedError: another run works on the experiment.
    """
    experiment, key = job.member.experiment, digest(repr((job.identity, given)).encode())[:16]
    folder = experiment.image_shards(key)
    with experiment.locked(with_tasks=True):
        left = _copied(job, folder, missing)
        names = list(left)
        arguments = {
            "part": list(job.member.part.words),
            "folds": None if networks.folds is None else list(networks.folds),
            "stage": networks.stage,
            "views": networks.views,
            "engine": networks.engine,
            "formats": list(job.formats),
            "recipe": None if job.rule is None else recipe_to_plain(job.rule),
            "paths": list(given.paths),
            "recursive": given.recursive,
            "leave_out": given.leave_out,
            "compared": names[:_COMPARED],
            "key": key,
        }
        units = [
            Unit(
                f"predict · {first}-{first + len(some) - 1}",
                predict_part,
                arguments | {"names": some},
                len(some),
                files=tuple(str(path) for name in some for path in inputs.files(name)),
            )
            for first, some in _divided(names, images, job.fitted)
        ]
        try:
            if units:
                resources = first_networks(job.fitted).config.task_resources
                machines.run(experiment, units, resources, progress)
        finally:
            _copied(job, folder, left)
        experiment.forget_image_shards(key)


def predict_part(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Predict some of the images; those that cannot be read are left to whoever asked.

    Raises:
        ToolkitError: no image can be predicted, or files cannot be written.
    """
    names = arguments["names"]
    # This task advances when all files are whole: until then there is nothing to send.
    with progress.task(f"predicting {counted(len(names), 'image')}", len(names)) as task:
        workspace = replace(workspace, engine=arguments["engine"])
        member = find_member(workspace, ":".join((arguments["experiment"], *arguments["part"])))
        chosen = {key: arguments[key] for key in ("folds", "stage", "views")}
        fitted = find_fitted(member, **chosen)
        inputs = find_inputs(
            [workspace.root / path for path in arguments["paths"]],
            recursive=arguments["recursive"],
            leave_out=workspace.root / arguments["leave_out"],
        )
        images = images_of(inputs, first_networks(fitted))
        recipe = None if arguments["recipe"] is None else recipe_from_plain(arguments["recipe"])
        folder = PredictionFolder(member.experiment.image_shards(arguments["key"]) / digest(repr(names).encode())[:16])
        job = PredictionJob(folder, member, fitted, rule=recipe, formats=arguments["formats"], progress=progress)
        with folder.locked():
            job.forecaster.choose_engine(images, arguments["compared"])
            job.run(inputs.only(names), images)
        task.advance(len(names))


def _copied(job: PredictionJob, parts: Path, missing: Missing) -> dict[str, Mapping[str, str]]:
    """Copy what units have made to the folder of the job; returns what is still missing."""
    wanted = {path: key for keys in missing.values() for path, key in keys.items()}
    for place in sorted(parts.iterdir()) if parts.is_dir() else ():
        part = PredictionFolder(place)
        for path in part.finished():
            key = wanted.get(path, "")
            if part.has(path, key) and not job.folder.has(path, key):
                with regular(place / path).open("rb") as source, job.folder.replacing(path, key) as target:
                    shutil.copyfileobj(source, target)
    job.folder.save()
    return {name: keys for name, keys in missing.items() if not all(map(job.folder.has, keys, keys.values()))}


def _divided(names: Sequence[str], images: Images, fitted: Fitted) -> Iterable[tuple[int, list[str]]]:
    """The images of each unit, with the number of the first."""
    from toolkit.learning.predicting.shard_plan import PIXELS_OF_SHARD, divided

    pixels = 0.0
    for networks in fitted.leaves():
        height, width, _ = networks.config.prediction_shape
        of_image = height * width
        if networks.config.tiling != UNTILED:
            of_image = max(of_image, sum(_pixels(images, name) for name in names) // max(1, len(names)))
        pixels += of_image * networks.count * sum(view.scale**2 for view in parse_views(networks.views))
    for first, count in divided([1] * len(names), PIXELS_OF_SHARD / pixels, _GROUP):
        yield first, list(names[first : first + count])


def _pixels(images: Images, name: str) -> int:
    try:
        return math.prod(images.size(name))
    except DataError:  # reported when it is read
        return 0
