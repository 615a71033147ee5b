"""Checks of `pseudo` that are valid by themselves but contradict other keys."""

from collections.abc import Collection, Iterable, Iterator

from toolkit.config.data.pseudo_labels import check_thresholds, parse_pseudo
from toolkit.config.models import Config
from toolkit.config.training.augmentation import BACKGROUND_REPLACER, Transform, parse_augmentation
from toolkit.config.training.losses import LossTerm, parse_loss, refuse_fractions
from toolkit.config.yaml.named_calls import is_plugin, problem_at

_READ_MASKS = (BACKGROUND_REPLACER, "MaskDropout", "CropNonEmptyMaskIfExists", "ConstrainedCoarseDropout")
"""Transforms that decide by the values of the mask."""


def check_pseudo(config: Config, number: int, plugins: Collection[str]) -> None:
    """Check the pseudo-labels of a stage.

    Raises:
        ValueError: a threshold is of a class that does not exist, or the loss or the augmentation of the stage cannot
            take soft labels.
    """
    stage = config.stages[number]
    spec = parse_pseudo(config.pseudo if stage.pseudo is None else stage.pseudo)
    if spec is None:
        return
    check_thresholds(spec, config.task_classes.names)
    if not spec.soft:
        return
    terms: tuple[LossTerm, ...] = parse_loss(config.loss if stage.loss is None else stage.loss, plugins)
    where = f"in stages.{number}: " if stage.pseudo is None else ""
    try:
        refuse_fractions(terms, config.activation)
    except ValueError as error:
        raise problem_at(("soft",), f"{where}{error}") from error
    transforms = parse_augmentation(config.augmentation if stage.augmentation is None else stage.augmentation, plugins)
    unfit = [name for name in _names_of(transforms) if name in _READ_MASKS or is_plugin(name, plugins)]
    if unfit:
        raise problem_at(
            ("soft",),
            f"{where}soft: true gives transforms probabilities in place of a mask, which "
            f"{', '.join(dict.fromkeys(unfit))} may not expect; use soft: false, or other transforms in this stage",
        )


def _names_of(transforms: Iterable[Transform]) -> Iterator[str]:
    for transform in transforms:
        yield transform.name
        yield from _names_of(transform.children)
