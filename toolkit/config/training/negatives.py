"""What a stage may say of negatives."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.core.sampling.epoch_sampling import ALL_NEGATIVES, NO_NEGATIVES, Negatives

_FORMS = "none, real, a number of negatives per positive, {positive_share: 0.8}, or {from: 0.8, to: 0.4}"


def parse_negatives(value: Any) -> Negatives:
    """Read `none`, `real`, a number per positive, `{positive_share: …}`, or `{from: …, to: …}` of such shares.

    Raises:
        ValueError: it is none of these, or a number is out of its range.
    """
    if value == "none":
        return NO_NEGATIVES
    if value == "real":
        return ALL_NEGATIVES
    if isinstance(value, str):
        raise UnknownNameError(value, ("none", "real", "a number per positive", "positive_share", "from and to"))
    if _is_number(value):
        if not 0 < value < 1e6:
            raise ValueError("a number of negatives per positive is above 0; for no negatives say none")
        return Negatives("per_positive", float(value), float(value))
    if not isinstance(value, Mapping):
        raise ValueError(f"expected {_FORMS}; received {value!r}")
    if set(value) == {"positive_share"}:
        inner = value["positive_share"]
        return _shares(inner if isinstance(inner, Mapping) else {"from": inner, "to": inner}, ("positive_share",))
    return _shares(value, ())


def _shares(value: Mapping[str, Any], path: tuple[str, ...]) -> Negatives:
    unknown = [key for key in value if key not in ("from", "to")]
    if unknown:
        allowed = ("from", "to") if path else ("positive_share", "from", "to")
        raise ProblemsAtError([((*path, unknown[0]), UnknownNameError(str(unknown[0]), allowed), None)])
    if set(value) != {"from", "to"}:
        raise ValueError(f"expected {_FORMS}; received {dict(value)!r}")
    for key, share in value.items():
        if not _is_number(share) or not 0 < share <= 1:
            problem = ValueError(f"a share of positives is above 0 and at most 1, received {share!r}")
            at = path if path and value["from"] is value["to"] else (*path, key)
            raise ProblemsAtError([(at, problem, None)])
    return Negatives("positive_share", float(value["from"]), float(value["to"]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
