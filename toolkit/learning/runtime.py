"""TensorFlow, set up in one place before its first import: legacy Keras, quiet, deterministic."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, cast, get_args

from toolkit.errors import StorageError, ToolkitError
from toolkit.files.plugin_loading import prepare_for_tensorflow

_CPU_FLAGS = Path("/proc/cpuinfo")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what native code writes to stderr and Python to stdout, unless the block fails."""
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            with contextlib.redirect_stdout(None):
                yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def talking_on_stderr() -> contextlib.AbstractContextManager[Any]:
    """Sends what Keras prints while it downloads weights to stderr: stdout is for results."""
    return contextlib.redirect_stdout(sys.stderr)


def _import() -> tuple[Any, Any]:
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise ToolkitError(
            "this process imported TensorFlow before the toolkit could choose legacy Keras",
            "Import toolkit.learning first, or set TF_USE_LEGACY_KERAS=1 and SM_FRAMEWORK=tf.keras beforehand.",
        )
    prepare_for_tensorflow()
    with _quiet():
        import segmentation_models  # noqa: PLC0415 # the environment had to be set first
        import tensorflow as tf  # noqa: PLC0415, TID251 # as above; everybody else takes it from here
    # Its warnings are for those who write code with it, such as that a function was compiled for another batch size.
    tf.get_logger().setLevel("ERROR")
    return tf, segmentation_models


tf, segmentation_models = _import()

Precision = Literal["float32", "bfloat16", "float16"]


def parse_precision(text: str) -> Precision:
    """A precision as resolved.yaml keeps it."""
    if text not in get_args(Precision):
        raise StorageError(f"precision {text!r} in resolved.yaml is none of {', '.join(get_args(Precision))}")
    return cast(Precision, text)


def choose_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """What `auto` means on this machine: half precision where the device computes in it, float32 elsewhere.

    On a GPU bfloat16 from compute capability 8.0, float16 from 7.0; on a processor bfloat16 if it has the instructions.
    """
    if wanted != "auto":
        return wanted
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        capability = min(
            tf.config.experimental.get_device_details(device).get("compute_capability", (0, 0)) for device in devices
        )
        return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
    flags = _CPU_FLAGS.read_text() if _CPU_FLAGS.is_file() else ""
    return "bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def configure(precision: Precision) -> None:
    """Make this process deterministic, as far as its device can be, and set the precision of its arithmetic.

    On a processor bfloat16 is oneDNN's graph rewrite: convolutions, and what lies between them, in half the bits. On a
    GPU, and for float16 anywhere, it is the mixed-precision policy of Keras. Weights, optimizer, loss and metrics stay
    in float32. On a GPU the gradient of upsampling has no deterministic version, and TensorFlow would refuse to train.
    """
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        tf.config.experimental.enable_op_determinism()
    rewrite = precision == "bfloat16" and not devices
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": rewrite})
    policy = "float32" if rewrite or precision == "float32" else f"mixed_{precision}"
    tf.keras.mixed_precision.set_global_policy(policy)
    take_memory_by_need()


def in_float32(tensor: Any, mask: Any = 1.0) -> Any:
    """The tensor in float32, 0 where `mask`, which broadcasts against it, is 0; no gradient arrives there.

    Done by an operation that the rewrite of graphs to bfloat16 does not know and stops at. Without it, whatever lies
    between here and the network's last layer would be computed in half the bits.
    """
    return tf.math.multiply_no_nan(tf.cast(tensor, tf.float32), mask)


def take_memory_by_need() -> None:
    """Let GPUs give out their memory by and by; without effect once something has been computed on them."""
    for device in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(device, True)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors as one graph, whatever the size of their first axis, the batch.

    Left to itself, TensorFlow makes a graph for the first size that it meets and another for all further ones. Which
    batch runs on which graph would then depend on where a process began, and two graphs of the same function are
    optimised differently: a run that was broken off would not come back to the same numbers.

    Tensors may come in tuples, with None where there is none; there is one graph for each combination of types.
    """
    traced: Any = tf.function(function)
    graphs: dict[Any, Any] = {}

    def call(*arguments: Any) -> Any:
        specs = tf.nest.map_structure(_of_any_batch, arguments)
        key = tuple(map(repr, tf.nest.flatten(specs)))
        if key not in graphs:
            graphs[key] = traced.get_concrete_function(*specs)
        return graphs[key](*arguments)

    return call


def _of_any_batch(tensor: Any) -> Any:
    if tensor is None:
        return None
    shape = tuple(tensor.shape)
    return tf.TensorSpec((None, *shape[1:]) if shape else (), tensor.dtype)


def training_devices() -> list[str]:
    """Names of the devices that share each batch: all GPUs, or the logical devices that one processor was cut into."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def strategy() -> Any:
    """How steps are spread over the training devices; TensorFlow's own, which does nothing, for a single one."""
    devices = training_devices()
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def loss_scaling(optimizer: Any) -> Any:
    """The optimizer, with scaling of the loss where the policy computes in float16, whose small gradients vanish."""
    if tf.keras.mixed_precision.global_policy().compute_dtype == "float16":
        return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer
