"""The value of `mixing`: how images of a batch are mixed with each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import PositiveNumber, Share
from toolkit.config.yaml.named_calls import checked_call, read_all, read_calls

_CHANCE = "Share of the batches that are mixed in this way."


class Mixup(ClosedModel):
    """Blend two images and their targets (Zhang et al. 2018, arXiv:1710.09412)."""

    p: Share = Field(0.5, description=_CHANCE)
    alpha: PositiveNumber = Field(
        0.2, description="The share of the second image is drawn from Beta(alpha, alpha). Small values leave most "
        "images nearly unchanged."
    )  # fmt: skip


class CutMix(ClosedModel):
    """Replace a rectangle of the image with that of another image (Yun et al. 2019, arXiv:1905.04899)."""

    p: Share = Field(0.5, description=_CHANCE)
    alpha: PositiveNumber = Field(
        1.0, description="The area share of the rectangle is drawn from Beta(alpha, alpha); 1 is uniform."
    )


class CopyPaste(ClosedModel):
    """Paste objects of another image at the same place (Ghiasi et al. 2021, arXiv:2012.07177)."""

    p: Share = Field(0.5, description=_CHANCE)
    objects: Share = Field(
        0.5, description="Probability that an object (a connected component of foreground) is pasted."
    )


@dataclass(frozen=True)
class MixingSpec:
    """How batches are mixed; None for a way that is not used. At most one way is applied to a batch."""

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
