"""Units of work that predict new images on other machines, each into a folder of its own, from where files are copied.

These folders are in that of the experiment, where units may write.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.cluster.units import Machines, Unit
from toolkit.commands.predicting.shards.prediction_job import Missing, PredictionJob
from toolkit.commands.predicting.shards.unit_inputs import (
    COMPARED,
    FilesGiven,
    NetworksGiven,
    divided_images,
    find_files,
    find_networks,
)
from toolkit.config.yaml.file_paths import regular
from toolkit.core.recipe.postprocess import recipe_from_plain, recipe_to_plain
from toolkit.errors import counted
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import Inputs
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.fitted import first_networks
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.output_folder import PredictionFolder
from toolkit.messages import Progress


def predict_images_on(
    machines: Machines,
    job: PredictionJob,
    missing: Missing,
    *,
    images: Images,
    networks: NetworksGiven,
    progress: Progress,
) -> None:
    """Let machines make the missing files of a job; those that they cannot make are still missing afterwards.

    Raises:
        ClusterError: some units could not be finished; the files of the others are kept.
        LockedError: another run works on the experiment.
    """
    files = FilesGiven.of(images)
    experiment = job.member.experiment
    key = digest(repr((job.identity, files.plain(images.ids, experiment))).encode())[:16]
    folder = experiment.image_shards(key)
    with experiment.locked(with_tasks=True):
        left = _copied(job, folder, missing)
        names = list(left)
        compared = names[:COMPARED]
        arguments = networks.plain(job.member) | {
            "formats": list(job.formats),
            "recipe": None if job.rule is None else recipe_to_plain(job.rule),
            "compared": compared,
            "key": key,
        }
        units = [
            Unit(
                f"predict · {first}-{first + len(some) - 1}",
                predict_part,
                arguments | {"names": some, "files": files.plain([*compared, *some], experiment)},
                len(some),
                files=files.paths([*compared, *some]),
                key=key,
            )
            for first, some in divided_images(names, images, job.fitted)
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
        member, fitted = find_networks(workspace, arguments)
        files = find_files(workspace, arguments["files"])
        images = files.images(first_networks(fitted))
        first, *others = (Inputs(workspace.root, paths, {}, ()).only(names) for paths in files.folders)
        recipe = None if arguments["recipe"] is None else recipe_from_plain(arguments["recipe"])
        folder = PredictionFolder(member.experiment.image_shards(arguments["key"]) / digest(repr(names).encode())[:16])
        job = PredictionJob(folder, member, fitted, rule=recipe, formats=arguments["formats"], progress=progress)
        with folder.locked():
            job.forecaster.choose_engine(images, arguments["compared"])
            job.make(replace(first, beside=tuple(others)), images)
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
