"""Checks of keys that are valid by themselves but contradict each other."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from toolkit.config.checks.data import problems_of_data
from toolkit.config.checks.folds import problems_of_folds
from toolkit.config.checks.pseudo_labels import check_pseudo
from toolkit.config.keras.backbones import check_published
from toolkit.config.keras.loss_arguments import SparseCategoricalCrossentropy
from toolkit.config.metrics import check_metric
from toolkit.config.models import Config
from toolkit.config.stage_values import stage_key
from toolkit.config.training.callbacks import check_monitors, parse_callbacks
from toolkit.config.training.losses import check_class_weights, check_loss, needs_presence, parse_loss
from toolkit.config.training.mixing import parse_mixing
from toolkit.config.training.negatives import parse_negatives
from toolkit.config.training.networks import check_backbone, check_shape, has_backbone, parse_architecture
from toolkit.config.training.schedules import parse_schedule
from toolkit.config.yaml.named_calls import Problem, ProblemsAtError, UnknownNameError
from toolkit.config.yaml.plugin_names import refuse_other_kind
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.metrics.metric import class_label
from toolkit.core.metrics.registry import ALWAYS_RECORDED


def check_between_keys(config: Config, plugins: Collection[str]) -> None:
    """Check that the keys of a configuration fit together.

    Args:
        config: a configuration whose keys are valid by themselves.
        plugins: names that plugins.py defines.

    Raises:
        ProblemsAtError: all contradictions, each at the key that should change.
    """
    found = _Found()
    one_task = _check_classes(config, found)
    found.problems.extend(problems_of_data(config))
    _check_network(config, found, plugins)
    found.problems.extend(problems_of_folds(config))
    metrics: list[KeyPath] = [("primary_metric",), *(("metrics", number) for number in range(len(config.metrics)))]
    for where, value in zip(metrics, (config.primary_metric, *config.metrics), strict=True):
        found.check(where, check_metric, value, config.activation, config.class_count, plugins)
    found.check(("callbacks",), _check_monitors, config, config.callbacks, plugins)
    found.check(("patches" if config.patches is not None else "tiles",), _check_tiling, config)
    for number, stage in enumerate(config.stages):
        here: KeyPath = ("stages", number)
        found.check((*here, "class_weights"), _check_class_weights, config, stage.class_weights)
        if one_task:  # otherwise the activation is wrong, not the loss
            found.check(stage_key(stage, number, "loss"), _check_loss, config, number, plugins)
        for key in ("callbacks", "extra_callbacks"):
            found.check((*here, key), _check_monitors, config, getattr(stage, key), plugins)
        found.check((*here, "hard_negatives"), _check_hard_negatives, config, number)
        found.check(stage_key(stage, number, "pseudo"), check_pseudo, config, number, plugins)
        found.check(stage_key(stage, number, "schedule"), _check_schedule, config, number, plugins)
    if found.problems:
        raise ProblemsAtError(found.problems)


class _Found:
    """Collects the problems that several checks find."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def check(self, path: KeyPath, check: Callable[..., object], *arguments: Any) -> bool:
        """Call a check; its errors belong to the key at `path`, or further inside. Returns whether it passed."""
        try:
            check(*arguments)
        except ProblemsAtError as error:
            self.problems.extend(((*path, *inner), problem, model) for inner, problem, model in error.problems)
        except ValueError as error:
            self.problems.append((path, error, None))
        else:
            return True
        return False


def _check_classes(config: Config, found: _Found) -> bool:
    """Returns whether the activation matches the classes."""
    found.check(("classes",), _check_names, config)
    found.check(("classes",), _check_competition_classes, config)
    found.check(("benchmark_class",), _check_benchmark_class, config)
    found.check(("class_weights",), _check_class_weights, config, config.class_weights)
    return found.check(("activation",), _check_activation, config)


def _check_names(config: Config) -> None:
    if config.class_count > 254:
        raise ValueError(f"at most 254 classes, received {config.class_count}")
    for position, name in enumerate(config.classes if isinstance(config.classes, tuple) else ()):
        if not name.strip():
            raise ProblemsAtError([((position,), ValueError("a class must have a name"), None)])
        if name in config.task_classes.names[:position]:
            raise ProblemsAtError([((position,), ValueError(f"duplicate class name {name!r}"), None)])


def _check_competition_classes(config: Config) -> None:
    expected, names = config.data.table_format.classes, config.task_classes.names
    background = 1 if config.activation == "softmax" else 0
    foreground = names[background:]
    others = not set(foreground) <= set(expected) or set(names[:background]) & set(expected)
    if expected and (others or not foreground):
        competition = config.data.table_format.name
        raise ValueError(
            f"expected {'a background and ' * background}the classes of {competition} ({', '.join(expected)}), "
            f"received {', '.join(names)}"
        )


def _check_activation(config: Config) -> None:
    if config.activation == "softmax" and config.class_count == 1:
        raise ValueError(
            "softmax requires at least two classes, of which the first is background; use sigmoid for a single class"
        )


def _check_benchmark_class(config: Config) -> None:
    if config.benchmark_class is not None and config.benchmark_class not in config.task_classes.names:
        raise UnknownNameError(config.benchmark_class, config.task_classes.names)


def _check_class_weights(config: Config, weights: Literal["balanced"] | Sequence[float] | None) -> None:
    if weights is not None:
        check_class_weights(weights, config.class_count)


def _check_network(config: Config, found: _Found, plugins: Collection[str]) -> None:
    at: KeyPath = ("architecture_options",)
    if not found.check(("architecture",), refuse_other_kind, "architecture", config.architecture, plugins):
        return
    try:
        options = parse_architecture(config.architecture, config.architecture_options, plugins)
    except UnknownNameError as error:
        found.problems.append((("architecture",), error, None))
        return
    except ProblemsAtError as error:
        found.problems.extend(((*at, *inner), problem, model) for inner, problem, model in error.problems)
        return
    if options is None:
        _check_nothing_frozen(config, found)
    found.check(("backbone",), check_backbone, config.architecture, config.backbone)
    if has_backbone(config.architecture) and config.backbone is not None:
        found.check(("encoder_weights",), check_published, config.backbone, config.encoder_weights)
    found.check(("shape",), check_shape, config.architecture, options, config.shape)
    for number, stage in enumerate(config.stages):
        if stage.shape is None:
            continue
        at = ("stages", number, "shape")
        if found.check(at, _check_channels, config.shape[2], stage.shape[2]):
            found.check(at, check_shape, config.architecture, options, stage.shape)


def _check_nothing_frozen(config: Config, found: _Found) -> None:
    """A plugin architecture has no known encoder that could be frozen."""
    text = f"{config.architecture} is a plugin: set trainable = False on its layers instead"
    frozen: list[KeyPath] = [("freeze_encoder",)] if config.freeze_encoder else []
    frozen += [("stages", number, "freeze_encoder") for number, it in enumerate(config.stages) if it.freeze_encoder]
    found.problems.extend((key, ValueError(text), None) for key in frozen)


def _check_channels(expected: int, received: int) -> None:
    if received != expected:
        raise ValueError(f"expected the {expected} channels of the experiment, received {received}")


def _check_loss(config: Config, number: int, plugins: Collection[str]) -> None:
    stage = config.stages[number]
    terms = parse_loss(config.loss if stage.loss is None else stage.loss, plugins)
    check_loss(terms, config.activation, config.class_count)
    mixing = parse_mixing(config.mixing if stage.mixing is None else stage.mixing)
    if mixing.mixup is not None and any(isinstance(term.arguments, SparseCategoricalCrossentropy) for term in terms):
        raise ValueError(
            "SparseCategoricalCrossentropy takes one class per pixel, but mixup blends classes; use "
            "CategoricalCrossentropy"
        )
    if needs_presence(terms) and not config.presence_head:
        raise ValueError("presence_crossentropy requires presence_head: true")


def _check_monitors(config: Config, callbacks: Any, plugins: Collection[str]) -> None:
    check_monitors(parse_callbacks(callbacks, plugins), recorded_labels(config), config.task_classes.names)


def recorded_labels(config: Config) -> list[str]:
    """The names of all scores that each epoch may record of the validation images."""
    labels = dict.fromkeys(spec.label for spec in (*config.metric_specs, *ALWAYS_RECORDED))
    names = config.task_classes.names if config.class_count > 1 else ()
    return [*labels, *(class_label(label, name) for label in labels for name in names)]


def _check_hard_negatives(config: Config, number: int) -> None:
    stage = config.stages[number]
    if not stage.hard_negatives:
        return
    if number == 0 and stage.initial_weights is None:
        raise ValueError("the first stage has no earlier weights to predict false positives with; set initial_weights")
    patches_without = config.patches is not None and config.patches.positive_share is not None
    if parse_negatives(stage.negatives).kind in (("none",) if patches_without else ("none", "real")):
        raise ValueError("hard_negatives requires negatives to be a number or a share")


def _check_schedule(config: Config, number: int, plugins: Collection[str]) -> None:
    """The schedule fits into the stage."""
    stage = config.stages[number]
    schedule = parse_schedule(config.schedule if stage.schedule is None else stage.schedule, plugins)
    try:
        schedule.spans(stage.epochs)
    except ValueError as error:
        where = "" if stage.schedule is not None else f"in stages.{number}: "
        raise ValueError(f"{where}{error}") from error


def _check_tiling(config: Config) -> None:
    """Check patches, crops, tiles and resize.

    Raises:
        ValueError: they contradict each other.
    """
    if config.patches is not None and config.crops is not None:
        raise ValueError("patches and crops exclude each other: keep one of them")
    if config.patches is not None and config.resize != "stretch":
        raise ValueError(
            f"resize: {config.resize} has no effect on patches, which are cut to the shape of the network; remove it"
        )
    if config.tiles is not None and config.patches is None and config.crops is None and config.resize != "pad":
        raise ValueError(
            f"tiles are predicted at full scale, but training images are scaled (resize: {config.resize}); add "
            "patches or crops, or use resize: pad if the training images are not larger than shape"
        )
