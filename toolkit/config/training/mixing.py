"""What `mixing` in config.yaml may say: images of a batch mixed with each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from toolkit.config.yaml.fields import PositiveNumber, Share
from toolkit.config.yaml.named_calls import Call, ClosedModel, ProblemsAtError, checked_call

_CHANCE = "Chance that a batch is mixed so."


class Mixup(ClosedModel):
    """Two whole images blended, and their targets alike (Zhang et al. 2018)."""

    p: Share = Field(0.5, description=_CHANCE)
    alpha: PositiveNumber = Field(
        0.2, description="The share of the partner is drawn from Beta(alpha, alpha): small values leave most images "
        "nearly as they are."
    )  # fmt: skip


class CutMix(ClosedModel):
    """A rectangle of the partner in the place of the image's own (Yun et al. 2019)."""

    p: Share = Field(0.5, description=_CHANCE)
    alpha: PositiveNumber = Field(
        1.0, description="The share of the rectangle is drawn from Beta(alpha, alpha): 1 makes all sizes alike."
    )


class CopyPaste(ClosedModel):
    """Objects of the partner pasted where they stand (Ghiasi et al. 2021)."""

    p: Share = Field(0.5, description=_CHANCE)
    objects: Share = Field(0.5, description="Chance of each object, a connected piece of foreground, to be pasted.")


@dataclass(frozen=True)
class MixingSpec:
    """How batches are mixed; None for a way that is not used. At most one of them happens to a batch."""

    mixup: Mixup | None = None
    cutmix: CutMix | None = None
    copy_paste: CopyPaste | None = None


_WAYS: Mapping[str, type[Mixup] | type[CutMix] | type[CopyPaste]] = {
    "mixup": Mixup,
    "cutmix": CutMix,
    "copy_paste": CopyPaste,
}


def parse_mixing(value: Any) -> MixingSpec:
    """Read `{mixup: {alpha: 0.2, p: 0.5}, cutmix: 0.3, copy_paste: null}`; a number is the probability.

    Raises:
        ProblemsAtError: an unknown way or argument, or a value that is not allowed.
        ValueError: not a mapping.
    """
    if value is None:
        return MixingSpec()
    if not isinstance(value, Mapping):
        raise ValueError(f"expected `mixup`, `cutmix` or `copy_paste` with arguments, received {value!r}")
    found: dict[str, Any] = {}
    problems: list[Any] = []
    for name, given in value.items():
        arguments = {"p": given} if isinstance(given, int | float) and not isinstance(given, bool) else given or {}
        try:
            if not isinstance(arguments, Mapping):
                text = f"expected a probability or `argument: value` pairs, received {given!r}"
                raise ProblemsAtError([((name,), ValueError(text), None)])
            found[name] = checked_call(Call(name, arguments, (name,)), _WAYS)
        except ProblemsAtError as error:
            problems.extend(error.problems)
    if problems:
        raise ProblemsAtError(problems)
    return MixingSpec(**found)
