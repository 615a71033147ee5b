"""Every loss by name, and the weighted sum of losses that a configuration describes.

The entry of a loss in `toolkit.config.training.losses` names the function that computes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from toolkit.config.training.architectures import DeepSupervision
from toolkit.config.training.losses import KERAS_LOSSES, LOSSES, LossTerm, Wants
from toolkit.core.masks.labels import Activation
from toolkit.errors import ConfigError
from toolkit.learning.losses.targets import Tensor, Truth, read_truth
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.plugins import NO_PLUGINS, check_call, create
from toolkit.learning.runtime import in_float32, tf

_IGNORED_LOGIT = -30.0  # for losses of plugins: background, with certainty in float32


@dataclass(frozen=True)
class Loss:
    """A loss: `compute(truth, prediction, arguments)` returns a float32 scalar.

    `wants` says what the prediction is: `logits` or `probabilities`, float32 (batch, height, width, classes), or
    `presence`, the logits of the presence head, float32 (batch, classes).
    """

    wants: Wants
    compute: Callable[[Truth, Tensor, Any], Tensor]


def loss_of(name: str, activation: Activation) -> Loss:
    """The loss of this name in `LOSSES` or `KERAS_LOSSES`, for a network with this activation."""
    wants, place = (LOSSES | KERAS_LOSSES)[name].formulas[activation]
    module, _, function = place.partition(".")
    return Loss(wants, getattr(import_module(f"toolkit.learning.losses.{module}"), function))


TotalLoss = Callable[[Tensor, Outputs, Tensor], Tensor]
"""`loss(target, outputs, progress)`; `progress` is the float32 share (0–1) of the stage that is done."""


def build_loss(
    terms: Sequence[LossTerm],
    activation: Activation,
    class_weights: Sequence[float] | None = None,
    plugins: Mapping[str, Any] = NO_PLUGINS,
    deep_supervision: DeepSupervision | None = None,
) -> TotalLoss:
    """The weighted sum of loss terms that `toolkit.config.training.losses.check_loss` has accepted.

    It takes targets (batch, height, width, classes), uint8 or floating, 0–1 or IGNORE in all planes of a pixel, and
    possibly the weights of the pixels as one more plane; it returns a float32 scalar. Ignored pixels change neither
    value nor gradient. Coarse masks, finest first, go through the same terms, with the shares and for the images that
    `deep_supervision` says. The other images are ignored in coarse masks, as if all their pixels were.

    Args:
        terms: from the configuration.
        activation: from the network's logits to probabilities.
        class_weights: the weight of each class; equal if left out.
        plugins: the user's losses by name. `loss(target, prediction, **arguments)` returns a scalar, or a map of
            values whose mean is taken. The prediction is what the attribute `wants` of the loss says: `logits`, or
            `probabilities`, the default. Ignored pixels are passed as background that the network has predicted
            correctly.
        deep_supervision: how the coarse masks count; as by default if left out.

    Raises:
        ConfigError: a loss of plugins has another value in `wants`.
    """
    losses = [(term, _loss(term, activation, plugins)) for term in terms]
    supervision = deep_supervision or DeepSupervision()

    def total(target: Tensor, outputs: Outputs, progress: Tensor) -> Tensor:
        truth = read_truth(target, class_weights, outputs.logits.shape[-1])
        coarse_truth = truth.of_positives(activation) if supervision.images == "positives" else truth
        truths = [truth, *(coarse_truth for _ in outputs.auxiliary)]
        found = zip(truths, (outputs.logits, *outputs.auxiliary), strict=True)
        masks = [_Mask(true, _predictions(true, logits, activation)) for true, logits in found]
        if outputs.presence is not None:
            masks[0].predictions["presence"] = in_float32(outputs.presence, tf.reduce_max(truth.valid, axis=(1, 2)))
        shares = supervision.shares(len(outputs.auxiliary))
        values = [term.weight.at(progress) * _value(term, loss, masks, shares) for term, loss in losses]
        return tf.add_n(values)

    return total


def _loss(term: LossTerm, activation: Activation, plugins: Mapping[str, Any]) -> Loss:
    if isinstance(term.arguments, Mapping):
        return _plugin_loss(term.name, plugins[term.name], term.arguments)
    return loss_of(term.name, activation)


def _plugin_loss(name: str, found: Any, arguments: Mapping[str, Any]) -> Loss:
    """A function of the user, or an object of a class that is created with the arguments."""
    if isinstance(found, type):
        found, arguments = create("loss", name, {name: found}, arguments), {}
    wants = cast(Wants, getattr(found, "wants", "probabilities"))
    if wants not in ("logits", "probabilities"):
        raise ConfigError(f"loss {name}: its attribute `wants` must be logits or probabilities, received {wants!r}")
    check_call(name, found, ("target", wants), arguments)

    def compute(truth: Truth, prediction: Tensor, _: Any) -> Tensor:
        prediction = truth.where_valid(prediction, _IGNORED_LOGIT if wants == "logits" else 0.0)
        return _mean(name, tf.cast(found(truth.target, prediction, **arguments), tf.float32), truth)

    return Loss(wants, compute)


def _mean(name: str, values: Tensor, truth: Truth) -> Tensor:
    """The mean of what a loss of the user returns: a number, or numbers of images, of pixels, or of pixels and classes.

    Like the losses of Keras, those of the user may leave the mean to their caller. Ignored pixels are left out of it.
    """
    means = {0: tf.identity, 1: truth.mean_over_images, 3: truth.mean_over_pixels, 4: truth.mean_over_planes}
    rank, wanted = values.shape.rank, truth.target.shape
    if rank not in means or not values.shape.is_compatible_with(wanted[:rank]):
        raise ConfigError(
            f"loss {name} must return one number, or a map of them: (batch,), (batch, height, width) or (batch, "
            f"height, width, classes); it returned the shape {values.shape} for targets of shape {wanted}"
        )
    if rank == 0 and truth.pixel_weights is not None:
        raise ConfigError(
            f"loss {name} returns one number for a batch, in which pseudo-labelled images cannot count less (pseudo: "
            "weight)",
            "Set pseudo.weight: 1, or return a number for each image or pixel.",
        )
    return means[rank](values)


@dataclass(frozen=True)
class _Mask:
    """A mask of the network by what losses want of it, and the truth that it is compared with."""

    truth: Truth
    predictions: dict[str, Tensor]


def _predictions(truth: Truth, logits: Tensor, activation: Activation) -> dict[str, Tensor]:
    """A mask as logits and as probabilities; in ignored pixels logits are 0 and have no gradient."""
    logits = in_float32(logits, truth.valid)
    # TensorFlow leaves what no term uses out of the graph.
    return {"logits": logits, "probabilities": tf.sigmoid(logits) if activation == "sigmoid" else tf.nn.softmax(logits)}


def _value(term: LossTerm, loss: Loss, masks: Sequence[_Mask], shares: Sequence[float]) -> Tensor:
    """The weighted mean of a term over the masks, the network's own first."""
    if loss.wants == "presence":
        if "presence" not in masks[0].predictions:
            raise ConfigError(f"loss: {term.name} needs a network with a presence head; set presence_head: true")
        return loss.compute(masks[0].truth, masks[0].predictions["presence"], term.arguments)
    values = [loss.compute(mask.truth, mask.predictions[loss.wants], term.arguments) for mask in masks]
    return tf.add_n([share * value for share, value in zip(shares, values, strict=True)])
