"""`tk preview`: a sheet of images as training sees them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from toolkit.commands.session import Session
from toolkit.config.loading import Loaded, load_config
from toolkit.config.models import Config
from toolkit.config.resolved_stage import Stage, read_stage
from toolkit.config.training.augmentation import Transform
from toolkit.config.yaml.plugins import names_defined_beside
from toolkit.core.images.tiles import window_size
from toolkit.core.masks.labels import has_foreground
from toolkit.core.randomness import derived_seed, generator
from toolkit.core.sampling.patches import PatchRule, cell_of, draw_patches
from toolkit.errors import ConfigError
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.crops import crops_of
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.datasets.occupancy import find_occupancies
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.writing import replacing
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Progress, Table, Task
from toolkit.report.preview_sheet import PreviewRow, PreviewSample, preview_sheet

if TYPE_CHECKING:
    from toolkit.learning.batches import SampleReader

VARIANTS = 5
_LOOKED_AT_MOST = 10  # images for each one of the sheet, to find some with foreground


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
    session: Session,
    name: str,
    *,
    count: int = 12,
    seed: int | None = None,
    stage: int = 0,
    overrides: Sequence[str] = (),
) -> PreviewResult:
    """Draw preview.png: some training images as they are, and as augmentation and mixing make them.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path of the experiment.
        count: images on the sheet, those with foreground first.
        seed: of the choice and of all draws; the experiment's if left out.
        stage: number of the stage whose augmentation is shown.
        overrides: as for `tk fit`.

    Raises:
        ToolkitError: bad configuration or data.
    """
    experiment, progress = session.workspace.find(name), session.progress
    if experiment.is_ensemble:
        raise ConfigError(f"{experiment.name} is an ensemble; only what is trained has an augmentation")
    if count < 1:
        raise ConfigError(f"--count {count}: at least one image is needed")
    loaded = load_config(experiment.config, overrides)
    config = loaded.config
    if not 0 <= stage < len(config.stages):
        raise ConfigError(f"--stage {stage}: there are the stages 0 to {len(config.stages) - 1}")
    seed = config.seed if seed is None else seed
    shown = read_stage(config, stage, names_defined_beside(experiment.config))
    data = find_labelled(config)
    with progress.task("drawing images", count * (1 + VARIANTS)) as task:
        rows = _rows(loaded, shown, data, count, seed=seed, task=task, progress=progress)
    what = "parts of" if config.crops else "patches of" if config.patches else "of"
    title = f"{experiment.name}: {len(rows)} {what} {len(data.images.ids)} training images, seed {seed}"
    _write(experiment, preview_sheet(title, _notes(shown), rows, config.activation, names=data.classes.names))
    return PreviewResult(experiment.name, str(experiment.preview), len(rows), VARIANTS, seed)


def _rows(
    loaded: Loaded[Config],
    stage: Stage,
    data: LabelledImages,
    count: int,
    *,
    seed: int,
    task: Task,
    progress: Progress,
) -> list[PreviewRow]:
    """Reads and augments just as training does: each variant is drawn as an epoch draws it."""
    from toolkit.learning.augmentation.mixing import Mixing
    from toolkit.learning.batches import build_reader
    from toolkit.learning.plugins import Own
    from toolkit.learning.training.fit import build_augmentation

    config, own = loaded.config, Own(loaded.source, progress)
    augmentation = build_augmentation(config, stage, lambda key: loaded.where(*key), own)
    mixing = Mixing(stage.mixing, config.activation)
    reader = replace(build_reader(config, lambda key: loaded.where(*key), own), shape=stage.shape[:2])
    samples = _samples(config, stage, reader, data, count, seed=seed, progress=progress)
    originals = [reader.pair(sample)[:2] for sample in samples]
    task.advance(len(originals))
    variants = []
    for epoch in range(VARIANTS):
        seeds = [derived_seed("sample", seed, 0, stage.number, epoch, place, place) for place in range(len(samples))]
        pairs = [
            reader.augmented(sample, augmentation, one) if sample.window else augmentation(*original, one)
            for sample, original, one in zip(samples, originals, seeds, strict=True)
        ]
        images = np.stack([image for image, _ in pairs])
        targets = np.stack([data.classes.planes(labels) for _, labels in pairs])
        mixed = mixing(images, targets, derived_seed("mixing", seed, 0, stage.number, epoch, 0))
        variants.append([PreviewSample(image, target) for image, target in zip(*mixed, strict=True)])
        task.advance(len(pairs))
    return [
        PreviewRow(_title(sample), PreviewSample(image, data.classes.planes(labels)), ways)
        for sample, (image, labels), *ways in zip(samples, originals, *variants, strict=True)
    ]


def _samples(
    config: Config,
    stage: Stage,
    reader: "SampleReader",
    data: LabelledImages,
    count: int,
    *,
    seed: int,
    progress: Progress,
) -> list[Sample]:
    """Some of what training would see, in the order of the ids: images or parts, or patches as an epoch draws them."""
    every = [Sample(data, image_id) for image_id in data.images.ids]
    if config.crops is not None:
        every = [crop for sample in every for crop in crops_of(sample, config.crops)]
    order = [every[place] for place in generator("preview", seed).permutation(len(every))]
    if config.patches is not None:
        shown = order[:count]
        window = window_size(stage.shape[:2], config.patches.scale)
        share = stage.negatives.share_of_positives(0)
        rule = PatchRule(window, count, config.patches.positive_share if share is None else share)
        drawn = draw_patches(find_occupancies(shown, cell_of([window]), progress), rule, seed, 0, stage.number, 0)
        chosen = [replace(shown[place], window=found) for place, found in drawn]
    else:
        chosen = _with_foreground_first(reader, order, count)
    return sorted(chosen, key=lambda sample: (sample.image_id, *_corner(sample)))


def _with_foreground_first(reader: "SampleReader", samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many of the first of them, those with foreground before the others."""
    chosen: list[Sample] = []
    empty: list[Sample] = []
    for sample in samples[: count * _LOOKED_AT_MOST]:
        (chosen if has_foreground(reader.pair(sample)[1]) else empty).append(sample)
        if len(chosen) == count:
            break
    return chosen + empty[: count - len(chosen)]


def _corner(sample: Sample) -> tuple[int, int]:
    return (0, 0) if sample.window is None else (sample.window.top, sample.window.left)


def _title(sample: Sample) -> str:
    return sample.image_id if sample.window is None else f"{sample.image_id} {sample.window.top},{sample.window.left}"


def _notes(stage: Stage) -> list[str]:
    """What is applied, in order."""
    notes = [_described(transform) for transform in stage.augmentation]
    mixing = stage.mixing
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
