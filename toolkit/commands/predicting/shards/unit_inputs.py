"""What units of work that predict new images are given, as plain values: image files and networks."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.config.training.execution import EngineChoice
from toolkit.core.images.tiles import UNTILED
from toolkit.core.images.views import parse_views
from toolkit.errors import DataError
from toolkit.files.data.sources import Images
from toolkit.files.datasets.images_to_predict import files_of_slices, from_files_of_slices, read_as
from toolkit.files.experiment.fitted import Fitted, Networks, find_fitted
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.members import Member, find_member
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.image_files import ImageFiles, StackedImages
from toolkit.files.images.neighbouring_slices import NeighbouringSlices

COMPARED = 8
"""Images by which engines are compared, the same for all units."""
_GROUP = 4
"""Units end between groups of images that are predicted at once."""


@dataclass(frozen=True)
class NetworksGiven:
    """Which networks of a member predict, as for `find_fitted`, and which engine was asked for."""

    folds: Sequence[int] | None = None
    stage: int | None = None
    views: str | None = None
    engine: EngineChoice | None = None

    def plain(self, member: Member) -> dict[str, Any]:
        """The networks of a member as arguments of a unit."""
        return {
            "part": list(member.part.words),
            "folds": None if self.folds is None else list(self.folds),
            "stage": self.stage,
            "views": self.views,
            "engine": self.engine,
        }


def find_networks(workspace: Workspace, arguments: Mapping[str, Any]) -> tuple[Member, Fitted]:
    """The member that the arguments of a unit name, and its networks; raises as `find_fitted`."""
    workspace = replace(workspace, engine=arguments["engine"])
    member = find_member(workspace, ":".join((arguments["experiment"], *arguments["part"])))
    return member, find_fitted(member, **{key: arguments[key] for key in ("folds", "stage", "views")})


@dataclass(frozen=True)
class FilesGiven:
    """Image files by id, a mapping for each folder that holds channels of the images, then those of their neighbours.

    Each unit is told the files of its images: it does not list folders, of which it may have only these files.
    """

    folders: tuple[Mapping[str, Path], ...]

    @classmethod
    def of(cls, images: Images) -> "FilesGiven":
        """The files of images; raises TypeError if they are not files."""
        if isinstance(images, NeighbouringSlices):
            own = (folder.paths for folder in images.folders)
            return cls((*own, *files_of_slices(images)))
        if isinstance(images, StackedImages):
            return cls(tuple(folder.paths for folder in images.folders))
        if isinstance(images, ImageFiles):
            return cls((images.paths,))
        raise TypeError(f"the images of {images.origin} are not files")

    def paths(self, ids: Iterable[str]) -> tuple[str, ...]:
        """The paths of all files of some images."""
        return tuple(str(folder[image_id]) for image_id in dict.fromkeys(ids) for folder in self.folders)

    def plain(self, ids: Iterable[str], experiment: Experiment) -> list[dict[str, str]]:
        """The files of some images as an argument of a unit of an experiment, in whose working folder it runs."""
        root = experiment.folder.resolve().parents[1]
        return [{image_id: inside(folder[image_id], root) for image_id in ids} for folder in self.folders]

    def images(self, networks: Networks) -> Images:
        """The images, read as networks expect them."""
        spec = networks.config.data.neighbours
        if spec is not None:
            own = len(self.folders) // (len(spec.offsets) + 1)
            return from_files_of_slices(networks, self.folders[own:])
        return read_as(networks, [(f"folder {number}", paths) for number, paths in enumerate(self.folders)])


def find_files(workspace: Workspace, plain: Sequence[Mapping[str, str]]) -> FilesGiven:
    """The files that an argument of a unit names."""
    return FilesGiven(tuple({name: workspace.root / path for name, path in folder.items()} for folder in plain))


def inside(path: Path, root: Path) -> str:
    """A path relative to the working folder if it is inside, because other machines may see that elsewhere."""
    place, top = (Path(os.path.abspath(one)) for one in (path, root))  # noqa: PTH100 # links stay as they are
    return place.relative_to(top).as_posix() if place.is_relative_to(top) else place.as_posix()


def divided_images(names: Sequence[str], images: Images, fitted: Fitted) -> Iterable[tuple[int, list[str]]]:
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
