"""TensorFlow, set up once before its first import: legacy Keras, quiet, deterministic."""

import contextlib
import os
import platform
import random
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, cast, get_args

from toolkit.errors import StorageError, ToolkitError, not_valid
from toolkit.files.code.plugin_loading import prepare_for_tensorflow

_CPU_FLAGS = Path("/proc/cpuinfo")
_STEPS_BETWEEN_READS = 32


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Hold back what native code writes to stderr and Python to stdout; show it only if the block fails."""
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
    """Redirect what Keras prints while it downloads weights to stderr, because stdout is for results."""
    return contextlib.redirect_stdout(sys.stderr)


def _import() -> tuple[Any, Any]:
    if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") != "1":
        raise ToolkitError(
            "TensorFlow was imported before the toolkit, which needs legacy Keras",
            "Import toolkit before tensorflow, or set TF_USE_LEGACY_KERAS=1 and SM_FRAMEWORK=tf.keras before both.",
        )
    prepare_for_tensorflow()
    with quietly():
        import segmentation_models  # noqa: PLC0415 # after the environment is set
        import tensorflow as tf  # noqa: PLC0415, TID251 # as above; all other modules import it from here
    # Its warnings are for programmers, for example that a function was compiled for another batch size.
    tf.get_logger().setLevel("ERROR")
    # While TensorFlow is deterministic, it refuses operations that draw without any seed.
    tf.random.set_seed(0)
    return tf, segmentation_models


tf, segmentation_models = _import()

Precision = Literal["float32", "bfloat16", "float16"]


def parse_precision(text: str) -> Precision:
    """A precision from resolved.yaml.

    Raises:
        StorageError: there is no such precision.
    """
    if text not in get_args(Precision):
        raise StorageError(f"resolved.yaml: precision: {not_valid(text, get_args(Precision))}")
    return cast(Precision, text)


def choose_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """The precision, where `auto` is half precision if this machine has instructions for it, and otherwise float32.

    On a GPU: bfloat16 from compute capability 8.0, float16 from 7.0. On a processor: bfloat16.
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


def has_gpu() -> bool:
    """Whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def peak_memory() -> float:
    """The most memory that this process has taken so far, in megabytes: of all GPUs, or without any of the machine.

    0 on Windows, which does not tell.
    """
    devices = tf.config.list_logical_devices("GPU")
    if devices:
        return float(sum(tf.config.experimental.get_memory_info(device.name)["peak"] for device in devices)) / 1e6
    if sys.platform == "win32":
        return 0.0
    import resource  # noqa: PLC0415 # Windows does not have it

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1e6 if sys.platform == "darwin" else 1e3)  # in bytes there, elsewhere in kilobytes


def configure(precision: Precision) -> None:
    """Make this process deterministic, except on a GPU, and set the precision of its arithmetic.

    On a processor, bfloat16 is the graph rewrite of oneDNN: convolutions, and operations between them, are computed in
    half precision. On a GPU, and for float16, it is the mixed-precision policy of Keras. Weights, optimizer, loss and
    metrics stay in float32. A GPU has no deterministic gradient of upsampling: TensorFlow would refuse to train.
    """
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        tf.config.experimental.enable_op_determinism()
    rewrite = precision == "bfloat16" and not devices
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": rewrite})
    policy = "float32" if rewrite or precision == "float32" else f"mixed_{precision}"
    tf.keras.mixed_precision.set_global_policy(policy)
    take_memory_by_need()


def seed_initializers(seed: int) -> None:
    """Let the initializers of Keras draw what they draw after `tf.keras.utils.set_random_seed`.

    That also seeds TensorFlow, which then throws away whatever it has prepared for compiled functions: seconds at the
    first step of every fold.
    """
    from tf_keras.src import backend  # noqa: PLC0415 # imports TensorFlow, which is set up above

    backend._SEED_GENERATOR.generator = random.Random(seed)  # noqa: S311 # initial weights are no secret


def in_float32(tensor: Any, mask: Any = 1.0) -> Any:
    """The tensor in float32, with 0 and without a gradient where `mask`, which is broadcast, is 0.

    The operation stops the rewrite of graphs to bfloat16, which does not know it. Without it, all operations after the
    last layer of the network would be in half precision.
    """
    return tf.math.multiply_no_nan(tf.cast(tensor, tf.float32), mask)


def take_memory_by_need() -> None:
    """Let TensorFlow allocate GPU memory as needed; has no effect after the first computation on a GPU."""
    for device in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(device, True)


def compiled(
    function: Callable[..., Any], *, batch_axes: int = 1, xla: bool = False, autograph: bool = True
) -> Callable[..., Any]:
    """A function of tensors as one graph for all sizes of their first axis, the batch.

    By default TensorFlow makes one graph for the first batch size and another for all further sizes. Graphs of the same
    function are optimised differently, and which batch runs on which graph would depend on where a process began. So a
    resumed run would not give the same numbers.

    Arguments may be nested tuples of tensors and None; there is one graph for each combination of types. With
    `batch_axes` 2, the first two axes may have any size. With `xla`, the graph is compiled with XLA.

    `autograph` translates Python's `if` and loops on tensors. Only the user's code has any, and without the translation
    a graph is made in about two thirds of the time.
    """
    traced: Any = tf.function(function, jit_compile=xla or None, autograph=autograph)
    graphs: dict[Any, Any] = {}

    def call(*arguments: Any) -> Any:
        specs = tf.nest.map_structure(lambda tensor: _of_any_batch(tensor, batch_axes), arguments)
        key = tuple(map(repr, tf.nest.flatten(specs)))
        if key not in graphs:
            graphs[key] = traced.get_concrete_function(*specs)
        return graphs[key](*arguments)

    return call


def _of_any_batch(tensor: Any, axes: int) -> Any:
    if tensor is None:
        return None
    shape = tuple(tensor.shape)
    return tf.TensorSpec((*[None] * min(axes, len(shape)), *shape[axes:]), tensor.dtype)


def steps_between_reads() -> int:
    """After how many training steps their results are read: on a GPU, reading waits until it has nothing left to do."""
    return _STEPS_BETWEEN_READS if has_gpu() else 1


def ahead_on_gpu(batches: Iterable[Any]) -> Iterator[Any]:
    """The same batches of tensors, copied to the GPU ahead of use.

    With several GPUs, each of which takes its share of a batch, or without any, the batches are passed on as they are.
    """
    devices = tf.config.list_logical_devices("GPU")
    return copied_ahead(batches, devices[0].name) if len(devices) == 1 else iter(batches)


def copied_ahead(batches: Iterable[Any], device: str) -> Iterator[Any]:
    """The same batches of tensors in the same order, copied to a device one batch ahead of use."""
    waiting: deque[Any] = deque()
    for batch in batches:
        with tf.device(device):
            waiting.append(tf.nest.map_structure(tf.identity, batch))
        if len(waiting) > 1:
            yield waiting.popleft()
    yield from waiting


def training_devices() -> list[str]:
    """Names of the devices that share each batch: all GPUs, or without any the logical devices of the processor."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def device_name() -> str:
    """What computes: the names of all GPUs, or without any that of the processor."""
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        details = [tf.config.experimental.get_device_details(device) for device in devices]
        return ", ".join(str(found.get("device_name", "GPU")) for found in details)
    lines = _CPU_FLAGS.read_text().splitlines() if _CPU_FLAGS.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def strategy() -> Any:
    """The distribution strategy for the training devices; TensorFlow's default strategy for a single one."""
    devices = training_devices()
    return tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else tf.distribute.get_strategy()


def loss_scaling(optimizer: Any) -> Any:
    """The optimizer, with loss scaling if the policy computes in float16, in which small gradients vanish."""
    if tf.keras.mixed_precision.global_policy().compute_dtype == "float16":
        return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def with_constants(function: Any) -> Any:
    """A concrete function with the present values of its variables as constants."""
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415, TID251 # no public name
        convert_variables_to_constants_v2,
    )

    return convert_variables_to_constants_v2(function)
