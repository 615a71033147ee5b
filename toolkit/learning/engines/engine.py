"""The protocol of engines: networks with their weights become functions from batches to probabilities."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from toolkit.config.training.execution import EngineName
from toolkit.core.arrays import Presence, Probability
from toolkit.core.images.views import View
from toolkit.core.masks.labels import Activation
from toolkit.learning.networks.network import Network
from toolkit.learning.runtime import Precision

NetworkOf = Callable[[View], Network]
"""The network whose input has the size of a view."""

MeanOverViews = Callable[[Any], tuple[Probability, Presence | None]]
"""From images `uint8 (batch, height, width, channels)`, of any number, to the mean over views of the probabilities,
`float32 (batch, height, width, classes)`, 0–1, and of the presence, `float32 (batch, classes)`, 0–1. The presence is
None without a presence head.
"""


class Engine(Protocol):
    """Computes the networks of one experiment.

    An engine may keep weights in a form of its own: after the weights of a network have changed, `refresh` must be
    called before the next prediction.
    """

    def mean_over(self, views: Sequence[View], network_of: NetworkOf) -> MeanOverViews:
        """A function for the mean over views of one scale; it uses the weights of the last `refresh`."""

    def refresh(self) -> None:
        """Take over the present weights of all networks."""


def build_engine(name: EngineName, activation: Activation, at_once: int, precision: Precision) -> Engine:
    """An engine that computes `at_once` images at a time, with this activation and arithmetic.

    Raises:
        ConfigError: it is not installed.
    """
    # Each engine is imported only if it is used: OpenVINO may be missing.
    if name == "openvino":
        from toolkit.learning.engines.openvino_engine import OpenVinoEngine  # noqa: PLC0415 # as above

        return OpenVinoEngine(activation, at_once, precision)
    from toolkit.learning.engines.tensorflow_engine import TensorFlowEngine  # noqa: PLC0415 # as above

    return TensorFlowEngine(activation, at_once)
