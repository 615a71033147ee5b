"""The masks of a submission: its classes, their masks by the recipe, their run-length encodings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from toolkit.config.data.classes import submitted_classes
from toolkit.config.data.competitions import PLAIN, Competition
from toolkit.core.arrays import Planes, Presence
from toolkit.core.images.resizing import scale_mask
from toolkit.core.masks.labels import Activation, Classes
from toolkit.core.metrics.registry import ScoringRules
from toolkit.core.recipe.coverage import Coverage, coverage
from toolkit.core.recipe.postprocess import Step, masks_of, objects_of
from toolkit.core.recipe.probabilities import Stored
from toolkit.core.recipe.recipe import Recipe
from toolkit.errors import SubmissionError
from toolkit.files.predictions.store import ProbabilityStore
from toolkit.files.submissions.expectations import RowKey, mask_digest
from toolkit.files.submissions.layout import encode_image, encode_objects
from toolkit.messages import Progress


class StoredMaps(Protocol):
    """Maps in the type of a store, which are read in the order of `ids`, each once: see `ProbabilityStore`."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the images."""

    def size(self, image_id: str) -> tuple[int, int]:
        """(height, width) of a map that was read."""

    def read(self, image_id: str) -> Stored:
        """A map, `uint8` 0–255 or `float16` 0–1, (height, width, classes)."""

    def presence(self, image_id: str) -> Presence | None:
        """What the presence head says of an image whose map was read, `float32 (classes,)`; None without one."""


@dataclass(frozen=True)
class Chosen:
    """The numbers of the submitted classes, in the order of the competition."""

    numbers: tuple[int, ...]
    competition: Competition


@dataclass(frozen=True)
class Maker:
    """Turns stored predictions into the masks of a submission."""

    recipe: Recipe
    activation: Activation
    chosen: Chosen
    plugins: Mapping[str, Step] = field(default_factory=dict)

    def planes(self, store: StoredMaps, image_id: str) -> Planes:
        """The masks of one image, `bool (height, width, chosen classes)`, at the size of its map."""
        stored, presence = store.read(image_id), store.presence(image_id)
        masks = masks_of(stored, self.activation, self.recipe, presence, self.plugins)
        return masks[..., list(self.chosen.numbers)]


@dataclass(frozen=True)
class EncodedMasks:
    """The masks of all test images: run-length encodings by image, digests by row, and the coverage of each class."""

    runs: Mapping[str, Sequence[str]]
    digests: Mapping[RowKey, str]
    coverages: list[Coverage]


def chosen_classes(
    name: str, classes: Classes, rules: ScoringRules, competition: Competition, progress: Progress
) -> Chosen:
    """The classes that are submitted; the background never is.

    Raises:
        SubmissionError: the experiment does not predict the classes of the competition.
    """
    submitted = submitted_classes(competition, classes)
    if submitted is not None and len(submitted) == max(1, len(competition.classes)):
        return Chosen(submitted, competition)
    names, benchmark = classes.names, rules.benchmark
    foreground = names[1:] if classes.activation == "softmax" else names
    if competition.classes:
        raise SubmissionError(
            f"{competition.name} expects the classes {', '.join(competition.classes)}, but {name} "
            f"predicts {', '.join(foreground)}",
            "Name the classes in config.yaml as the competition does.",
        )
    if benchmark is None:
        raise SubmissionError(
            f"{name} predicts {len(foreground)} classes ({', '.join(foreground)}), but {_form(competition)} has "
            "a single mask for each image",
            f"For a row for each class, set data.competition in config.yaml of {name}: a name (severstal, clouds, …) "
            "or a YAML file with `rows: class`, the classes and the columns; see docs/multi-class.md. For one of the "
            "classes alone, set benchmark_class.",
        )
    progress.say(f"submitting {names[benchmark]}, the benchmark_class of {name}")
    return Chosen((benchmark,), competition)


def _form(competition: Competition) -> str:
    return "without data.competition a submission" if competition is PLAIN else f"a submission of {competition.name}"


def encode_masks(store: StoredMaps, maker: Maker, progress: Progress) -> EncodedMasks:
    """Make and encode the masks of all test images."""
    competition, numbers = maker.chosen.competition, maker.chosen.numbers
    runs: dict[str, Sequence[str]] = {}
    digests: dict[RowKey, str] = {}
    shares: list[list[float]] = [[] for _ in numbers]
    with progress.task("encoding masks", len(store.ids)) as task:
        for image_id in store.ids:
            planes = maker.planes(store, image_id)
            _measure(planes, shares)
            size = competition.output_size or store.size(image_id)
            if competition.rows == "object":
                runs[image_id] = encode_objects(objects_of(planes[..., 0], maker.recipe), competition)
                if size == store.size(image_id):  # else each object is scaled by itself
                    digests[image_id, None] = mask_digest(planes[..., 0])
            else:
                scaled = [scale_mask(planes[..., number], size) for number in range(len(numbers))]
                runs[image_id] = encode_image(np.stack(scaled, axis=-1), competition)
                names = competition.classes or (None,)
                digests |= {(image_id, name): mask_digest(mask) for name, mask in zip(names, scaled, strict=True)}
            task.advance()
    return EncodedMasks(runs, digests, [coverage(found) for found in shares])


def cover_of(store: ProbabilityStore, maker: Maker, progress: Progress) -> list[Coverage]:
    """The coverage of the masks of a store, class by class."""
    shares: list[list[float]] = [[] for _ in maker.chosen.numbers]
    with progress.task("measuring out-of-fold masks", len(store.ids)) as task:
        for image_id in store.ids:
            _measure(maker.planes(store, image_id), shares)
            task.advance()
    return [coverage(found) for found in shares]


def _measure(planes: Planes, shares: Sequence[list[float]]) -> None:
    for number, found in enumerate(shares):
        found.append(float(planes[..., number].mean()))
