"""Keeps the decoded images of training: at the sizes of the network, or whole where windows are cut from them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toolkit.config.models import Config
from toolkit.core.folds.assignment import HOLDOUT
from toolkit.core.images.tiles import UNTILED
from toolkit.files.datasets.keeping import keep
from toolkit.files.datasets.kept_pairs import KeptPairs, Layout, Pair
from toolkit.files.datasets.kept_sources import with_kept
from toolkit.files.datasets.training_pool import Pool, Sample
from toolkit.files.experiment.folder import Experiment
from toolkit.files.experiment.resolved import digests_of_code
from toolkit.files.images.decoding_programs import decoding_programs
from toolkit.learning.reading.sample_reader import SampleReader
from toolkit.messages import Progress


@dataclass(frozen=True)
class KeptSamples:
    """The images to train on, and by (height, width) of the network what is kept of them at this size.

    Where windows are cut from images, the pool itself reads from the `whole` images that are kept.
    """

    pool: Pool
    placed: Mapping[tuple[int, int], KeptPairs] = field(default_factory=dict)
    whole: KeptPairs | None = None

    @property
    def kept(self) -> list[KeptPairs]:
        """Everything that is kept."""
        return [*self.placed.values(), *([] if self.whole is None else [self.whole])]

    def reader(self, reader: SampleReader) -> SampleReader:
        """The reader, with what is kept at its shape."""
        return replace(reader, kept=self.placed.get(reader.shape))


def keep_samples(
    experiment: Experiment,
    config: Config,
    reader: SampleReader,
    *,
    shapes: Sequence[tuple[int, int]],
    pool: Pool,
    progress: Progress,
) -> KeptSamples:
    """Keep the images of a pool as the key `cache` says.

    Args:
        experiment: in whose working folder files are kept.
        config: its configuration.
        reader: reads samples.
        shapes: (height, width) of the network in each stage.
        pool: the images.
        progress: shows the work.

    Raises:
        DataError: an image or mask cannot be read.
    """
    samples = dict(_trained_on(pool))
    reserved = 0

    def kept(layout: Layout, reader: SampleReader | None) -> KeptPairs | None:
        def make(content: str) -> Pair:
            sample = samples[content]
            return (sample.image(), sample.labels()) if reader is None else reader.pair(sample)[:2]

        def refuse_changed(content: str) -> None:
            samples[content].refuse_changed()

        return keep(config.cache, layout, experiment.cache, make, refuse_changed, progress=progress, reserved=reserved)

    channels = reader.transforms.channels
    if reader.tiling != UNTILED:
        sizes = {content: sample.image_size for content, sample in samples.items()}
        found = kept(Layout(f"whole {decoding_programs()}", channels, sizes), None)
        return KeptSamples(pool if found is None else with_kept(pool, found), whole=found)
    code = digests_of_code(experiment, config) if config.transforms else {}
    settings = f"placed {reader.resize} {config.transforms} {sorted(code.items())} {decoding_programs()}"
    placed = {}
    for shape in dict.fromkeys(shapes):
        layout = Layout(settings, channels, dict.fromkeys(samples, shape))
        found = kept(layout, replace(reader, shape=shape, kept=None))
        if found is not None:
            placed[shape] = found
            reserved += found.rows.total if found.is_in_memory else 0
    return KeptSamples(pool, placed)


def _trained_on(pool: Pool) -> Iterator[tuple[str, Sample]]:
    """The samples that are trained or validated on, by the digest of their content."""
    for sample, fold in zip(pool.samples, pool.folds.tolist(), strict=True):
        if fold != HOLDOUT and sample.known is not None:
            yield sample.known.content, sample
