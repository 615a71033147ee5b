"""The YAML of U-Net with Keras, whose augmentation is that of ImageDataGenerator."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.migrating.image_data_generator import generator_rules, translate_generator
from toolkit.config.migrating.keras_names import OPTIMIZER_OF, learning_rate, loss_of, metrics_rule
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
    WrongValueError,
    always,
    apply_rules,
    choice,
    lost,
    one_stage,
    pairs,
    section,
    text,
    to,
    truth,
    whole,
)
from toolkit.config.yaml.error_texts import received
from toolkit.errors import listing

_SIDE = 256
_FILL = "nearest"
_DEFAULTS: Mapping[str, tuple[Any, str]] = {
    "architecture": ("ModularUnet", "a plain U-Net"),
    "shape": ([_SIDE, _SIDE, 1], "the default there: height, width, channels"),
    "architecture_options.start_filters": (64, "the default there"),
    "architecture_options.upsampling": ("nearest", "always so there"),
    "backbone": (None, "it has no pretrained encoder"),
    "optimizer": ("Adam", "the default there"),
}
_AUGMENTATION = ("data_augmentation_params", "data_augmentation_parameters", "augmentation_params")
"""Names under which the arguments of ImageDataGenerator may be grouped; they may also be at the top of the file."""


def translate_keras_unet(found: Translation) -> None:
    """Translate the whole file into `found`."""
    source = found.source
    generator = generator_rules(_size(source))
    loose = {name: value for name, value in source.items() if name in generator}
    apply_rules(found, _RULES, {name: source[name] for name in source if name not in loose}, further=generator)
    _need_epochs(found)
    defaults = {ours: given for ours, given in _DEFAULTS.items() if not _is_set(found.tree, ours)}
    for ours, (value, why) in defaults.items():
        found.put("(not given)", ours, value, why)
    if "lr" not in found.tree:
        rate = learning_rate(found.tree.get("optimizer"))
        found.put("lr (not given)", "lr", rate, "Keras's default for the optimizer")
    _translate_augmentation(found, generator, loose)


def _need_epochs(found: Translation) -> None:
    """A file that is only for prediction names no training, which an experiment here begins with."""
    if "stages" in found.tree or found.has_refused("epochs"):
        return
    why = "the key is missing; expected a whole number"
    if found.source.get("mode") == "predict":
        why = (
            "the key is missing (mode: predict: the file is for a network that is already trained); networks cannot be "
            "taken over: import the file that the network was trained with, run tk fit, then tk predict NAME FOLDER "
            "--out FOLDER"
        )
    found.refuse("hyperparameters.epochs", why)


def _translate_augmentation(found: Translation, generator: Mapping[str, Rule], loose: Mapping[str, Any]) -> None:
    """Translate the arguments of ImageDataGenerator, wherever the file has them; `loose` are those at its top."""
    source = found.source
    switch = source.get("data_augmentation")
    groups = {f"{name}.": source[name] for name in _AUGMENTATION if name in source} | {"": loose}
    if isinstance(switch, Mapping):
        groups["data_augmentation."] = switch
    if switch is False:
        unused = [f"{prefix}{name}" for prefix, arguments in groups.items() for name in pairs(arguments)]
        if unused:
            found.say(listing(unused, 3), "(nothing to write)", "data_augmentation is false")
        return
    part = found.part({}, "augmentation.")
    transforms: dict[str, Any] = {}
    for prefix, arguments in groups.items():
        if isinstance(arguments, Mapping):
            transforms |= translate_generator(part, generator, arguments, prefix, _FILL)
        else:
            found.refuse(prefix.removesuffix("."), "expected `argument: value` pairs")
    if transforms:
        found.tree["augmentation"] = transforms


def _is_set(tree: Mapping[str, Any], dotted: str) -> bool:
    first, _, rest = dotted.partition(".")
    return first in tree and (not rest or rest in tree[first])


def _size(source: Mapping[str, Any]) -> tuple[int, int]:
    """The input (height, width) that a file names; the default of that system where it names none."""
    model = source.get("model")
    given = model.get("input_size") if isinstance(model, Mapping) else None
    try:
        height, width, _ = _shape(given)
    except NoCounterpartError:
        return _SIDE, _SIDE
    return height, width


def _shape(value: Any) -> list[int]:
    if isinstance(value, tuple):
        sides = list(value)
    else:
        known = {"height": _SIDE, "width": _SIDE, "channels": 1} | dict(pairs(value))
        sides = [known[name] for name in ("height", "width", "channels")]
    if len(sides) != 3:
        raise WrongValueError(f"expected height, width and channels, received {received(value)}")
    return [whole(side) for side in sides]


def _name(found: Translation, key: str, value: Any) -> None:
    if text(value).lower() != "unet":
        raise WrongValueError(
            f"there is no model {value!r} here, only unet; another one is a function in plugins.py, which architecture "
            "names (docs/networks.md)"
        )
    found.put(key, "architecture", "ModularUnet", "a plain U-Net; its lowest level has no dropout")


def _padding(found: Translation, key: str, value: Any) -> None:
    if value != "same":
        raise NoCounterpartError("convolutions are always padded here, so that masks have the size of their image")
    found.say(key, "(nothing to write)", "convolutions are always padded")


def _mode(found: Translation, key: str, value: Any) -> None:
    commands = {"train": "the command tk fit", "predict": "tk fit predicts test images, tk predict any others"}
    found.say(key, choice(commands, "mode")(value))


def _pretrained(found: Translation, key: str, value: Any) -> None:
    if truth(value):
        raise NoCounterpartError("its weights have other layer names; an experiment here starts anew")
    found.say(key, "(nothing to write)", "networks start from random weights")


def _weights_path(found: Translation, key: str, _: Any) -> None:
    used = found.source.get("pretrained") is True
    found.say(key, "(nothing to write)", "see pretrained" if used else "pretrained is not true")


def _augmentation(found: Translation, key: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        note = "" if truth(value) else "no augmentation"
        found.say(key, "augmentation" if value else "(nothing to write)", note)


def _train_path(found: Translation, key: str, value: Any) -> None:
    for part, note in (("images", ""), ("masks", "every value above 0 is foreground")):
        _set_folder(found, key, part, f"{text(value)}/{part}")
        found.say(key, f"data.{part}: {value}/{part}", note)


def _test_path(found: Translation, key: str, value: Any) -> None:
    _set_folder(found, key, "test", value)
    found.say(key, f"data.test: {value}")


def _set_folder(found: Translation, key: str, part: str, value: Any) -> None:
    found.origins[f"data.{part}"] = key
    found.tree.setdefault("data", {})[part] = found.path(value)


def _log_dir(found: Translation, key: str, _: Any) -> None:
    found.put(key, "callbacks.TensorBoard", {}, "tensorboard --logdir experiments/NAME; the callback adds pictures")


def _steps(found: Translation, key: str, value: Any) -> None:
    found.batches_per_epoch = whole(value)
    found.say(key, "(nothing to write)", "an epoch here shows every image once: see epochs")


def _elsewhere(_: Translation, __: str, ___: Any) -> None:
    """Arguments of ImageDataGenerator are translated together."""


_SAVED = lost("augmented images are not saved; tk preview NAME --count N draws them beside the originals")

_HYPERPARAMETERS: Mapping[str, Rule] = {
    "lr": to("lr"),
    "learning_rate": to("lr"),
    "batch_size": to("batch"),
    "epochs": one_stage,
    "steps_per_epoch": _steps,
    "loss": to("loss", loss_of),
    "metrics": metrics_rule,
    "optimizer": to("optimizer", OPTIMIZER_OF),
}

_MODEL: Mapping[str, Rule] = {
    "name": _name,
    "pooling_number": to("architecture_options.depth", whole),
    "layers_before_pooling": to("architecture_options.convolutions", whole),
    "block_type": to("architecture_options.block", choice({"standard": "standard", "residual": "residual"}, "block")),
    "padding_type": _padding,
    "normalization": to("architecture_options.normalisation", lambda value: "batch" if truth(value) else "none"),
    "start_filters": to("architecture_options.start_filters", whole),
    "input_size": to("shape", _shape, "height, width, channels"),
}

_RULES: Mapping[str, Rule] = {
    **_HYPERPARAMETERS,
    "mode": _mode,
    "model": section(_MODEL),
    "dataset": section({"train_path": _train_path, "test_path": _test_path}),
    "train_path": _train_path,
    "test_path": _test_path,
    "hyperparameters": section(_HYPERPARAMETERS),
    "data_augmentation": _augmentation,
    **dict.fromkeys(_AUGMENTATION, _elsewhere),
    "result_path": always("everything is in experiments/NAME; tk predict NAME FOLDER --out FOLDER"),
    "log_dir": _log_dir,
    "pretrained": _pretrained,
    "pretrained_weights_path": _weights_path,
    "model_path": always("tk predict NAME uses the best weights of the experiment"),
    "save_to_dir": _SAVED,
    "save_dir": _SAVED,
    "save_prefix": _SAVED,
    "save_format": _SAVED,
    "save_predictions_images": always("tk predict NAME FOLDER --out FOLDER --format maps,png"),
}
