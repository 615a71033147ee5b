"""The JSON of Image Segmentation Models: RefineNet on an encoder of Keras."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.migrating.image_data_generator import angle, channel_shift, translate_generator
from toolkit.config.migrating.keras_names import BACKBONE_OF, OPTIMIZER_OF, learning_rate, loss_of, optimizer_argument
from toolkit.config.migrating.translation import (
    NoCounterpartError,
    Rule,
    Translation,
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
from toolkit.config.yaml.key_differences import written

_FILL = "constant"


def translate_refinenet(found: Translation) -> None:
    """Translate the whole file into `found`."""
    apply_rules(found, _RULES, found.source)
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
        found.say(key, "(nothing to write)", "see pretrained")
    else:
        found.put(key, "encoder_weights", value)


def _trainable(found: Translation, key: str, value: Any) -> None:
    found.put(key, "freeze_encoder", not truth(value))


def _classes(found: Translation, key: str, value: Any) -> None:
    if not value:
        raise NoCounterpartError(
            "all classes of classes.json are meant: name them in `classes`, as the masks have them"
        )
    found.put(key, "classes", list(value) if isinstance(value, tuple) else value)


def _benchmark(found: Translation, key: str, value: Any) -> None:
    if value not in (found.source.get("classes") or ()):
        raise NoCounterpartError(f"{value!r} is not among `classes`; set both")
    found.put(key, "benchmark_class", value, "with its IoU the best weights are kept")


def _loss(found: Translation, key: str, value: Any) -> None:
    given = pairs(found.source.get("loss_kwargs"))
    arguments = {name: written(given[name]) for name in ("label_smoothing", "gamma") if name in given}
    if given.get("apply_class_balancing") is True:
        arguments["alpha"] = written(given.get("alpha", 0.25))
    found.put(key, "loss", loss_of(value, arguments))
    exclusive = "categorical" in value.lower()
    note = "one class per pixel; the first is background" if exclusive else "independent classes"
    found.put(key, "activation", "softmax" if exclusive else "sigmoid", note)


_LOSS: Mapping[str, Rule] = {
    "from_logits": always("networks here end in logits, and every loss takes logits: the same loss"),
    **dict.fromkeys(("label_smoothing", "gamma", "apply_class_balancing"), always("see loss")),
    "alpha": always("see loss; without apply_class_balancing it does not weigh foreground against background"),
    "reduction": lost("losses are always means"),
    "name": always("losses have fixed names"),
}


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


_OPTIONS = "architecture_options"

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
    "type": to("architecture", choice({"RefineNet": "RefineNet"}, "type of model", "Unet")),
    "name": lambda found, key, _: found.say(key, "the name of the experiment"),
    "backbone": to("backbone", BACKBONE_OF),
    "backbone_kwargs": section(
        {
            "include_top": always("encoders never have a classifier"),
            "weights": _weights,
            "input_shape": lost("see shape"),
        }
    ),
    "pretrained": _encoder_weights,
    "backbone_trainable": _trainable,
    "refine_net_blocks": to(f"{_OPTIONS}.refine_net_blocks"),
    "input_shape": to("shape", note="height, width, channels"),
    "classes": _classes,
    "refine_net_kwargs": section(_REFINE_NET),
    "augment": _augment,
    "epochs": one_stage,
    "batch_size": to("batch"),
    "loss": _loss,
    "loss_kwargs": section(_LOSS),
    "optimizer": _optimizer,
    "optimizer_kwargs": _optimizer_arguments,
    "benchmark_class": _benchmark,
}
