"""How a machine computes an experiment: keys that change its time, and results only by rounding."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import PositiveInteger

UseXla = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Compilation:
    """How the training step is compiled."""

    xla: UseXla = "off"
    steps_per_call: int = 1


PLAIN = Compilation()


class ExecutionConfig(ClosedModel):
    """The keys of an experiment that say how it is computed."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of the network: `float32`, `bfloat16` (faster on processors and GPUs that support "
        "it), `float16` (for other GPUs, with loss scaling), or `auto` (what suits the machine). "
        "Weights, loss and metrics stay in float32.",
    )
    xla: UseXla = Field(
        "auto",
        description="Whether XLA compiles the training step: `on`, `off`, or `auto` (on a single GPU, if it can "
        "compile the network). The first step takes longer, and the masks of dropout are others.",
    )
    steps_per_call: PositiveInteger = Field(
        1,
        description="Training steps that are sent to the device in one call. More than one helps where a GPU needs "
        "only a few milliseconds for a step.",
    )

    @property
    def compilation(self) -> Compilation:
        """How the training step is compiled."""
        return Compilation(self.xla, self.steps_per_call)
