"""One export: the file is written, run by its own runtime, and refused if it predicts something else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.commands.scoring.recipe_choice import ChosenRecipe
from toolkit.commands.sharing.export_check import Compared, ImagesToCompare, compare_file
from toolkit.commands.sharing.export_description import description
from toolkit.commands.sharing.export_result import ExportResult
from toolkit.core.recipe.closeness import FLOAT16, FLOAT32, Limits
from toolkit.core.recipe.postprocess import describe
from toolkit.errors import ExportError, ToolkitError, counted
from toolkit.learning.predicting.exporting.registry import ExportFormat, converter_of
from toolkit.learning.predicting.exporting.weighted_networks import WeightedNetworks
from toolkit.messages import Progress

DESCRIPTION = "export.json"
"""The file in the folder of an export that says what the network takes and gives."""

_FEW = 4
"""Images that are compared at a second size, if the input may have any."""


@dataclass(frozen=True, eq=False)
class ExportJob:
    """One export.

    Attributes:
        name: what is exported, for messages.
        kind: the format.
        members: the networks.
        size: (height, width) of the input, if it is not that of prediction.
        any_size: whether the input may have any size.
        multiple: number that both sides are multiples of.
        half: whether weights are stored in float16.
        recipe: from probabilities to masks.
        images: on which the file is compared.
        progress: shows the work.
    """

    name: str
    kind: ExportFormat
    members: Sequence[WeightedNetworks]
    size: tuple[int, int] | None
    any_size: bool
    multiple: int
    half: bool
    recipe: ChosenRecipe
    images: ImagesToCompare
    progress: Progress

    @property
    def limits(self) -> Limits:
        """How far the file may be from the toolkit."""
        return FLOAT16 if self.half else FLOAT32

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the input, or of prediction if it may have any."""
        height, width, _ = self.members[0].networks.config.prediction_shape
        return self.size or (height, width)

    @property
    def networks(self) -> int:
        """The number of networks in the file."""
        return sum(member.networks.count for member in self.members)

    def describe(self) -> dict[str, Any]:
        """What the file takes and gives."""
        return description(
            self.members,
            self.kind,
            name=self.name,
            size=None if self.any_size else self.shape,
            multiple=self.multiple,
            half=self.half,
            recipe=self.recipe.recipe,
            recipe_source=self.recipe.source,
        )

    def write(self, file: Path, text: dict[str, Any]) -> None:
        """Write the file.

        Raises:
            ExportError: the format cannot hold the network.
            NetworkError, WeightsError: the networks cannot be built.
        """
        from toolkit.learning.predicting.exporting.exported_graph import build_graph, not_converted

        title = f"{self.name}: exporting {counted(self.networks, 'network')} to {self.kind.title}"
        with self.progress.task(title, self.networks + 1) as task:
            graph = build_graph(self.members, self.size, any_size=self.any_size, task=task, progress=self.progress)
            try:
                converter_of(self.kind).write(graph, file, text, half=self.half)
            except (ToolkitError, MemoryError, OSError):
                raise
            except Exception as error:  # the libraries raise anything
                raise not_converted(error, self.name, self.kind.title) from error
            task.advance()

    def compare(self, file: Path) -> Compared:
        """Run the file on images.

        Raises:
            ExportError: its runtime cannot run it, or it predicts something else.
            DataError: an image cannot be read.
        """
        from toolkit.learning.predicting.exporting.exported_graph import not_converted

        try:
            run = converter_of(self.kind).opened(file)
            compared = self._compared(run, self.size)
            if self.any_size:
                self._refuse_fixed(run)
        except (ToolkitError, MemoryError, OSError):
            raise
        except Exception as error:  # as above
            raise not_converted(error, self.name, self.kind.title) from error
        if not self.limits.hold(compared.largest, compared.changed):
            raise ExportError(
                f"the {self.kind.title} file of {self.name} does not predict what the toolkit predicts, so it was not "
                f"kept: {self._differences(compared)}",
                "Leave out --half, or try another format with --format."
                if self.half
                else "Try another format with --format.",
            )
        return compared

    def _refuse_fixed(self, run: Any) -> None:
        """Compare at a second size: layers that compute with the size of the training compute wrongly at others."""
        height, width = self.shape
        other = (height + self.multiple, width + 2 * self.multiple)
        try:
            compared = self._compared(run, other, at_most=_FEW)
        except (ToolkitError, MemoryError, OSError):
            raise
        except Exception as error:  # as above
            raise self._depends_on_size(other, "the file cannot be run") from error
        if not self.limits.hold(compared.largest, compared.changed):
            what = f"the file does not predict what the toolkit predicts ({self._differences(compared)})"
            raise self._depends_on_size(other, what)

    def _depends_on_size(self, other: tuple[int, int], what: str) -> ExportError:
        height, width = self.shape
        return ExportError(
            f"{self.members[0].networks.config.architecture} depends on the size of its input: with "
            f"{other[0]}×{other[1]} {what}",
            f"Export it for one size: --size {height}x{width}",
        )

    def _compared(self, run: Any, size: tuple[int, int] | None, **more: Any) -> Compared:
        return compare_file(
            run, self.members, self.images, size=size, recipe=self.recipe.recipe, progress=self.progress, **more
        )

    def _differences(self, found: Compared) -> str:
        return (
            f"on {counted(found.images, 'image')} the largest difference of a probability is {found.largest:.4g} (at "
            f"most {self.limits.largest:g}), and {100 * found.changed:.3g} % of the pixels change side (at most "
            f"{100 * self.limits.changed:g} %)"
        )

    def result(self, out: Path, kind: str, compared: Compared, size: int) -> ExportResult:
        """The result, for a folder `out` and the name of the format; `size` is that of the files in bytes."""
        first = self.members[0].networks.config
        sides = ("height", "width") if self.any_size else map(str, self.shape)
        batch = "batch" if self.kind.takes_any_batch else "1"
        return ExportResult(
            experiment=self.name,
            format=kind,
            title=self.kind.title,
            file=str(out / self.kind.file),
            description=str(out / DESCRIPTION),
            bytes=size,
            networks=self.networks,
            weights="float16" if self.half else "float32",
            input=f"uint8 ({', '.join((batch, *sides, str(first.shape[2])))})",
            images=compared.images,
            unseen=compared.unseen,
            largest=compared.largest,
            changed=compared.changed,
            limits=self.limits,
            recipe=describe(self.recipe.recipe, first.task_classes.names, first.activation),
            metric=compared.metric,
            toolkit_score=compared.toolkit_score,
            file_score=compared.file_score,
        )
