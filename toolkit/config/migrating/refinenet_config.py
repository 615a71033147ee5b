"""The JSON of Image Segmentation Models: RefineNet on an encoder of Keras."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.data.classes import is_background
from toolkit.config.keras.block_names import keras_block_names
from toolkit.config.migrating.image_data_generator import angle, channel_shift, translate_generator
from toolkit.config.migrating.keras_names import (
    BACKBONE_OF,
    OPTIMIZER_OF,
    learning_rate,
    loss_argument_names,
    loss_of,
    optimizer_argument,
)
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
    to,
    truth,
    whole,
)
from toolkit.config.yaml.error_texts import received
from toolkit.config.yaml.key_differences import written
from toolkit.errors import listing, nearest

_FILL = "constant"
_OPTIONS = "architecture_options"


def translate_refinenet(found: Translation) -> None:
    """Translate the whole file into `found`."""
    apply_rules(found, _RULES, found.source)
    for key, rule in {"classes": _classes, "loss": _loss}.items():
        if key not in found.source:
            rule(found, f"{key} (not given)", None)
    if found.tree.get("activation") == "softmax":
        _add_background(found)
    if "stages" not in found.tree and not found.has_refused("epochs"):
        found.refuse("epochs", "the key is missing; expected a whole number")
    optimizer = found.tree.get("optimizer", {})
    if not any(optimizer.values()):
        found.tree["optimizer"] = next(iter(optimizer), "Adam")
    if "lr" not in found.tree:
        rate = learning_rate(found.tree.get("optimizer"))
        found.put("optimizer_kwargs.learning_rate (not given)", "lr", rate, "Keras's default for the optimizer")
    found.put(
        "(not given)", "primary_metric", "miou", "the IoU over all validation images keeps the best weights there"
    )


def _encoder_weights(found: Translation, key: str, value: Any) -> None:
    """`pretrained` decides, and `backbone_kwargs.weights` where it is left out or says which."""
    given = pairs(found.source.get("backbone_kwargs")).get("weights", "imagenet")
    found.put(key, "encoder_weights", given if truth(value) and given == "imagenet" else None)


def _weights(found: Translation, key: str, value: Any) -> None:
    if value not in ("imagenet", None):
        raise NoCounterpartError("only imagenet and null; a file of the encoder's weights: encoder_weights")
    if "pretrained" in found.source:
        found.say(key, "(nothing to write)", "pretrained decides")
    else:
        found.put(key, "encoder_weights", value)


def _trainable(found: Translation, key: str, value: Any) -> None:
    found.put(key, "freeze_encoder", not truth(value))


def _classes(found: Translation, key: str, value: Any) -> None:
    """The classes to train on; with the file of all classes also the number that each has in masks."""
    named = list(value) if isinstance(value, tuple) else [value] if value else []
    if not all(isinstance(name, str) for name in named):
        raise WrongValueError(f"expected a list of names, received {received(value)}")
    if found.numbers:
        _classes_of_file(found, key, named)
    elif named:
        numbers = ", ".join(f"{name} is {number}" for number, name in enumerate(named, start=1))
        assumed = f"{named[0]} is every value above 0" if len(named) == 1 else numbers
        found.put(key, "classes", named, f"assumed values of masks: {assumed}")
        found.warnings.append(
            f"the values that classes have in masks are assumed: {assumed}. If these are only some of the classes of "
            "classes.json, import again with --classes-file classes.json"
        )
    else:
        found.lose(
            key,
            "all classes of classes.json are meant: name that file with --classes-file, or write `classes` in the "
            "order of the values in masks",
        )


def _classes_of_file(found: Translation, key: str, named: list[str]) -> None:
    named = [name for name in named if name in found.numbers or not is_background(name)] or named
    unknown = [name for name in named if name not in found.numbers]
    if unknown:
        raise WrongValueError(
            f"{listing(unknown)}: no such class in the file of --classes-file, which has {listing(found.numbers, 12)}"
        )
    found.put(key, "classes", named or list(found.numbers), "" if named else "all of --classes-file")
    found.put("--classes-file", "data.mask_values", dict(found.numbers), "classes that are not listed are background")


def _add_background(found: Translation) -> None:
    """With softmax every pixel has a class; other pixels need one, and the first class is the background."""
    names = found.tree.get("classes")
    if isinstance(names, list) and "background" not in names:
        note = "with softmax the first class is that of all other pixels"
        found.put("(not given)", "classes", ["background", *names], note)
        values = found.tree.get("data", {}).get("mask_values")
        if values is not None:
            found.tree["data"]["mask_values"] = {"background": 0} | values


def _benchmark(found: Translation, key: str, value: Any) -> None:
    given = found.source.get("classes")
    names = given if isinstance(given, tuple) and given else tuple(found.numbers)
    if value not in names:
        meant = f"the classes are {listing(names, 12)}" if names else "`classes` names none"
        raise NoCounterpartError(f"{value!r} is none of the classes; {meant}")
    found.put(key, "benchmark_class", value, "with its IoU the best weights are kept")


def _loss(found: Translation, key: str, value: Any) -> None:
    exclusive = isinstance(value, str) and "categorical" in value.lower()
    note = "one class per pixel; the first is background" if exclusive else "independent classes"
    found.put(key, "activation", "softmax" if exclusive else "sigmoid", note)
    if value is None:
        return
    given = pairs(found.source.get("loss_kwargs"))
    known = loss_argument_names(value) - {"alpha", "from_logits"}
    arguments = {name: written(argument) for name, argument in given.items() if name in known}
    if given.get("apply_class_balancing") is True:
        arguments["alpha"] = written(given.get("alpha", 0.25))
    found.put(key, "loss", loss_of(value, arguments))


def _loss_arguments(found: Translation, key: str, value: Any) -> None:
    """The arguments themselves are in the loss; here it is only recorded what became of each."""
    known = loss_argument_names(found.source.get("loss")) - {"alpha", "from_logits"}
    rules = {**dict.fromkeys(known, always("see loss")), **_LOSS}
    apply_rules(found, rules, pairs(value), f"{key}.")


_LOSS: Mapping[str, Rule] = {
    "from_logits": always("networks here end in logits, and every loss takes logits: the same loss"),
    "apply_class_balancing": always("see loss"),
    "alpha": always("see loss; without apply_class_balancing it does not weigh foreground against background"),
    "reduction": lost("losses are always means"),
    "name": always("losses have fixed names"),
    "axis": lost("classes are always the last axis"),
}


def _blocks(found: Translation, key: str, value: Any) -> None:
    """Layer names are those of Keras; what a ResNet has is known without building it."""
    if not value:
        found.put(key, f"{_OPTIONS}.refine_net_blocks", None, "the default: four blocks")
        return
    layers = keras_block_names(str(found.source.get("backbone", "")).lower())
    named = [name for block in value if isinstance(block, tuple) for name in block] if isinstance(value, tuple) else []
    unknown = [name for name in named if str(name).startswith("conv") and name not in layers] if layers else []
    if unknown:
        near = {name: nearest(str(name), layers) for name in unknown}
        told = [f"{name}: did you mean {guess!r}?" if guess else f"{name}" for name, guess in near.items()]
        raise WrongValueError(f"{found.source['backbone']} has no such layers: {'; '.join(told)}")
    found.put(key, f"{_OPTIONS}.refine_net_blocks", value)


def _optimizer_arguments(found: Translation, key: str, value: Any) -> None:
    name = OPTIMIZER_OF(found.source.get("optimizer", "Adam"))
    apply_rules(found, {argument: optimizer_argument(name, argument) for argument in pairs(value)}, value, f"{key}.")


def _optimizer(found: Translation, key: str, value: Any) -> None:
    name = OPTIMIZER_OF(value)
    found.tree.setdefault("optimizer", {name: {}})
    found.say(key, f"optimizer: {name}")


def _augment(found: Translation, key: str, value: Any) -> None:
    """Originals and changed copies are in one batch there; here each image is one or the other, with the same odds."""
    given = dict(pairs(value))
    copies, seed = given.pop("multiplier", 1), given.pop("seed", None)
    if seed is not None:
        found.put(f"{key}.seed", "seed", seed, "of all random numbers")
    if copies == 0:
        found.say(f"{key}.multiplier", "(nothing to write)", "0: no changed copies, and so no augmentation")
        return
    share = round(whole(copies) / (whole(copies) + 1), 4)
    place = "augmentation.Sequential"
    transforms = translate_generator(found.part({}, f"{place}.transforms."), _AUGMENT, given, f"{key}.", _FILL)
    if not transforms:
        return
    note = f"{copies} of {copies + 1} images are changed; an epoch shows each image once, not {copies + 1} times"
    found.say(f"{key}.multiplier", f"{place}.p: {share}", note)
    steps = [{name: arguments} for name, arguments in transforms.items()]
    found.tree["augmentation"] = {"Sequential": {"p": share, "transforms": steps}}


def _flip(found: Translation, key: str, value: Any) -> None:
    truth(value)
    found.put(key, "HorizontalFlip", 0.5)
    found.put(key, "VerticalFlip", 0.5)


_AUGMENT: Mapping[str, Rule] = {
    "rotate_range": angle("Affine.rotate"),
    "flip": _flip,
    "channel_shift_range": channel_shift,
}


def _side(value: Any) -> int:
    """The side of a square window, which Keras also writes as two numbers."""
    if isinstance(value, tuple) and len(set(value)) == 1:
        return whole(value[0])
    return whole(value)


_REFINE_NET: Mapping[str, Rule] = {
    "reduce_channel_scale": to(f"{_OPTIONS}.reduce_channel_scale"),
    "rcu_kwargs": section(
        {
            "kernel_size": to(f"{_OPTIONS}.rcu_kwargs.kernel_size", _side),
            "n_layers": lost("a residual unit always has two convolutions; `units` sets their number"),
        }
    ),
    "mrf_kwargs": section(
        {
            "kernel_size": to(f"{_OPTIONS}.mrf_kwargs.kernel_size", _side),
            "use_deconv": lost("features are always resized by interpolation"),
        }
    ),
    "crp_kwargs": section(
        {
            "n_pool_blocks": to(f"{_OPTIONS}.crp_kwargs.pools", whole),
            "k_size_pool": to(f"{_OPTIONS}.crp_kwargs.pool_size", _side),
            "k_size_conv": to(f"{_OPTIONS}.crp_kwargs.kernel_size", _side),
        }
    ),
}

_RULES: Mapping[str, Rule] = {
    "type": to("architecture", choice({"RefineNet": "RefineNet"}, "type of model")),
    "name": lambda found, key, _: found.say(key, "the name of the experiment"),
    "backbone": to("backbone", BACKBONE_OF),
    "backbone_kwargs": section(
        {
            "include_top": always("encoders never have a classifier"),
            "weights": _weights,
            "input_shape": lost("the size of the input is that of input_shape at the top"),
        }
    ),
    "pretrained": _encoder_weights,
    "backbone_trainable": _trainable,
    "refine_net_blocks": _blocks,
    "input_shape": to("shape", note="height, width, channels"),
    "classes": _classes,
    "refine_net_kwargs": section(_REFINE_NET),
    "augment": _augment,
    "epochs": one_stage,
    "batch_size": to("batch"),
    "loss": _loss,
    "loss_kwargs": _loss_arguments,
    "optimizer": _optimizer,
    "optimizer_kwargs": _optimizer_arguments,
    "benchmark_class": _benchmark,
}
