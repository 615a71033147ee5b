"""The losses of config.yaml, their arguments, and weighted sums of them."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from toolkit.config.keras import loss_arguments as keras_losses
from toolkit.config.keras.function_names import function_names
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import describe_value
from toolkit.config.yaml.fields import InnerShare, NotNegative, PositiveNumber, ShareBelowOne
from toolkit.config.yaml.loss_grammar import LossSyntaxError, Weight, WrittenTerm, read_terms
from toolkit.config.yaml.named_calls import (
    Call,
    UnknownNameError,
    checked_arguments,
    is_plugin,
    read_call,
    unknown_at,
)
from toolkit.config.yaml.plugin_names import names_of_kind, refuse_other_kind
from toolkit.core.masks.labels import Activation
from toolkit.errors import not_valid


class NoArguments(ClosedModel):
    """A loss that takes no arguments."""


class CrossentropyArguments(ClosedModel):
    """Arguments of the cross-entropy losses."""

    label_smoothing: ShareBelowOne = Field(
        0.0, description="Share of each target that is distributed evenly over the classes."
    )


class FocalArguments(ClosedModel):
    """Arguments of the focal loss."""

    gamma: NotNegative = Field(
        2.0, description="How strongly well-classified pixels are down-weighted; 0 gives the cross-entropy."
    )
    alpha: InnerShare | None = Field(
        None,
        description="Weight of foreground pixels; background pixels weigh 1 - alpha (0.25 in the paper). Only "
        "with sigmoid.",
    )


class RegionArguments(ClosedModel):
    """Arguments of the losses that measure overlap for each class."""

    per: Literal["batch", "image"] = Field(
        "batch", description="Overlap over the whole `batch`, or over each `image`, then averaged."
    )
    positives_only: bool = Field(
        False, description="Leave out a class where it does not occur (in the image or batch; see `per`)."
    )
    smooth: PositiveNumber = Field(
        1.0, description="Pixels added to numerator and denominator, so that the loss of empty masks is defined."
    )


class TverskyArguments(RegionArguments):
    """Arguments of the Tversky loss."""

    alpha: PositiveNumber = Field(0.3, description="Weight of false positives.")
    beta: PositiveNumber = Field(0.7, description="Weight of false negatives.")


class FocalTverskyArguments(TverskyArguments):
    """Arguments of the focal Tversky loss."""

    gamma: Annotated[float, Field(ge=1, le=3)] = Field(
        4 / 3, description="The loss is the Tversky loss to the power 1 / gamma. From 1 to 3."
    )


class LovaszArguments(ClosedModel):
    """Arguments of the Lovász losses."""

    per: Literal["image", "batch"] = Field(
        "image", description="Jaccard index over each `image`, then averaged, or over the whole `batch`."
    )
    activation: Literal["relu", "elu+1"] = Field(
        "relu", description="Function of the hinge errors. `elu+1` also has a gradient where the margin is kept. Only "
        "with sigmoid."
    )  # fmt: skip
    symmetric: bool = Field(False, description="Average with the loss of background as the foreground.")
    positives_only: bool | None = Field(
        None,
        description="Leave out a class where it does not occur (in the image or batch; see `per`). The default is "
        "that of the paper: false with sigmoid, true with softmax.",
    )


Wants = Literal["logits", "probabilities", "presence"]
"""What a loss compares with the truth: logits or probabilities of the masks, or logits of the presence head."""

Formula = tuple[Wants, str]
"""What a loss wants, and the function that computes it: its module in `toolkit.learning.losses`, and its name."""


_EITHER: tuple[Activation, ...] = ("sigmoid", "softmax")


@dataclass(frozen=True)
class LossKind:
    """The registry's entry of a loss: its arguments, and its formula for the activations that it can be used with.

    `takes_fractions` has the activations for which, of all predictions, probabilities between 0 and 1 as the truth have
    the smallest loss themselves. Overlaps are smallest at masks, and focal losses nearer to one half.
    """

    arguments: type[ClosedModel]
    formulas: Mapping[Activation, Formula]
    takes_fractions: tuple[Activation, ...] = ()


def _for_both(
    arguments: type[ClosedModel], wants: Wants, function: str, *, takes_fractions: tuple[Activation, ...] = ()
) -> LossKind:
    return LossKind(arguments, {"sigmoid": (wants, function), "softmax": (wants, function)}, takes_fractions)


LOSSES: dict[str, LossKind] = {
    "binary_crossentropy": LossKind(
        CrossentropyArguments, {"sigmoid": ("logits", "pixel.binary_crossentropy")}, takes_fractions=_EITHER
    ),
    "categorical_crossentropy": LossKind(
        CrossentropyArguments, {"softmax": ("logits", "pixel.categorical_crossentropy")}, takes_fractions=_EITHER
    ),
    "dice_loss": _for_both(RegionArguments, "probabilities", "region.dice_loss"),
    "jaccard_loss": _for_both(RegionArguments, "probabilities", "region.jaccard_loss"),
    "tversky_loss": _for_both(TverskyArguments, "probabilities", "region.tversky_loss"),
    "focal_loss": LossKind(
        FocalArguments, {"sigmoid": ("logits", "pixel.binary_focal"), "softmax": ("logits", "pixel.categorical_focal")}
    ),
    "focal_tversky_loss": _for_both(FocalTverskyArguments, "probabilities", "region.focal_tversky_loss"),
    "lovasz_loss": LossKind(
        LovaszArguments,
        {"sigmoid": ("logits", "lovasz.lovasz_hinge"), "softmax": ("probabilities", "lovasz.lovasz_softmax")},
        takes_fractions=("softmax",),
    ),
    "boundary_loss": _for_both(NoArguments, "probabilities", "boundary.boundary_loss", takes_fractions=_EITHER),
    "mse_loss": _for_both(NoArguments, "probabilities", "pixel.mse_loss", takes_fractions=_EITHER),
    "mae_loss": _for_both(NoArguments, "probabilities", "pixel.mae_loss", takes_fractions=_EITHER),
    "presence_crossentropy": _for_both(
        CrossentropyArguments, "presence", "pixel.presence_crossentropy", takes_fractions=_EITHER
    ),
}
"""The toolkit's own losses, which config.yaml can name."""

_PLANES_OF_LOGITS: Formula = ("logits", "keras.mean_over_planes")
_VECTORS_OF_LOGITS: Formula = ("logits", "keras.mean_over_pixels")
_PLANES: Formula = ("probabilities", "keras.mean_over_planes")
_VECTORS: Formula = ("probabilities", "keras.mean_over_pixels")
_MARGINS: Formula = ("logits", "keras.mean_of_margins")
_CLASS_NUMBERS: Formula = ("logits", "keras.mean_of_class_numbers")

_OF_KERAS: tuple[LossKind, ...] = (
    LossKind(keras_losses.BinaryCrossentropy, {"sigmoid": _PLANES_OF_LOGITS}, takes_fractions=_EITHER),
    LossKind(keras_losses.BinaryFocalCrossentropy, {"sigmoid": _PLANES_OF_LOGITS}),
    LossKind(keras_losses.CategoricalCrossentropy, {"softmax": _VECTORS_OF_LOGITS}, takes_fractions=_EITHER),
    LossKind(keras_losses.CategoricalFocalCrossentropy, {"softmax": _VECTORS_OF_LOGITS}),
    LossKind(keras_losses.SparseCategoricalCrossentropy, {"softmax": _CLASS_NUMBERS}),
    LossKind(keras_losses.Hinge, {"sigmoid": _MARGINS}),
    LossKind(keras_losses.SquaredHinge, {"sigmoid": _MARGINS}),
    LossKind(keras_losses.CategoricalHinge, {"softmax": _VECTORS_OF_LOGITS}),
    LossKind(keras_losses.CosineSimilarity, {"softmax": _VECTORS}, takes_fractions=_EITHER),
    LossKind(keras_losses.KLDivergence, {"softmax": _VECTORS}, takes_fractions=_EITHER),
    LossKind(keras_losses.Huber, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER),
    LossKind(keras_losses.LogCosh, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER),
    LossKind(keras_losses.MeanAbsoluteError, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER),
    LossKind(
        keras_losses.MeanAbsolutePercentageError, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER
    ),
    LossKind(keras_losses.MeanSquaredError, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER),
    LossKind(
        keras_losses.MeanSquaredLogarithmicError, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER
    ),
    LossKind(keras_losses.Poisson, {"sigmoid": _PLANES, "softmax": _PLANES}, takes_fractions=_EITHER),
)

KERAS_LOSSES: dict[str, LossKind] = {kind.arguments.__name__: kind for kind in _OF_KERAS}
"""The losses of tf.keras.losses by the name of their class, for the activations that they are defined for.

Networks end in logits, and a loss that has `from_logits` gets them, whatever `from_logits` says: its value is that of
the probabilities, but exact where these are rounded to 0 or 1. Hinges compare margins, which are logits. All others get
probabilities.
"""

_KERAS_FUNCTIONS = function_names(KERAS_LOSSES)


@dataclass(frozen=True)
class LossTerm:
    """One weighted term of a loss; the arguments of a plugin are kept as they were written."""

    weight: Weight
    name: str
    arguments: ClosedModel | Mapping[str, Any]


_LONGEST = 2_000


def parse_loss(value: Any, plugins: Collection[str] = ()) -> tuple[LossTerm, ...]:
    """Read a weighted sum of losses, or one loss with its arguments: `{Huber: {delta: 2}}`.

    The grammar of a sum: `toolkit.config.yaml.loss_grammar.read_terms`. Names are those of the toolkit's losses, of
    plugins, and of Keras's classes and functions; where one name means several, the first of these is meant.

    Args:
        value: what the configuration says.
        plugins: names of losses that the user's plugins.py defines; dotted paths are accepted as well.

    Raises:
        LossSyntaxError: the text does not follow the grammar, or a name, argument or weight is invalid.
        ProblemsAtError: the name or an argument of a loss that is not text is invalid.
        ValueError: the value is neither text nor a loss with its arguments.
    """
    if isinstance(value, Mapping):
        return (_called(read_call(value), plugins),)
    if not isinstance(value, str):
        raise ValueError(
            "expected text (for example binary_crossentropy + 0.5*lovasz_loss) or one loss with its arguments (for "
            f"example {{Huber: {{delta: 2}}}}), received {value!r}"
        )
    if len(value) > _LONGEST:
        raise ValueError(f"a loss has at most {_LONGEST} characters, received {len(value)}")
    return tuple(_checked(value, term, plugins) for term in read_terms(value))


def needs_presence(terms: Sequence[LossTerm]) -> bool:
    """Whether a term trains the network's presence head."""
    return any(term.name == "presence_crossentropy" for term in terms)


def _fits(kind: LossKind, activation: Activation) -> bool:
    return activation in kind.formulas and activation in kind.takes_fractions


def refuse_fractions(terms: Sequence[LossTerm], activation: Activation) -> None:
    """Check that every term can take probabilities as the truth; those of plugins are trusted to.

    Raises:
        ValueError: some cannot.
    """
    kinds = LOSSES | KERAS_LOSSES
    own = [term.name for term in terms if not isinstance(term.arguments, Mapping)]
    unfit = dict.fromkeys(name for name in own if activation not in kinds[name].takes_fractions)
    if unfit:
        able = ", ".join(name for name, kind in LOSSES.items() if _fits(kind, activation))
        raise ValueError(
            f"soft: true gives the loss probabilities as the truth, but {', '.join(unfit)} has no smallest value "
            f"at these probabilities, so the network would learn something else; use soft: false, or a loss of {able}"
        )


def check_loss(
    terms: Sequence[LossTerm],
    activation: Activation,
    classes: int,
    class_weights: Sequence[float] | Literal["balanced"] | None = None,
) -> None:
    """Check that a loss fits the network's classes.

    Raises:
        ValueError: a term, an argument or the class weights do not match the activation or the number of classes.
    """
    exclusive = activation == "softmax"
    if all(term.name == "presence_crossentropy" for term in terms):
        raise ValueError("presence_crossentropy trains the presence head only; add a term that trains the masks")
    for term in terms:
        if term.name == "binary_crossentropy" and exclusive:
            raise ValueError(
                "binary_crossentropy is for independent classes (activation: sigmoid); with softmax, use "
                "categorical_crossentropy"
            )
        if term.name == "categorical_crossentropy" and (not exclusive or classes == 1):
            received = f"activation: {activation}" if not exclusive else "classes: 1"
            raise ValueError(
                f"categorical_crossentropy is for two or more exclusive classes (activation: softmax), received "
                f"{received}; use binary_crossentropy with activation: sigmoid"
            )
        if term.name in KERAS_LOSSES and isinstance(term.arguments, ClosedModel):
            _check_keras(term.name, activation, classes)
        if exclusive and isinstance(term.arguments, FocalArguments) and term.arguments.alpha is not None:
            raise ValueError("focal_loss: alpha requires activation: sigmoid; use class_weights with softmax")
        if exclusive and isinstance(term.arguments, LovaszArguments) and term.arguments.activation == "elu+1":
            raise ValueError(
                "lovasz_loss: elu+1 requires activation: sigmoid, because errors of softmax are never negative"
            )
    if class_weights is not None:
        check_class_weights(class_weights, classes)


def _check_keras(name: str, activation: Activation, classes: int) -> None:
    formulas = KERAS_LOSSES[name].formulas
    if activation in formulas and (len(formulas) > 1 or activation == "sigmoid" or classes > 1):
        return
    wanted = "two or more exclusive classes (activation: softmax)"
    if "sigmoid" in formulas:
        wanted = "independent classes (activation: sigmoid)"
    other = name.replace("Binary", "Categorical") if "Binary" in name else name.replace("Categorical", "Binary")
    instead = f"; use {other}" if other in KERAS_LOSSES and other != name else ""
    received = f"activation: {activation}" if activation not in formulas else f"classes: {classes}"
    raise ValueError(f"{name} is for {wanted}, received {received}{instead}")


def check_class_weights(weights: Sequence[float] | Literal["balanced"], classes: int) -> None:
    """Check that class weights fit the number of classes.

    Raises:
        ValueError: there is a single class, or the number of weights or a weight is invalid.
    """
    if classes == 1:
        raise ValueError(
            "class weights have no effect with a single class; for rare foreground, use dice_loss, tversky_loss or "
            "focal_loss(alpha=0.75)"
        )
    if weights == "balanced":
        return
    if len(weights) != classes:
        raise ValueError(f"expected {classes} numbers, one for each class, received {len(weights)}")
    if any(isinstance(weight, str) or not 0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ValueError(f"expected finite numbers of at least 0, not all 0, received {list(weights)}")


def _find(name: str, plugins: Collection[str]) -> tuple[str, type[ClosedModel] | None]:
    """The name of a loss, without Keras's other spellings, and its arguments; None for a plugin.

    Raises:
        UnknownNameError: there is no such loss.
        ValueError: the name is a plugin of another kind.
    """
    if name in LOSSES:
        return name, LOSSES[name].arguments
    if is_plugin(name, plugins):
        refuse_other_kind("loss", name, plugins)
        return name, None
    keras = _KERAS_FUNCTIONS.get(name, name)
    if keras in KERAS_LOSSES:
        return keras, KERAS_LOSSES[keras].arguments
    raise UnknownNameError(name, [*LOSSES, *KERAS_LOSSES, *names_of_kind("loss", plugins)])


def _called(call: Call, plugins: Collection[str]) -> LossTerm:
    try:
        name, model = _find(call.name, plugins)
    except UnknownNameError as error:
        raise unknown_at(call.path, call.name, error.allowed) from error
    return LossTerm(Weight(1.0), name, call.arguments if model is None else checked_arguments(call, model))


def _checked(text: str, written: WrittenTerm, plugins: Collection[str]) -> LossTerm:
    arguments = {argument.name: argument.value for argument in written.arguments}
    places = {argument.name: argument for argument in written.arguments}
    try:
        name, model = _find(written.name, plugins)
    except UnknownNameError as error:
        raise LossSyntaxError(text, written.position, f"loss {not_valid(written.name, error.allowed)}") from error
    if model is None:
        return LossTerm(written.weight, name, arguments)
    try:
        return LossTerm(written.weight, name, model.model_validate(arguments))
    except ValidationError as error:
        problems = error.errors()
        argument = places[str(problems[0]["loc"][0])]
        if problems[0]["type"] == "extra_forbidden":
            known = model.model_fields
            problem = f"argument {not_valid(argument.name, known)}" if known else "takes no arguments"
            raise LossSyntaxError(text, argument.position, f"{written.name}: {problem}") from error
        problem = describe_value([one for one in problems if one["loc"][0] == argument.name])
        raise LossSyntaxError(text, argument.value_position, f"{argument.name}: {problem}") from error
