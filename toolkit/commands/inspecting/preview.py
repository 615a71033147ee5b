"""`tk preview`: a sheet of training images as augmentation changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.commands.session import Session
from toolkit.commands.training.settings import load_as_run
from toolkit.config.loading import Loaded
from toolkit.config.models import Config
from toolkit.config.stage_values import Stage, read_stage
from toolkit.config.training.augmentation import Transform
from toolkit.config.yaml.plugin_names import names_defined_beside
from toolkit.core.images.tiles import window_size
from toolkit.core.masks.labels import has_foreground
from toolkit.core.randomness import derived_seed, generator
from toolkit.core.sampling.patches import PatchRule, cell_of, draw_patches
from toolkit.errors import ConfigError, counted, out_of_range
from toolkit.files.data.neighbours import own_channels
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.crops import crops_of
from toolkit.files.datasets.dataset import find_labelled
from toolkit.files.datasets.occupancy import find_occupancies
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.png import write_png
from toolkit.files.experiment.members import refuse_ensemble
from toolkit.messages import Progress, Table
from toolkit.report.preview_sheet import PreviewRow, PreviewSample, preview_sheet
from toolkit.report.result import Result

if TYPE_CHECKING:
    from toolkit.learning.reading.sample_reader import SampleReader

VARIANTS = 5
_LOOKED_AT_MOST = 10  # candidates for each image of the sheet, to find images with foreground


@dataclass(frozen=True)
class PreviewResult(Result):
    """The sheet that `tk preview` has drawn."""

    experiment: str
    preview: str
    images: int
    variants: int
    seed: int

    def tables(self) -> list[Table]:
        """There are none."""
        return []

    def next_steps(self) -> list[str]:
        """The pictures and the next command."""
        changed = f", each unchanged and {self.variants} times augmented" if self.variants else "; no augmentation"
        return [
            f"pictures: {self.preview} ({counted(self.images, 'image')}{changed})",
            f"next: tk fit {self.experiment}",
        ]


_MOST_IMAGES = 10_000


def preview(
    session: Session,
    name: str,
    *,
    count: int = 12,
    seed: int | None = None,
    stage: int = 0,
    overrides: Sequence[str] = (),
) -> PreviewResult:
    """Draw preview.png: training images unchanged, and as augmentation and mixing change them.

    Args:
        session: the folder of all experiments, and what shows progress.
        name: name or path of the experiment.
        count: the number of images, those with foreground first.
        seed: the seed of the choice and of all draws; by default the experiment's.
        stage: the number of the stage whose augmentation is shown.
        overrides: as for `tk fit`.

    Raises:
        ToolkitError: the configuration, the data or an option is not valid.
    """
    experiment = session.workspace.find(name)
    refuse_ensemble(experiment, "augmentation")
    if not 1 <= count <= _MOST_IMAGES:
        raise ConfigError(f"--count: expected 1 to {_MOST_IMAGES}; received {count}")
    if seed is not None and seed < 0:
        raise ConfigError(f"--seed: expected at least 0; received {seed}")
    loaded = load_as_run(session, experiment, overrides)
    config = loaded.config
    if not 0 <= stage < len(config.stages):
        raise ConfigError(f"--stage: {out_of_range('stage', stage, len(config.stages))}")
    with loaded.naming_places():
        labelled = find_labelled(config)
        labelled.refuse_missing_masks()
    shown = _Shown(
        loaded,
        read_stage(config, stage, names_defined_beside(experiment.config)),
        labelled,
        count,
        config.seed if seed is None else seed,
    )
    rows = _rows(shown, session.progress)
    what = "crops of" if config.crops else "patches of" if config.patches else "of"
    title = f"{experiment.name}: {len(rows)} {what} {len(shown.data.images.ids)} training images, seed {shown.seed}"
    notes = _notes(shown.stage)
    sheet = preview_sheet(
        title,
        notes or ["no augmentation"],
        rows,
        config.activation,
        names=shown.data.classes.names,
    )
    write_png(experiment.preview, sheet)
    return PreviewResult(experiment.name, str(experiment.preview), len(rows), len(rows[0].variants), shown.seed)


@dataclass(frozen=True)
class _Shown:
    """The configuration, the stage whose augmentation is shown, the images, their number, and the seed of all draws."""

    loaded: Loaded[Config]
    stage: Stage
    data: LabelledImages
    count: int
    seed: int


def _rows(shown: _Shown, progress: Progress) -> list[PreviewRow]:
    """The rows of the sheet; images are read and augmented exactly as in training."""
    from toolkit.learning.augmentation.mixing import Mixing
    from toolkit.learning.plugins import Plugins
    from toolkit.learning.reading.sample_reader import build_reader
    from toolkit.learning.training.plan import build_augmentation

    loaded, stage, data, seed = shown.loaded, shown.stage, shown.data, shown.seed
    config, plugins = loaded.config, Plugins(loaded.source, progress)
    augmentation = build_augmentation(config, stage, lambda key: loaded.where(*key), plugins)
    mixing = Mixing(stage.mixing, config.activation)
    reader = replace(build_reader(config, lambda key: loaded.where(*key), plugins), shape=stage.shape[:2])
    samples = _samples(shown, reader, progress)
    count = VARIANTS if stage.augmentation or _mixings(stage) else 0
    variants = []
    with progress.task("drawing images", len(samples) * (1 + count)) as task:
        originals = [reader.pair(sample)[:2] for sample in samples]
        task.advance(len(originals))
        for epoch in range(count):
            seeds = [
                derived_seed("sample", seed, 0, stage.number, epoch, place, place) for place in range(len(samples))
            ]
            pairs = [
                reader.augmented(sample, augmentation, one) if sample.window else augmentation(*original, one)
                for sample, original, one in zip(samples, originals, seeds, strict=True)
            ]
            images = np.stack([image for image, _ in pairs])
            targets = np.stack([data.classes.planes(labels) for _, labels in pairs])
            mixed = mixing(images, targets, derived_seed("mixing", seed, 0, stage.number, epoch, 0))
            pixels = (
                own_channels(data.images, one.image_id, image) for one, image in zip(samples, mixed[0], strict=True)
            )
            variants.append([PreviewSample(image, target) for image, target in zip(pixels, mixed[1], strict=True)])
            task.advance(len(pairs))
    return [
        PreviewRow(
            _title(sample),
            PreviewSample(own_channels(data.images, sample.image_id, image), data.classes.planes(labels)),
            ways,
        )
        for sample, (image, labels), *ways in zip(samples, originals, *variants, strict=True)
    ]


def _samples(shown: _Shown, reader: "SampleReader", progress: Progress) -> list[Sample]:
    """Some training samples in the order of the ids: images or crops, or patches as an epoch draws them."""
    config, stage, data = shown.loaded.config, shown.stage, shown.data
    count, seed = shown.count, shown.seed
    every = [Sample(data, image_id) for image_id in data.images.ids]
    if config.crops is not None:
        every = [crop for sample in every for crop in crops_of(sample, config.crops)]
    order = [every[place] for place in generator("preview", seed).permutation(len(every))]
    if config.patches is not None:
        chosen = order[:count]
        window = window_size(stage.shape[:2], config.patches.scale)
        share = stage.negatives.share_of_positives(0)
        rule = PatchRule(window, count, config.patches.positive_share if share is None else share)
        drawn = draw_patches(find_occupancies(chosen, cell_of([window]), progress), rule, seed, 0, stage.number, 0)
        chosen = [replace(chosen[place], window=found) for place, found in drawn]
    else:
        chosen = _with_foreground_first(reader, order, count)
    return sorted(chosen, key=lambda sample: (sample.image_id, *_corner(sample)))


def _with_foreground_first(reader: "SampleReader", samples: Sequence[Sample], count: int) -> list[Sample]:
    """The first `count` samples, those with foreground before the others."""
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
    """The augmentations in the order of application; none if images stay as they are."""
    return [*(_described(transform) for transform in stage.augmentation), *_mixings(stage)]


def _mixings(stage: Stage) -> list[str]:
    """What mixes the images of a batch."""
    mixing = stage.mixing
    ways = {"mixup": mixing.mixup, "CutMix": mixing.cutmix, "copy-paste": mixing.copy_paste}
    return [f"{name} {way.p:g} of the batches" for name, way in ways.items() if way is not None]


def _described(transform: Transform) -> str:
    """Name, probability, and the children of a group."""
    held = f" ({', '.join(map(_described, transform.children))})" if transform.children else ""
    probability = f" {transform.arguments['p']:g}" if "p" in transform.arguments else ""
    return f"{transform.name}{probability}{held}"
