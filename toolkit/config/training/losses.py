"""Losses that config.yaml may name, their arguments, and weighted sums of them."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from toolkit.config.training.loss_grammar import LossSyntaxError, Weight, WrittenTerm, read_terms
from toolkit.config.yaml.fields import InnerShare, NotNegative, PositiveNumber, ShareBelowOne
from toolkit.config.yaml.named_calls import (
    Call,
    ClosedModel,
    ProblemsAtError,
    UnknownNameError,
    checked_call,
    is_plugin,
    read_calls,
)
from toolkit.config.yaml.yaml_files import KeyPath
from toolkit.core.masks.labels import Activation
from toolkit.errors import not_valid


class NoArguments(ClosedModel):
    """A loss that takes no arguments."""


class CrossentropyArguments(ClosedModel):
    """Arguments of the cross-entropies."""

    label_smoothing: ShareBelowOne = Field(
        0.0, description="Share of each target that is spread evenly over the classes."
    )


class FocalArguments(ClosedModel):
    """Arguments of the focal loss."""

    gamma: NotNegative = Field(
        2.0, description="How strongly pixels that are right already are left aside; 0 is the cross-entropy."
    )
    alpha: InnerShare | None = Field(
        None, description="Weight of foreground pixels, 1 - alpha that of the others (0.25 in the paper); sigmoid only."
    )


class RegionArguments(ClosedModel):
    """Arguments of the losses that measure overlap, class by class."""

    per: Literal["batch", "image"] = Field(
        "batch", description="Overlap of all images of the `batch` together, or of each `image`, then the mean."
    )
    positives_only: bool = Field(
        False, description="Leave out a class where (in the image or the batch, see per) it does not occur."
    )
    smooth: PositiveNumber = Field(
        1.0, description="Pixels added to both sides of the fraction, so that empty masks are defined."
    )


class TverskyArguments(RegionArguments):
    """Arguments of the Tversky loss."""

    alpha: PositiveNumber = Field(0.3, description="Weight of false positives.")
    beta: PositiveNumber = Field(0.7, description="Weight of false negatives.")


class FocalTverskyArguments(TverskyArguments):
    """Arguments of the focal Tversky loss."""

    gamma: Annotated[float, Field(ge=1, le=3)] = Field(
        4 / 3, description="The loss is the Tversky loss to the power 1 / gamma; 1 to 3."
    )


class LovaszArguments(ClosedModel):
    """Arguments of the Lovász losses."""

    per: Literal["image", "batch"] = Field(
        "image", description="Jaccard index of each `image`, then the mean, or of the `batch` together."
    )
    activation: Literal["relu", "elu+1"] = Field(
        "relu", description="What the hinge errors pass through; `elu+1` goes on teaching where the margin is kept; "
        "sigmoid only."
    )  # fmt: skip
    symmetric: bool = Field(False, description="Mean with the loss of the background, seen as the foreground.")
    positives_only: bool | None = Field(
        None, description="Leave out a class where (in the image or the batch, see per) it does not occur; as in the "
        "paper, false with sigmoid and true with softmax if left out."
    )  # fmt: skip


LOSSES: dict[str, type[ClosedModel]] = {
    "binary_crossentropy": CrossentropyArguments,
    "categorical_crossentropy": CrossentropyArguments,
    "dice_loss": RegionArguments,
    "jaccard_loss": RegionArguments,
    "tversky_loss": TverskyArguments,
    "focal_loss": FocalArguments,
    "focal_tversky_loss": FocalTverskyArguments,
    "lovasz_loss": LovaszArguments,
    "boundary_loss": NoArguments,
    "mse_loss": NoArguments,
    "mae_loss": NoArguments,
    "presence_crossentropy": CrossentropyArguments,
}
"""Every term that a loss may name; toolkit.learning.losses.registry holds what they compute."""

LOSS_NAMES = tuple(LOSSES)


@dataclass(frozen=True)
class LossTerm:
    """One weighted term of a loss; the arguments of the user's own losses are as they were written."""

    weight: Weight
    name: str
    arguments: ClosedModel | Mapping[str, Any]


def parse_loss(value: Any, plugins: Collection[str] = ()) -> tuple[LossTerm, ...]:
    """Read a weighted sum of losses.

    Either text (its grammar: `toolkit.config.training.loss_grammar.read_terms`), or
    `{name: {weight: …, argument: …}, …}`, or a list of texts and one-pair mappings. A weight is a number above 0 or
    `{from: a, to: b}`.

    Args:
        value: what the configuration says.
        plugins: names of the user's own losses.

    Raises:
        LossSyntaxError: a text does not follow the grammar, or a name, argument or weight in it is wrong.
        ProblemsAtError: the same of a mapping or list, with the path of each problem.
        ValueError: it has none of these forms.
    """
    if isinstance(value, str):
        return tuple(_from_text(value, term, plugins) for term in read_terms(value))
    if not isinstance(value, Mapping | list | tuple) or not value:
        raise ValueError(
            f"expected a text such as binary_crossentropy+0.5*lovasz_loss, `name: {{argument: value}}` pairs or a "
            f"list of them, received {value!r}"
        )
    entries = value if isinstance(value, list | tuple) else ()
    terms: list[LossTerm] = []
    problems: list[tuple[KeyPath, ValueError, type[BaseModel] | None]] = []
    for call in read_calls(value):
        try:
            written = entries and isinstance(entries[int(call.path[0])], str)
            terms.extend(parse_loss(call.name, plugins) if written else [_from_call(call, plugins)])
        except LossSyntaxError as error:
            problems.append((call.path, error, None))
        except ProblemsAtError as error:
            problems.extend(error.problems)
    if problems:
        raise ProblemsAtError(problems)
    return tuple(terms)


def needs_presence(terms: Sequence[LossTerm]) -> bool:
    """Whether a term compares with the network's presence head."""
    return any(term.name == "presence_crossentropy" for term in terms)


def check_loss(
    terms: Sequence[LossTerm],
    activation: Activation,
    classes: int,
    class_weights: Sequence[float] | Literal["balanced"] | None = None,
) -> None:
    """Check that a loss fits the network's classes.

    Raises:
        ValueError: a term, an argument or the class weights do not fit the activation or the number of classes.
    """
    exclusive = activation == "softmax"
    if all(term.name == "presence_crossentropy" for term in terms):
        raise ValueError("presence_crossentropy alone would never train the masks; add another term")
    for term in terms:
        if term.name == "binary_crossentropy" and exclusive:
            raise ValueError(
                "binary_crossentropy is for independent classes (activation: sigmoid); with softmax take "
                "categorical_crossentropy"
            )
        if term.name == "categorical_crossentropy" and (not exclusive or classes == 1):
            received = f"activation: {activation}" if not exclusive else "classes: 1"
            raise ValueError(
                f"categorical_crossentropy is for two or more exclusive classes (activation: softmax), received "
                f"{received}; take binary_crossentropy with activation: sigmoid"
            )
        if exclusive and isinstance(term.arguments, FocalArguments) and term.arguments.alpha is not None:
            raise ValueError("focal_loss: alpha is for activation: sigmoid; with softmax take class_weights")
        if exclusive and isinstance(term.arguments, LovaszArguments) and term.arguments.activation == "elu+1":
            raise ValueError("lovasz_loss: elu+1 is for activation: sigmoid; errors of softmax are never negative")
    if class_weights is not None:
        check_class_weights(class_weights, classes)


def check_class_weights(weights: Sequence[float] | Literal["balanced"], classes: int) -> None:
    """Check that class weights fit the number of classes.

    Raises:
        ValueError: there is but one class, or not one sensible weight for each.
    """
    if classes == 1:
        raise ValueError(
            "a single class has no other to be weighed against; for rare foreground take dice_loss, "
            "tversky_loss or focal_loss(alpha=0.75)"
        )
    if weights == "balanced":
        return
    if len(weights) != classes:
        raise ValueError(f"expected {classes} numbers, one for each class, received {len(weights)}")
    if any(isinstance(weight, str) or not 0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ValueError(f"expected finite numbers from 0 up, not all 0, received {list(weights)}")


def _from_text(text: str, written: WrittenTerm, plugins: Collection[str]) -> LossTerm:
    arguments = {argument.name: argument.value for argument in written.arguments}
    places = {argument.name: argument for argument in written.arguments}
    if "weight" in arguments:
        raise LossSyntaxError(
            text, places["weight"].position, f"a weight stands before the name: NUMBER*{written.name}"
        )
    if written.name not in LOSSES:
        if is_plugin(written.name, plugins):
            return LossTerm(written.weight, written.name, arguments)
        raise LossSyntaxError(text, written.position, f"loss {not_valid(written.name, [*LOSSES, *plugins])}")
    model = LOSSES[written.name]
    try:
        return LossTerm(written.weight, written.name, model.model_validate(arguments))
    except ValidationError as error:
        details = error.errors()[0]
        argument = places[str(details["loc"][0])]
        if details["type"] == "extra_forbidden":
            known = model.model_fields
            problem = f"argument {not_valid(argument.name, known)}" if known else "takes no arguments"
            problem = f"{written.name}: {problem}"
            raise LossSyntaxError(text, argument.position, problem) from error
        problem = f"{argument.name}: {_value_problem(details)}"
        raise LossSyntaxError(text, argument.value_position, problem) from error


def _value_problem(details: ErrorDetails) -> str:
    if details["type"] == "literal_error":
        allowed = [word.strip().strip("'") for word in details["ctx"]["expected"].replace(" or ", ",").split(",")]
        return not_valid(str(details["input"]), allowed)
    problem = details["msg"].replace("Input should be", "must be").replace("a valid boolean", "true or false")
    return f"{problem.replace('valid ', '')}, received {details['input']!r}"


def _from_call(call: Call, plugins: Collection[str]) -> LossTerm:
    arguments = dict(call.arguments)
    weight = _read_weight(arguments.pop("weight", 1.0), (*call.path, "weight"))
    if call.name in LOSSES:
        # Here and not by the model, which does not know that `weight` is allowed too.
        allowed = ["weight", *LOSSES[call.name].model_fields]
        unknown = [name for name in arguments if name not in allowed]
        if unknown:
            raise ProblemsAtError([((*call.path, name), UnknownNameError(name, allowed), None) for name in unknown])
    checked = checked_call(Call(call.name, arguments, call.path), LOSSES, plugins)
    return LossTerm(weight, call.name, arguments if checked is None else checked)


def _read_weight(value: Any, path: KeyPath) -> Weight:
    if not isinstance(value, Mapping):
        return Weight(_number_at(value, path, "a number above 0, or {from: a, to: b}", zero=False))
    for key in value:
        if key not in ("from", "to"):
            raise ProblemsAtError([((*path, key), UnknownNameError(str(key), ("from", "to")), None)])
    if set(value) != {"from", "to"}:
        raise ProblemsAtError([(path, ValueError(f"expected both from and to, received {dict(value)}"), None)])
    start, end = (_number_at(value[key], (*path, key), "a number from 0 up", zero=True) for key in ("from", "to"))
    if start == end == 0:
        raise ProblemsAtError([(path, ValueError("a term of weight 0 would never train"), None)])
    return Weight(start, end)


def _number_at(value: Any, path: KeyPath, expected: str, *, zero: bool) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
    if not sound or (value == 0 and not zero):
        raise ProblemsAtError([(path, ValueError(f"expected {expected}, received {value!r}"), None)])
    return float(value)
