"""The formats of exported networks: what each can hold, which packages it needs, and which module writes it."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from toolkit.errors import ConfigError, listing, not_valid

if TYPE_CHECKING:  # TensorFlow is slow to import
    from toolkit.learning.engines.engine import MeanOverViews


@dataclass(frozen=True)
class ExportFormat:
    """A format.

    Attributes:
        title: its name in tables.
        file: the file or folder that programs load, in the folder of an export.
        module: of this room, a `Converter`.
        packages: the modules that it needs, which `extra` of the toolkit installs.
        extra: the extra; empty if nothing has to be installed.
        takes_half: whether its weights can have half precision.
        takes_any_size: whether its input can have any height and width.
        takes_any_batch: whether it takes several images at once.
    """

    title: str
    file: str
    module: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    takes_half: bool = True
    takes_any_size: bool = True
    takes_any_batch: bool = True


EXPORT_FORMATS = {
    "savedmodel": ExportFormat("SavedModel", "saved_model", "saved_model", takes_half=False),
    "onnx": ExportFormat("ONNX", "network.onnx", "onnx_file", ("onnx", "onnxruntime", "tf2onnx"), "onnx"),
    "openvino": ExportFormat("OpenVINO", "network.xml", "openvino_file", ("openvino",), "openvino"),
    "tflite": ExportFormat(
        "TFLite",
        "network.tflite",
        "tflite_file",
        ("ai_edge_litert",),
        "tflite",
        takes_any_size=False,
        takes_any_batch=False,
    ),
}
"""By the name that `--format` takes."""


class Converter(Protocol):
    """A module that writes networks in a format, and runs what it has written."""

    def write(self, graph: Any, path: Path, description: dict[str, Any], *, half: bool) -> None:
        """Write an `ExportedGraph` to `path`, with a description of what it takes and gives.

        With `half`, weights are stored in float16. Raises whatever the libraries raise.
        """

    def opened(self, path: Path) -> "MeanOverViews":
        """The file as a function of images, computed in float32 by the runtime of the format."""


def parse_format(name: str) -> ExportFormat:
    """The format with a name.

    Raises:
        ConfigError: there is no such format, or packages that it needs are not installed.
    """
    if name not in EXPORT_FORMATS:
        raise ConfigError(f"--format: {not_valid(name, EXPORT_FORMATS)}")
    found = EXPORT_FORMATS[name]
    missing = [package for package in found.packages if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f"--format {name} needs packages that are not installed: {listing(missing)}",
            f"Run: pip install 'segmentation-toolkit[{found.extra}]'",
        )
    return found


def converter_of(kind: ExportFormat) -> Converter:
    """The module that writes a format; its packages must be installed."""
    return cast(Converter, import_module(f"{__package__}.{kind.module}"))
