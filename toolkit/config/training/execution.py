"""How a machine computes an experiment: keys that change its time, and results only by rounding."""

from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args

from pydantic import Field

from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.errors import ConfigError, not_valid

UseXla = Literal["auto", "on", "off"]
EngineName = Literal["tensorflow", "openvino"]
EngineChoice = Literal["auto", EngineName]
"""An engine, or `auto`: whichever suits the machine, the experiment and its networks."""

Cache = Literal["auto", "off", "memory", "disk"]
READING_KEYS = ("cache", "workers", "resources")
"""The keys that say how samples are read and by which machine; results do not depend on them."""


@dataclass(frozen=True)
class Compilation:
    """How the training step is compiled."""

    xla: UseXla = "off"
    steps_per_call: int = 1


PLAIN = Compilation()


class Resources(ClosedModel):
    """What one task on a cluster needs."""

    cpus: Annotated[float, Field(gt=0, le=4096)] | None = Field(
        None, description="Processor cores of a task; by default all of a node, or its share for one GPU."
    )
    gpus: Annotated[float, Field(ge=0, le=64)] | None = Field(
        None,
        description="GPUs of a task, for example `0.5` for two tasks on one; by default 1 where a node has GPUs, "
        "otherwise 0.",
    )


BY_DEFAULT = Resources(cpus=None, gpus=None)

WritesPage = Annotated[
    bool,
    Field(
        description="Whether `tk fit`, `tk ensemble` and `tk tune` write the page report.html at their end. See "
        "docs/report.md."
    ),
]


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
    steps_per_call: Annotated[int, Field(gt=0, le=10_000)] = Field(
        1,
        description="Training steps that are sent to the device in one call; more than one is meant for GPUs that need "
        "only a few milliseconds for a step.",
    )

    engine: EngineChoice = Field(
        "auto", description="What predicts: `tensorflow`, `openvino` or `auto`. See docs/predicting.md."
    )
    cache: Cache = Field(
        "auto",
        description="Where decoded images are kept at the size at which they are read, so that each is decoded only "
        "once: in `memory`, on `disk` (`cache/` beside `experiments/`, for later runs too), nowhere (`off`), or "
        "`auto`: in memory if they fit, otherwise on disk if they fit and decoding is slow. Results are the same. See "
        "docs/training.md.",
    )
    workers: Literal["auto"] | Annotated[int, Field(ge=0, le=256)] = Field(
        "auto",
        description="Number of processes that read and augment training images; 0 for threads of the process that "
        "trains. `auto`: threads without a GPU or with fewer than four processor cores, otherwise a process for each "
        "core but one. Results are the same. See docs/training.md.",
    )
    resources: Resources | None = Field(
        None,
        description="What each task needs with `--on ray`, for example `{cpus: 4, gpus: 1}`. See docs/cluster.md.",
    )
    report: WritesPage = True

    @property
    def task_resources(self) -> Resources:
        """What each task on a cluster needs."""
        return self.resources or BY_DEFAULT

    @property
    def compilation(self) -> Compilation:
        """How the training step is compiled."""
        return Compilation(self.xla, self.steps_per_call)


def parse_engine(text: str | None) -> EngineChoice | None:
    """The engine of the option `--engine`; None if it is not given.

    Raises:
        ConfigError: there is no such engine.
    """
    if text is None or text in (allowed := ("auto", *get_args(EngineName))):
        return cast(EngineChoice | None, text)
    raise ConfigError(f"--engine: {not_valid(text, allowed)}")
