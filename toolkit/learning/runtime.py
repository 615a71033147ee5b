"""TensorFlow, set up in one place before its first import: legacy Keras, quiet, deterministic."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from toolkit.errors import ToolkitError

_ENVIRONMENT = {
    "TF_USE_LEGACY_KERAS": "1",
    "SM_FRAMEWORK": "tf.keras",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_ALBUMENTATIONS_UPDATE": "1",
}
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
    os.environ.update(_ENVIRONMENT)
    with _quiet():
        import segmentation_models  # noqa: PLC0415 # the environment had to be set first
        import tensorflow as tf  # noqa: PLC0415, TID251 # as above; everybody else takes it from here
    return tf, segmentation_models


tf, segmentation_models = _import()

Precision = Literal["float32", "bfloat16"]


def choose_precision(wanted: Literal["auto", "float32", "bfloat16"]) -> Precision:
    """What `auto` means on this machine: bfloat16 where the processor computes in it, float32 elsewhere."""
    if wanted != "auto":
        return wanted
    flags = _CPU_FLAGS.read_text() if _CPU_FLAGS.is_file() else ""
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    return "bfloat16" if native and not tf.config.list_physical_devices("GPU") else "float32"


def configure(precision: Precision) -> None:
    """Make this process deterministic, as far as its device can be, and set the precision of its convolutions.

    With bfloat16, oneDNN's graph rewrite computes convolutions, and what lies between them, in half the bits; weights,
    optimizer and metrics stay in float32. On a GPU the gradient of upsampling has no deterministic version, and
    TensorFlow would refuse to train.
    """
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": precision == "bfloat16"})
    for device in tf.config.list_physical_devices("GPU"):
        # Fails only if the device is in use already, when memory is taken as before.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(device, True)
