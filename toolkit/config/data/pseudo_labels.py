"""The key `pseudo`: from which labels of another experiment training learns, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, create_model

from toolkit.config.members import parse_member
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import InnerShare, Share, checked_by
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.core.masks.labels import Classes
from toolkit.core.sampling.pseudo_labels import LabelRule

Band = tuple[Share, Share]
"""Below the first probability a class is absent, above the second it is present; pixels in between are ignored."""

HARD_BAND = (0.3, 0.7)
"""The thresholds of hard labels by default."""


def _ascending(value: Any) -> Any:
    for low, high in value.values() if isinstance(value, dict) else () if value is None else (value,):
        if low > high:
            raise ValueError(f"expected two ascending probabilities, received [{low:g}, {high:g}]")
    return value


def _known_part(name: str) -> str:
    parse_member(name)
    return name


_KEYS: Mapping[str, Any] = {
    "from": (
        Annotated[str, AfterValidator(_known_part)],
        Field(description="The teacher: an experiment, a part of one (`exp042:snapshots`), or an ensemble, for "
              "which `tk pseudo` has made labels."),
    ),
    "share": (
        InnerShare,
        Field(0.5, description="Share of the samples of an epoch that are pseudo-labelled. They come on top of the "
              "labelled ones: with 0.5 an epoch is twice as long."),
    ),
    "minimum_confidence": (
        Share,
        Field(0.9, description="Images whose labels are less certain are left out, see docs/pseudo-labels.md."),
    ),
    "soft": (
        bool,
        Field(True, description="Learn the probabilities; with `false` masks. Losses that are not smallest at the "
              "probabilities themselves need `false`."),
    ),
    "weight": (
        Annotated[float, Field(gt=0, le=1)],
        Field(1.0, description="What a pseudo-labelled pixel counts in the loss, compared with a labelled one."),
    ),
    "thresholds": (
        Annotated[Band | dict[str, Band] | None, AfterValidator(_ascending)],
        Field(None, description="A class is absent up to the first probability and present from the second; pixels "
              "in between are ignored. For all classes, or by class: `{salt: [0.2, 0.8]}`. Default: [0.3, 0.7] "
              "for masks; with `soft` no pixel is ignored."),
    ),
}  # fmt: skip

PSEUDO_KEYS = create_model("PseudoKeys", __base__=ClosedModel, **_KEYS)  # because `from` is a word of Python
"""The keys of `pseudo`."""


@dataclass(frozen=True)
class PseudoSpec:
    """What a stage learns from labels that other networks made; the values of `PSEUDO_KEYS`."""

    teacher: str
    share: float
    minimum_confidence: float
    soft: bool
    weight: float
    thresholds: Band | Mapping[str, Band] | None

    def rule(self, classes: Classes) -> LabelRule:
        """How stored probabilities of these classes become targets."""
        bands = None if self.soft and self.thresholds is None else self._bands(classes.names)
        return LabelRule(classes.activation, bands, soft=self.soft, weight=self.weight)

    def _bands(self, names: Sequence[str]) -> tuple[Band, ...]:
        if isinstance(self.thresholds, Mapping):
            return tuple(self.thresholds.get(name, HARD_BAND) for name in names)
        return (self.thresholds or HARD_BAND,) * len(names)


def parse_pseudo(value: Any) -> PseudoSpec | None:
    """Read `{from: exp042, share: 0.5, …}`; null and an empty mapping mean no such labels.

    Raises:
        ProblemsAtError: a key is unknown or missing, or a value is invalid.
        ValueError: the value is not a mapping.
    """
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"expected keys such as {{from: exp042, share: 0.5}}, received {value!r}")
    if not value:
        return None
    try:
        given = PSEUDO_KEYS.model_validate(dict(value)).model_dump()
    except ValidationError as error:
        raise ProblemsAtError([((), error, PSEUDO_KEYS)]) from error
    return PseudoSpec(teacher=given.pop("from"), **given)


def check_thresholds(spec: PseudoSpec, names: Sequence[str]) -> None:
    """Check that thresholds by class name the classes of the task; raises UnknownNameError."""
    for name in spec.thresholds if isinstance(spec.thresholds, Mapping) else ():
        if name not in names:
            raise UnknownNameError(name, tuple(names))


Pseudo = Annotated[dict[str, Any], checked_by(lambda value, _: parse_pseudo(value))]


class PseudoLabelsConfig(ClosedModel):
    """The key of an experiment that names labels made by other networks."""

    pseudo: Pseudo = Field(
        default_factory=dict,
        description="Learn from unlabelled images too, with the labels that `tk pseudo` made by another experiment: "
        "`{from: exp042, share: 0.5, minimum_confidence: 0.9, soft: true, weight: 0.5}`. No fold learns from a network "
        "that saw what the fold holds out. See docs/pseudo-labels.md.",
    )
