"""The values of `negatives` and `validation_negatives`."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.yaml.named_calls import UnknownNameError, problem_at, unknown_at
from toolkit.core.sampling.epoch_sampling import ALL_NEGATIVES, NO_NEGATIVES, Negatives

_FORMS = "none, real, a number of negatives per positive, {positive_share: 0.8}, or {from: 0.8, to: 0.4}"


def parse_negatives(value: Any) -> Negatives:
    """Read `none`, `real`, a number per positive, `{positive_share: 0.8}`, or `{from: 0.8, to: 0.4}` of such shares.

    Raises:
        ValueError: the value has another form, or a number is out of range.
    """
    if value == "none":
        return NO_NEGATIVES
    if value == "real":
        return ALL_NEGATIVES
    if isinstance(value, str):
        raise UnknownNameError(value, ("none", "real", "a number per positive", "positive_share", "from and to"))
    if _is_number(value):
        if not 0 < value < 1e6:
            raise ValueError(
                f"expected a number of negatives per positive above 0, received {value!r}; for no negatives, use none"
            )
        return Negatives("per_positive", float(value), float(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"expected {_FORMS}; received {value!r}")
    allowed = ("positive_share", "from", "to")
    for key, share in value.items():
        if key not in allowed:
            raise unknown_at((key,), str(key), allowed)
        if not _is_number(share) or not 0 < share <= 1:
            raise problem_at((key,), f"expected a share of positives above 0 and at most 1, received {share!r}")
    if set(value) == {"positive_share"}:
        return Negatives("positive_share", float(value["positive_share"]), float(value["positive_share"]))
    if set(value) == {"from", "to"}:
        return Negatives("positive_share", float(value["from"]), float(value["to"]))
    raise ValueError(f"expected {_FORMS}; received {dict(value)!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
