"""Units of work that predict labelled images on other machines, each into a store of its own; labels are not sent.

These stores are in the folder of the experiment, where units may write.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toolkit.cluster.units import Machines, Unit
from toolkit.commands.predicting.forecaster import Failure, Forecaster
from toolkit.commands.predicting.shards.unit_inputs import (
    COMPARED,
    FilesGiven,
    NetworksGiven,
    divided_images,
    find_files,
    find_networks,
)
from toolkit.errors import StorageError, counted
from toolkit.files.data.sources import Images
from toolkit.files.disk.digests import digest
from toolkit.files.experiment.fitted import Fitted, first_networks
from toolkit.files.experiment.members import Member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.predictions.store import ProbabilityStore, ProbabilityWriter, is_made
from toolkit.messages import Progress

_ENGINES = "engines"


@dataclass(frozen=True, eq=False)
class MapsMade:
    """Stores of maps, at the size at which masks are scored, by the ids of the images that other machines predicted."""

    stores: Mapping[str, ProbabilityStore]

    @property
    def engines(self) -> frozenset[str]:
        """What computed these maps."""
        return frozenset(name for store in self.stores.values() for name in store.made_from[_ENGINES])


@contextmanager
def maps_made_on(
    machines: Machines | None, member: Member, fitted: Fitted, images: Images, progress: Progress
) -> Iterator[MapsMade]:
    """Let machines, if there are any, predict images; what they cannot predict is missing.

    The stores are there while the block runs. They are deleted when it succeeds, and found again after a failure.

    Args:
        machines: run the units.
        member: what predicts.
        fitted: its networks.
        images: files.
        progress: shows the work.

    Raises:
        ClusterError: some units could not be finished; the maps of the others are kept.
        LockedError: another run works on the experiment.
    """
    if machines is None:
        yield MapsMade({})
        return
    experiment, key = member.experiment, _key(member, fitted, images)
    folder = experiment.image_shards(key)
    with experiment.locked(with_tasks=True):
        made = _found(folder, images.ids)
        missing = [image_id for image_id in images.ids if image_id not in made]
        units = _units(missing, member, fitted, images, key)
        if units:
            machines.run(experiment, units, first_networks(fitted).config.task_resources, progress)
        yield MapsMade(_found(folder, images.ids))
        experiment.forget_image_shards(key)


def predict_maps(workspace: Workspace, progress: Progress, arguments: Mapping[str, Any]) -> None:
    """Predict some of the images into a store; those that cannot be read are left to whoever asked.

    Raises:
        ToolkitError: no image can be predicted, or the store cannot be written.
    """
    names = arguments["names"]
    # This task advances when the store is whole: until then there is nothing to send.
    with progress.task(f"predicting {counted(len(names), 'image')}", len(names)) as task:
        member, fitted = find_networks(workspace, arguments)
        folder = member.experiment.image_shards(arguments["key"]) / digest(repr(names).encode())[:16]
        if _opened(folder) is None:
            config = first_networks(fitted).config
            images = find_files(workspace, arguments["files"]).images(first_networks(fitted))
            forecaster = Forecaster(fitted, progress, spill=folder.parent)
            forecaster.choose_engine(images, arguments["compared"])
            made_from = {_ENGINES: sorted(forecaster.engines)}
            with ProbabilityWriter(folder, fitted.stored_type, made_from) as writer:
                for found in forecaster.forecasts(images, names, member.name):
                    if not isinstance(found, Failure):
                        height = found.shape[0] if config.scored_size is None else config.scored_size[0]
                        for part in found.parts(config.scored_size):
                            writer.append_rows(found.image_id, height, part, found.presence)
        task.advance(len(names))


def _units(missing: Sequence[str], member: Member, fitted: Fitted, images: Images, key: str) -> list[Unit]:
    """A unit for each part of the images that no store has."""
    files, compared = FilesGiven.of(images), list(images.ids[:COMPARED])
    arguments = NetworksGiven(engine=member.experiment.engine).plain(member) | {"compared": compared, "key": key}
    return [
        Unit(
            f"evaluate · {first}-{first + len(some) - 1}",
            predict_maps,
            arguments | {"names": some, "files": files.plain([*compared, *some], member.experiment)},
            len(some),
            files=files.paths([*compared, *some]),
            key=key,
        )
        for first, some in divided_images(missing, images, fitted)
    ]


def _key(member: Member, fitted: Fitted, images: Images) -> str:
    """What tells the maps from others: networks, the engine that was asked for, the size that is scored, and images."""
    contents = [(image_id, digest(images.content(image_id))) for image_id in images.ids]
    size = first_networks(fitted).config.scored_size
    made_from = (version("segmentation-toolkit"), fitted.made_from(), member.experiment.engine, size, contents)
    return digest(repr(made_from).encode())[:16]


def _found(folder: Path, ids: Sequence[str]) -> dict[str, ProbabilityStore]:
    """The whole stores in a folder by the ids of their images."""
    places = sorted(folder.glob("[!.]*"))
    stores = [store for store in map(_opened, places) if store is not None]
    there = {image_id: store for store in stores for image_id in store.ids}
    return {image_id: there[image_id] for image_id in ids if image_id in there}


def _opened(folder: Path) -> ProbabilityStore | None:
    """The store in a folder; None if it is missing, unfinished or damaged."""
    try:
        return ProbabilityStore(folder) if is_made(folder) else None
    except StorageError:  # as if the machine had been switched off before it wrote it
        return None
