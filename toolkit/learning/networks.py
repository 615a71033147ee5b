"""Segmentation networks that take uint8 images and end in float32 logits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from toolkit.config.models import Config
from toolkit.core.randomness import derived_seed
from toolkit.errors import NetworkError, WeightsError
from toolkit.files.writing import new_path
from toolkit.learning.runtime import segmentation_models, talking_on_stderr, tf

ARCHITECTURES: dict[str, Callable[..., Any]] = {
    "Unet": segmentation_models.Unet,
    "FPN": segmentation_models.FPN,
    "Linknet": segmentation_models.Linknet,
    "PSPNet": segmentation_models.PSPNet,
}


@dataclass(frozen=True)
class Network:
    """A network with the input preprocessing of its backbone.

    `model` is a tf.keras model from preprocessed float32 NHWC images to float32 logits.
    """

    model: Any
    preprocess: Callable[[Any], Any]

    def logits(self, images: Any, training: bool) -> Any:
        """Logits `float32 (batch, height, width, classes)` of images `uint8 (batch, height, width, 3)`."""
        return self.model(self.preprocess(tf.cast(images, tf.float32)), training=training)

    def save_weights(self, path: Path) -> None:
        """Write the weights, and nothing that could run code."""
        with new_path(path) as temporary:
            self.model.save_weights(temporary)

    def load_weights(self, path: Path) -> None:
        """Read weights that `save_weights` has written for the same configuration.

        Raises:
            WeightsError: they are damaged or belong to another network.
        """
        try:
            self.model.load_weights(path)
        except (OSError, ValueError, KeyError) as error:
            raise WeightsError(
                f"{path} does not fit the network: {_first_line(error)}",
                f"Train again: tk fit {path.parents[2]} --restart",
            ) from error


def build_network(config: Config, *seed: int) -> Network:
    """Build the network of a configuration with initial weights that derive from `seed`.

    Raises:
        NetworkError: this backbone and shape do not go together.
        WeightsError: the encoder's weights cannot be had.
    """
    tf.keras.utils.set_random_seed(derived_seed("initial weights", *seed))
    imagenet = config.encoder_weights == "imagenet"
    try:
        with talking_on_stderr():
            model = ARCHITECTURES[config.architecture](
                config.backbone,
                encoder_weights="imagenet" if imagenet else None,
                classes=config.classes,
                activation="linear",
                input_shape=config.shape,
            )
    except Exception as error:
        if imagenet and _is_download_failure(error):
            raise _download_error(config.backbone, error) from error
        raise NetworkError(
            f"{config.architecture} with backbone {config.backbone} cannot be built for shape {list(config.shape)}: "
            f"{_first_line(error)}",
            "Try a larger shape or another backbone.",
        ) from error
    if isinstance(config.encoder_weights, Path):
        _load_encoder_weights(model, config.encoder_weights)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = config.batch_norm_momentum
    return Network(model, _preprocessing(config.backbone))


def _preprocessing(backbone: str) -> Callable[[Any], Any]:
    """The backbone's input preprocessing for tensors, read off its NumPy version.

    The library's own version for tensors keeps the mean of the first backbone of a process and gives it to all later
    ones. Every preprocessing there takes each output channel from one input channel, scales and shifts it; so three
    probes tell all of it.
    """
    numpy_version = segmentation_models.get_preprocessing(backbone)
    offset = numpy_version(np.zeros((1, 1, 3), np.float32))[0, 0]
    response = np.stack([numpy_version(unit[None, None].copy())[0, 0] - offset for unit in np.eye(3, dtype=np.float32)])
    source = np.abs(response).argmax(axis=0)
    scale = response[source, range(3)]
    return lambda images: tf.gather(images, source.tolist(), axis=-1) * scale + offset


def _load_encoder_weights(model: Any, path: Path) -> None:
    """Load the layers that the file and the network share by name, as weights of an encoder are published."""
    try:
        with h5py.File(path) as file:
            group = file.get("model_weights", file)
            stored = {name for name in group if isinstance(group[name], h5py.Group) and len(group[name])}
        shared = [layer.name for layer in model.layers if layer.weights and layer.name in stored]
        if not shared:
            raise WeightsError(f"encoder_weights: no layer in {path} has the name of a layer of the network")
        model.load_weights(path, by_name=True)
    except FileNotFoundError as error:
        raise WeightsError(
            f"encoder_weights: there is no file {path}", "Allowed are imagenet, null, or the path of an .h5 file."
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"encoder_weights: {path} does not fit the network: {_first_line(error)}") from error


def _is_download_failure(error: BaseException) -> bool:
    words = str(error).lower()
    return isinstance(error, OSError) or any(word in words for word in ("url fetch failure", "hash", "download"))


def _download_error(backbone: str, error: BaseException) -> WeightsError:
    return WeightsError(
        f"encoder_weights: the imagenet weights of {backbone} could not be downloaded: {_first_line(error)}",
        "Either start from random weights with --set encoder_weights=null,\n"
        "or download a weight file elsewhere and name it: --set encoder_weights=path/to/file.h5",
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
