"""`tk preview`: a sheet of images as training sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from toolkit.config.augmentation import Transform, parse_augmentation
from toolkit.config.loading import Loaded, is_ensemble, load_config
from toolkit.config.mixing import parse_mixing
from toolkit.config.models import Config
from toolkit.core.labels import has_foreground, planes
from toolkit.core.randomness import derived_seed, generator
from toolkit.errors import ConfigError
from toolkit.files.experiment import Experiment, Workspace
from toolkit.files.sources import LabelledImages, find_training_data
from toolkit.files.writing import replacing
from toolkit.messages import Progress, Table, Task
from toolkit.report.previews import PreviewRow, PreviewSample, preview_sheet

if TYPE_CHECKING:
    from toolkit.learning.batches import SampleReader

VARIANTS = 5
_LOOKED_AT_MOST = 10  # images for each one of the sheet, to find some with foreground

Pair = tuple[Any, Any]
"""An image and its labels, at the network's size."""


@dataclass(frozen=True)
class PreviewResult:
    """What `tk preview` has drawn."""

    experiment: str
    preview: str
    images: int
    variants: int
    seed: int

    def tables(self) -> list[Table]:
        """There are no figures to show."""
        return []

    def next_steps(self) -> list[str]:
        """What to look at and to type."""
        return [
            f"pictures: {self.preview} ({self.images} images, each as it is and {self.variants} times augmented)",
            f"next: tk fit {self.experiment}",
        ]


def preview(
    workspace: Workspace,
    name: str,
    *,
    count: int = 12,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    progress: Progress,
) -> PreviewResult:
    """Draw preview.png: some training images as they are, and as augmentation and mixing make them.

    Args:
        workspace, name: the experiment.
        count: images on the sheet, those with foreground first.
        seed: of the choice and of all draws; the experiment's if left out.
        overrides: as for `tk fit`.
        progress: told of the images.

    Raises:
        ToolkitError: bad configuration or data.
    """
    experiment = workspace.find(name)
    if is_ensemble(experiment.config):
        raise ConfigError(f"{experiment.name} is an ensemble; only what is trained has an augmentation")
    if count < 1:
        raise ConfigError(f"--count {count}: at least one image is needed")
    loaded = load_config(experiment.config, overrides)
    seed = loaded.config.seed if seed is None else seed
    data = find_training_data(loaded.config.data.images, loaded.config.data.masks)
    with progress.task("drawing images", count * (1 + VARIANTS)) as task:
        rows = _rows(loaded, data, count, seed, task)
    title = f"{experiment.name}: {len(rows)} of {len(data.images.ids)} training images, seed {seed}"
    _write(experiment, preview_sheet(title, _notes(loaded.config), rows, loaded.config.activation))
    return PreviewResult(experiment.name, str(experiment.preview), len(rows), VARIANTS, seed)


def _rows(loaded: Loaded[Config], data: LabelledImages, count: int, seed: int, task: Task) -> list[PreviewRow]:
    """Reads and augments just as training does: each variant of an image is what an epoch would make of it."""
    from toolkit.learning.batches import SampleReader
    from toolkit.learning.fitting import build_augmentation
    from toolkit.learning.mixing import Mixing

    config = loaded.config
    augmentation = build_augmentation(loaded)
    mixing = Mixing(_mixing_of(config), config.activation)
    originals = _originals(SampleReader(config.shape[:2], config.resize), data, count, seed)
    task.advance(len(originals))
    variants = []
    for epoch in range(VARIANTS):
        samples = [
            augmentation(image, labels, derived_seed("sample", seed, 0, 0, epoch, position, position))
            for position, (image, labels) in enumerate(originals.values())
        ]
        images = np.stack([image for image, _ in samples])
        targets = np.stack([planes(labels, config.classes, config.activation) for _, labels in samples])
        mixed = mixing(images, targets, derived_seed("mixing", seed, 0, 0, epoch, 0))
        variants.append([PreviewSample(image, target) for image, target in zip(*mixed, strict=True)])
        task.advance(len(samples))
    return [
        PreviewRow(image_id, PreviewSample(image, planes(labels, config.classes, config.activation)), ways)
        for (image_id, (image, labels)), *ways in zip(originals.items(), *variants, strict=True)
    ]


def _originals(reader: "SampleReader", data: LabelledImages, count: int, seed: int) -> dict[str, Pair]:
    """Some images with their labels at the network's size, in the order of their ids; those with foreground first."""
    order = [data.images.ids[place] for place in generator("preview", seed).permutation(len(data.images.ids))]
    chosen: dict[str, Pair] = {}
    empty: dict[str, Pair] = {}
    for image_id in order[: count * _LOOKED_AT_MOST]:
        pair = reader.pair(data, image_id)
        (chosen if has_foreground(pair[1]) else empty)[image_id] = pair
        if len(chosen) == count:
            break
    filled = chosen | dict(list(empty.items())[: count - len(chosen)])
    return dict(sorted(filled.items()))


def _mixing_of(config: Config) -> Any:
    return parse_mixing(getattr(config, "mixing", None))


def _notes(config: Config) -> list[str]:
    """What is applied, in order."""
    notes = [_described(transform) for transform in parse_augmentation(config.augmentation)]
    mixing = _mixing_of(config)
    ways = {"mixup": mixing.mixup, "CutMix": mixing.cutmix, "copy-paste": mixing.copy_paste}
    notes += [f"{name} {way.p:g} of the batches" for name, way in ways.items() if way is not None]
    return notes or ["no augmentation"]


def _described(transform: Transform) -> str:
    """Name and probability, with what a group holds."""
    held = f" ({', '.join(map(_described, transform.children))})" if transform.children else ""
    probability = f" {transform.arguments['p']:g}" if "p" in transform.arguments else ""
    return f"{transform.name}{probability}{held}"


def _write(experiment: Experiment, sheet: Any) -> None:
    encoded = cv2.imencode(".png", sheet[:, :, ::-1])[1]
    with replacing(experiment.preview) as file:
        file.write(encoded.tobytes())
