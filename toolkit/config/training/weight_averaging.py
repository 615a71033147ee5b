"""The value of `weight_averaging`: `ema`, `swa` and `soup`, alone or together."""

from typing import Annotated, Any

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import InnerShare, ShareBelowOne
from toolkit.config.yaml.named_calls import checked_call, problem_at, read_calls


class ExponentialAveraging(ClosedModel):
    """A moving average over all batches (Polyak & Juditsky 1992; Tarvainen & Valpola 2017, arXiv:1703.01780)."""

    decay: InnerShare = Field(
        0.999, description="Share of the old average at each batch. It is smaller during the first batches."
    )


class StochasticAveraging(ClosedModel):
    """The mean of the weights after each of the last epochs (Izmailov et al. 2018, arXiv:1803.05407)."""

    start: ShareBelowOne = Field(0.75, description="Share of the stage (0–1) after which the mean begins.")


class Soup(ClosedModel):
    """The mean of the weights of the best epochs (after Wortsman et al. 2022, arXiv:2203.05482)."""

    top: Annotated[int, Field(ge=2, le=100)] = Field(3, description="Number of epochs, the best by the primary metric.")


AVERAGES: dict[str, type[ClosedModel]] = {"ema": ExponentialAveraging, "swa": StochasticAveraging, "soup": Soup}
"""The arguments of each kind of average."""


class Averaging(ClosedModel):
    """The averages that a stage computes; None for those that it does not."""

    ema: ExponentialAveraging | None = None
    swa: StochasticAveraging | None = None
    soup: Soup | None = None


def parse_averaging(value: Any) -> Averaging:
    """Read `ema`, `{ema: {decay: 0.999}, swa: {start: 0.75}}`, or a list of these; null means no averaging.

    Raises:
        ValueError: the value has another form, a name is unknown or occurs twice, or an argument is invalid.
    """
    found: dict[str, ClosedModel | None] = {}
    for call in read_calls(() if value is None else value):
        if call.name in found:
            raise problem_at(call.path, f"{call.name} occurs twice; keep one of them")
        found[call.name] = checked_call(call, AVERAGES)
    return Averaging.model_validate(found)
