"""A graph of TensorFlow with its weights as inputs, to be filled in by an engine that knows no variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.learning.runtime import tf


@dataclass(frozen=True)
class FrozenGraph:
    """A graph without variables.

    Attributes:
        serialised: a GraphDef.
        outputs: names of its output tensors, in order.
    """

    serialised: bytes
    outputs: Sequence[str]
    _sources: Mapping[str, Any]

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """The present value of the weight that belongs to an input; None if the input is not a weight."""
        source = self._sources.get(name.partition(":")[0])
        return None if source is None else np.ascontiguousarray(source.numpy())


def frozen_graph(function: Any) -> FrozenGraph:
    """The graph of a concrete function, where every reading of a variable has become an input.

    Converters that read the variables themselves take seconds for each set of weights.

    Raises:
        ValueError: the function does more with a variable than read it.
    """
    definition = function.graph.as_graph_def()
    variables = {id(variable.handle): variable for variable in function.graph.variables}
    captured = {inner.op.name: variables.get(id(outer), outer) for outer, inner in function.graph.captures}
    sources: dict[str, Any] = {}
    for node in definition.node:
        if node.op == "ReadVariableOp" and node.input[0] in captured:
            sources[node.name] = captured[node.input[0]]
            _become_input(node, sources[node.name].shape)
        elif node.name in captured and node.attr["dtype"].type != tf.resource.as_datatype_enum:
            sources[node.name] = captured[node.name]
    outputs = [tensor.name for tensor in function.outputs]
    needed = tf.compat.v1.graph_util.extract_sub_graph(definition, [tensor.op.name for tensor in function.outputs])
    for node in needed.node:
        if node.op == "Placeholder" and node.attr["dtype"].type == tf.resource.as_datatype_enum:
            raise ValueError(f"{captured[node.name].name} is used by an operation that is not converted")
    return FrozenGraph(needed.SerializeToString(), outputs, sources)


def _become_input(node: Any, shape: Any) -> None:
    kind = node.attr["dtype"].type
    node.op = "Placeholder"
    del node.input[:]
    node.attr.clear()
    node.attr["dtype"].type = kind
    node.attr["shape"].shape.CopyFrom(shape.as_proto())
