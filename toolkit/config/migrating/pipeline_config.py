"""The YAML of segmentation_training_pipeline: most of its keys have the same names here."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.migrating.imgaug_names import augmenters_rule
from toolkit.config.migrating.keras_names import (
    BACKBONE_OF,
    OPTIMIZER_OF,
    callbacks_rule,
    learning_rate,
    loss_of,
    metric_of,
    metrics_rule,
    monitored,
)
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    WrongValueError,
    apply_rules,
    choice,
    lost,
    pairs,
    text,
    to,
    truth,
    whole,
)
from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.yaml.error_texts import received
from toolkit.config.yaml.key_differences import written

_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "Unet": {
        "decoder_block_type": "decoder_block_type",
        "decoder_filters": "decoder_filters",
        "use_batchnorm": "decoder_use_batchnorm",
    },
    "FPN": {
        "pyramid_block_filters": "pyramid_block_filters",
        "use_batchnorm": "pyramid_use_batchnorm",
        "dropout": "pyramid_dropout",
    },
    "Linknet": {"upsample_layer": "decoder_block_type", "use_batchnorm": "decoder_use_batchnorm"},
    "PSPNet": {
        "downsample_factor": "downsample_factor",
        "psp_conv_filters": "psp_conv_filters",
        "psp_pooling_type": "psp_pooling_type",
        "use_batchnorm": "psp_use_batchnorm",
        "dropout": "psp_dropout",
    },
    "DeepLabV3": {"OS": "output_stride"},
}
"""Keys that only one architecture has, and the names of these options here."""

_ARCHITECTURE_OF = choice({name: name for name in ARCHITECTURES}, "architecture")
_NOT_A_METRIC = "a metric decides here, not a loss"


def translate_pipeline(found: Translation) -> None:
    """Translate the whole file into `found`."""
    source = found.source
    options = _OPTIONS.get(str(source.get("architecture", "Unet")), {})
    rules = {**_RULES, **{theirs: to(f"architecture_options.{ours}") for theirs, ours in options.items()}}
    apply_rules(found, rules, source)
    if "stages" not in found.tree and "stages" not in found.refused:
        found.refuse("stages", "the key is missing; expected a list, for example stages: [{epochs: 20}]")
    if "lr" not in found.tree:
        rate = learning_rate(found.tree.get("optimizer"))
        found.put("lr (not given)", "lr", rate, "Keras's default for the optimizer")
    if "backbone" not in source:
        backbone = "mobilenetv2" if source.get("architecture") == "DeepLabV3" else "vgg16"
        found.put("backbone (not given)", "backbone", backbone, "the default there")
    _record_monitored(found)


def _record_monitored(found: Translation) -> None:
    """Metrics that callbacks monitor are recorded; here this has to be said."""
    stages = found.tree.get("stages", ())
    named = [*found.tree.get("metrics", []), found.tree.get("primary_metric")]
    further = [metric for metric in monitored([found.tree, *stages]) if metric not in named]
    if further:
        found.tree["metrics"] = [*found.tree.get("metrics", []), *further]
        found.say("monitor", f"metrics: {written(found.tree['metrics'])}", "what callbacks monitor is recorded")


def _architecture(found: Translation, key: str, value: Any) -> None:
    note = "DeepLabV3+, as there" if value == "DeepLabV3" else ""
    found.put(key, "architecture", _ARCHITECTURE_OF(value), note)


def _encoder_weights(found: Translation, key: str, value: Any) -> None:
    notes = {
        "imagenet": "",
        "pascal_voc": "no weights of Pascal VOC fit these networks: the encoder starts from ImageNet",
        "imagenet11k": "weights of 11,000 classes are not offered: those of 1,000 are used",
        "imagenet11k-places365ch": "weights of 11,000 classes are not offered: those of 1,000 are used",
    }
    if value is None:
        found.put(key, "encoder_weights", None)
    elif text(value) in notes:
        found.put(key, "encoder_weights", "imagenet", notes[value])
    elif value.endswith((".h5", ".hdf5")):
        found.put(key, "encoder_weights", found.path(value))
    else:
        raise NoCounterpartError("there are no such weights here; imagenet, the default, is used")


def _optimizer(found: Translation, key: str, value: Any) -> None:
    found.put(key, "optimizer", _as_mapping(found, OPTIMIZER_OF(value)))


def _as_mapping(found: Translation, name: str) -> Any:
    """The optimizer with the arguments that were translated before it, or its name alone."""
    clipping = found.tree.get("optimizer")
    return {name: next(iter(clipping.values()))} if isinstance(clipping, dict) else name


def _clipping(ours: str, note: str = "") -> Rule:
    def rule(found: Translation, key: str, value: Any) -> None:
        name = OPTIMIZER_OF(found.source.get("optimizer", "Adam"))
        known = found.tree.get("optimizer")
        arguments = known[name] if isinstance(known, dict) else {}
        found.put(key, "optimizer", {name: arguments | {ours: value}}, note)

    return rule


def _primary_metric(found: Translation, key: str, value: Any) -> None:
    if text(value).removeprefix("val_") == "loss":
        raise NoCounterpartError(f"{_NOT_A_METRIC}: dice, the default, is used")
    note = "metrics are always computed on validation images" if value.startswith("val_") else ""
    found.put(key, "primary_metric", metric_of(value), note)


def _shape(found: Translation, key: str, value: Any) -> None:
    crops = found.source.get("crops")
    if not isinstance(value, tuple) or len(value) != 3 or crops is None:
        found.put(key, "shape", value, "height, width, channels")
        return
    height, width, channels = map(whole, value)
    cells = whole(crops)
    multiple = cells * _side_multiple(found.source.get("architecture"))
    if height % multiple or width % multiple:
        nearest_sides = [max(1, round(side / multiple)) * multiple for side in (height, width)]
        raise WrongValueError(
            f"with crops: {cells} both sides must be multiples of {multiple}, because the network sees single crops; "
            f"received {written(value)}; the nearest is {written([*nearest_sides, channels])}"
        )
    note = f"there the shape is divided by crops: {cells}; here it is that of the network"
    found.put(key, "shape", [height // cells, width // cells, channels], note)


def _side_multiple(architecture: Any) -> int:
    """What the sides of the network's input must be multiples of, with the default options."""
    options = ARCHITECTURES.get(architecture) if isinstance(architecture, str) else None
    return (options or ARCHITECTURES["Unet"])().side_multiple


def _first_convolution(found: Translation, key: str, value: Any) -> None:
    found.put(key, "first_convolution", "copy" if truth(value) else "mean")


def _stages(found: Translation, key: str, value: Any) -> None:
    if not isinstance(value, tuple):
        raise WrongValueError(f"expected a list of stages, received {received(value)}")
    stages: tuple[dict[str, Any], ...] = tuple({} for _ in value)
    found.tree["stages"] = stages
    for number, (ours, theirs) in enumerate(zip(stages, value, strict=True)):
        apply_rules(found.part(ours, f"stages.{number}."), _STAGE, pairs(theirs), f"{key}.{number}.")


def _unfreeze(found: Translation, key: str, value: Any) -> None:
    found.put(key, "freeze_encoder", not truth(value))


def _initial_weights(found: Translation, key: str, value: Any) -> None:
    path = found.folder / text(value)
    if not path.is_file():
        raise NoCounterpartError(f"there is no file {path}; the stage starts from the best weights of the one before")
    found.put(key, "initial_weights", str(path.absolute()), "images it was trained on must not be held out by a fold")


_EVERYWHERE: Mapping[str, Rule] = {
    "lr": to("lr"),
    "loss": to("loss", loss_of),
    "callbacks": callbacks_rule("callbacks"),
}
"""Keys of the experiment and of a stage."""

_STAGE: Mapping[str, Rule] = {
    **_EVERYWHERE,
    "epochs": to("epochs"),
    "negatives": to("negatives"),
    "validation_negatives": to("validation_negatives"),
    "extra_callbacks": callbacks_rule("extra_callbacks"),
    "unfreeze_encoder": _unfreeze,
    "initial_weights": _initial_weights,
}

_RULES: Mapping[str, Rule] = {
    **_EVERYWHERE,
    "architecture": _architecture,
    "backbone": to("backbone", BACKBONE_OF),
    "encoder_weights": _encoder_weights,
    "freeze_encoder": to("freeze_encoder"),
    "shape": _shape,
    "crops": to("crops"),
    "copyWeights": _first_convolution,
    "classes": to("classes"),
    "activation": to("activation"),
    "optimizer": _optimizer,
    "clipnorm": _clipping("global_clipnorm", "the Keras of that time clipped the norm of all gradients together"),
    "clipvalue": _clipping("clipvalue"),
    "batch": to("batch"),
    "metrics": metrics_rule,
    "primary_metric": _primary_metric,
    "primary_metric_mode": lost("whether larger is better belongs to the metric here"),
    "augmentation": augmenters_rule("augmentation"),
    "transforms": lost("choose transforms of albumentations that draw nothing at random (docs/augmentation.md)"),
    "folds_count": to("folds_count"),
    "validationSplit": to("validationSplit"),
    "testSplit": to("testSplit"),
    "testSplitSeed": to("testSplitSeed"),
    "stratified": to("stratified"),
    "stages": _stages,
    **dict.fromkeys(
        ("epochs", "negatives", "validation_negatives", "unfreeze_encoder", "initial_weights", "extra_callbacks"),
        lost("it belongs to a stage: write it there"),
    ),
    "extra_train_data": lost("it names a function; give folders: data.extra_train_data (docs/training.md)"),
    "dataset_augmenter": lost("it names a function; give a folder: data.external_negatives (docs/training.md)"),
    "dataset": lost("it names a function; give --images and --masks, or a class of plugins.py as data.source"),
    "classifier": lost("to drop empty images use presence_head (docs/networks.md) and a recipe (docs/recipes.md)"),
    "classifier_lr": lost("there is no second network here"),
    "alpha": lost("the width of MobileNet cannot be changed here"),
}
