"""What weight averaging may say: `ema`, `swa`, `soup`, alone or together."""

from typing import Annotated, Any

from pydantic import Field

from toolkit.config.yaml.fields import InnerShare, ShareBelowOne
from toolkit.config.yaml.named_calls import ClosedModel, ProblemsAtError, checked_call, read_calls


class ExponentialAveraging(ClosedModel):
    """A running mean over all batches (Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv:1703.01780)."""

    decay: InnerShare = Field(
        0.999, description="Share of the old mean at each batch; smaller during the first batches."
    )


class StochasticAveraging(ClosedModel):
    """The mean of the weights at the ends of late epochs (Izmailov et al. 2018, arXiv:1803.05407)."""

    start: ShareBelowOne = Field(0.75, description="Share of the stage that is done before the mean begins, 0–1.")


class Soup(ClosedModel):
    """The mean of the best epochs' weights (after Wortsman et al. 2022, arXiv:2203.05482)."""

    top: Annotated[int, Field(ge=2, le=100)] = Field(3, description="How many epochs, the best by the primary metric.")


AVERAGES: dict[str, type[ClosedModel]] = {"ema": ExponentialAveraging, "swa": StochasticAveraging, "soup": Soup}
"""Every kind of average by name."""


class Averaging(ClosedModel):
    """The averages that a stage keeps; None for those it does not."""

    ema: ExponentialAveraging | None = None
    swa: StochasticAveraging | None = None
    soup: Soup | None = None


def parse_averaging(value: Any) -> Averaging:
    """Read `ema`, `{ema: {decay: 0.999}, swa: {start: 0.75}}`, or a list of such calls; null is no averaging.

    Raises:
        ValueError, ProblemsAtError: it has another form, a name is unknown or comes twice, or an argument is wrong.
    """
    found: dict[str, ClosedModel | None] = {}
    for call in read_calls(() if value is None else value):
        if call.name in found:
            raise ProblemsAtError([(call.path, ValueError(f"{call.name} is there already: one of a kind"), None)])
        found[call.name] = checked_call(call, AVERAGES)
    return Averaging.model_validate(found)
