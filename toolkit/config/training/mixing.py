"""What `mixing` in config.yaml may say: images of a batch mixed with each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field

from toolkit.config.yaml.fields import PositiveNumber, Share
from toolkit.config.yaml.named_calls import ClosedModel, checked_call, read_all, read_calls

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
    """Read `{mixup: {alpha: 0.2, p: 0.5}, cutmix: {p: 0.3}}`; null and an empty mapping mean no mixing.

    Raises:
        ProblemsAtError: a way of mixing or an argument is unknown, or a value is invalid.
        ValueError: the value is not a mapping.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"expected {', '.join(_WAYS)} with arguments, received {value!r}")
    calls = read_calls(value or {})
    checked = read_all(partial(checked_call, call, _WAYS) for call in calls)
    found: dict[str, Any] = {call.name: arguments for call, arguments in zip(calls, checked, strict=True)}
    return MixingSpec(**found)
