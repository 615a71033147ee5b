"""Segmentation networks: from uint8 images to float32 logits."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.config.training.architectures import ARCHITECTURES
from toolkit.config.training.networks import NetworkSpec, check_shape, has_backbone, parse_architecture
from toolkit.core.randomness import derived_seed
from toolkit.errors import ConfigError, NetworkError, ToolkitError, WeightsError, raised_by
from toolkit.learning.networks.backbones.encoders import Parts, build_encoder
from toolkit.learning.networks.backbones.first_convolution import adapted, preprocessing
from toolkit.learning.networks.backbones.registry import IMAGENET, has_own_weights, packaged_weights
from toolkit.learning.networks.backbones.tensor_weights import load_tensors
from toolkit.learning.networks.fast_layers import with_fast_layers
from toolkit.learning.networks.outputs import Outputs, final_activation
from toolkit.learning.networks.rebuilding import all_layers
from toolkit.learning.networks.registry import builder_of
from toolkit.learning.networks.seeded_dropout import DropoutSeed, with_seeded_dropout
from toolkit.learning.networks.weight_files import (
    LoadedWeights,
    load_encoder_file,
    load_exactly,
    load_shared,
    read_weights,
    weighted_layers,
    write_weights,
)
from toolkit.learning.plugins import NO_PLUGINS
from toolkit.learning.runtime import seed_initializers, talking_on_stderr, tf


@dataclass(frozen=True)
class Network:
    """A network with the input preprocessing of its backbone.

    `model` is a tf.keras model from preprocessed float32 NHWC images to float32 logits: the masks, then `auxiliary`
    coarse masks, then the presence if there is a presence head. `finest` is the same without the coarse masks, and
    shares the other layers. `encoder` has the names of the layers that can be
    frozen, `heads` those of the layers whose shape depends on the number of classes. `notes` are sentences for the
    screen about the origin of the initial weights. `autograph` says whether its layers may be the user's own, see
    `compiled`.
    """

    model: Any
    finest: Any
    preprocess: Callable[[Any], Any]
    dropout_seed: DropoutSeed
    encoder: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    auxiliary: int = 0
    notes: tuple[str, ...] = ()
    autograph: bool = True

    def outputs(self, images: Any, training: bool | None = None, *, coarse: bool = True) -> Outputs:
        """The outputs for images `uint8 (batch, height, width, channels)`.

        With `training` None, Keras decides: for symbolic inputs that become part of another model. Coarse masks are for
        losses: without `coarse`, they are neither in the outputs nor in what computes them.
        """
        model, auxiliary = (self.model, self.auxiliary) if coarse else (self.finest, 0)
        tensors = tf.nest.flatten(model(self.preprocess(tf.cast(images, tf.float32)), training=training))
        masks, rest = tensors[: 1 + auxiliary], tensors[1 + auxiliary :]
        return Outputs(masks[0], tuple(masks[1:]), rest[0] if rest else None)

    def draw_dropout(self, seed: int) -> None:
        """Choose the dropout masks of the next batch; equal seeds (0 to 2**31 - 1) give equal masks."""
        self.dropout_seed.set(seed)

    def freeze_encoder(self, frozen: bool) -> None:
        """Freeze or unfreeze the encoder.

        Frozen weights do not change in training. Frozen batch normalisation uses its stored statistics, in training
        too, and does not update them. A compiled training step keeps the state it was compiled with: compile a new one.

        Raises:
            NetworkError: the architecture is the user's own, so that its encoder is unknown.
        """
        if not self.encoder:
            raise NetworkError(
                "freeze_encoder is not supported for architectures of plugins, whose encoder is unknown",
                "Set trainable = False on layers in the function that builds the network.",
            )
        for name in self.encoder:
            self.model.get_layer(name).trainable = not frozen

    @property
    def trainable_variables(self) -> list[Any]:
        """The variables that training changes: neither frozen ones nor batch-norm statistics."""
        return list(self.model.trainable_variables)

    def save_weights(self, path: Path) -> None:
        """Write the weights alone: the file holds no code."""
        write_weights(path, self.model)

    def load_weights(self, path: Path) -> None:
        """Load a file that `save_weights` has written for the same network.

        Raises:
            WeightsError: the file is missing, damaged, or belongs to another network.
        """
        load_exactly(self.model, _stored(path), path)

    def load_initial_weights(self, path: Path) -> LoadedWeights:
        """Load the weights of every layer that a file has by the same name.

        Heads keep their weights if the file has another number of classes.

        Raises:
            WeightsError: the file is missing or damaged, shares no layer, or has a layer of another shape.
        """
        return load_shared(self.model, _stored(path), path, self.heads)


def build_network(spec: NetworkSpec, *seed: int, plugins: Mapping[str, Callable[..., Any]] = NO_PLUGINS) -> Network:
    """Build a network with initial weights that derive from `seed`.

    Args:
        spec: the architecture, its options, and its input and output.
        seed: numbers that determine the initial weights.
        plugins: the user's architectures by name.

    Raises:
        NetworkError: the network cannot be built from this architecture, backbone and shape.
        WeightsError: the encoder weights cannot be downloaded or read.
    """
    _begin(seed, own_code=spec.architecture in plugins)
    weights, notes = _published_weights(spec)
    # The library loads the weights that it knows as it builds an encoder for colours; others are loaded afterwards.
    at_once = None if spec.shape[2] != 3 or has_own_weights(str(spec.backbone)) else weights
    with _explained(spec):
        parts = _parts(spec, at_once, plugins)
        model, dropout_seed = with_seeded_dropout(with_fast_layers(_assembled(parts, spec)))
    notes += _load_encoder(model, parts.encoder, spec, None if at_once else weights)
    for layer in all_layers(model):
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = spec.batch_norm_momentum
    return Network(
        model,
        _without_coarse(model, len(parts.auxiliary)),
        _preprocess(spec),
        dropout_seed,
        parts.encoder,
        _heads(model),
        len(parts.auxiliary),
        tuple(notes),
        autograph=spec.architecture in plugins,
    )


def _begin(seed: tuple[int, ...], *, own_code: bool) -> None:
    """Make weights depend on the seed alone, and the numbers in layer names on the network alone."""
    tf.keras.backend.reset_uids()
    number = derived_seed("initial weights", *seed)
    if own_code:  # which may draw with anything
        tf.keras.utils.set_random_seed(number)
    else:
        seed_initializers(number)


def _published_weights(spec: NetworkSpec) -> tuple[str | None, list[str]]:
    """The name of an encoder's published weights, and notes about them."""
    if not has_backbone(spec.architecture) or spec.encoder_weights not in ("imagenet", "pascal_voc"):
        return None, []
    if spec.encoder_weights == "pascal_voc":
        return "imagenet", [
            f"encoder_weights: {spec.backbone} has no pascal_voc weights; using imagenet weights instead"
        ]
    return "imagenet", []


def _parts(spec: NetworkSpec, weights: str | None, plugins: Mapping[str, Callable[..., Any]]) -> Parts:
    options = parse_architecture(spec.architecture, spec.options, plugins)
    if options is None:
        if spec.architecture not in plugins:
            raise NetworkError(f"the architecture {spec.architecture} was not loaded")
        return _parts_of_plugin(spec, plugins[spec.architecture])
    try:
        check_shape(spec.architecture, options, spec.shape)
    except ValueError as error:
        raise NetworkError(f"shape: {error}") from error
    with talking_on_stderr():
        return builder_of(spec.architecture)(spec, options, weights)


def _parts_of_plugin(spec: NetworkSpec, function: Callable[..., Any]) -> Parts:
    """The parts of a network that the user's function builds.

    The function is called with shape and classes, and by name with backbone, encoder_weights and the options. It
    returns a functional `tf.keras.Model` from pixel values `float32 (batch, height, width, channels)`, 0–255, to
    logits.

    Raises:
        NetworkError: the function returns something else.
        ConfigError: the model returns probabilities.
    """
    model = function(
        spec.shape, spec.classes, backbone=spec.backbone, encoder_weights=spec.encoder_weights, **spec.options
    )
    where = f"the architecture {spec.architecture}"
    if not isinstance(model, tf.keras.Model) or not getattr(model, "inputs", None):
        raise NetworkError(
            f"{where} returned {type(model).__name__}, expected a functional tf.keras.Model",
            "End the function with return tf.keras.Model(inputs, logits).",
        )
    output = (*spec.shape[:2], spec.classes)
    for what, found, wanted in (("input", model.input_shape, spec.shape), ("output", model.output_shape, output)):
        if not isinstance(found, tuple) or found[1:] != tuple(wanted):
            raise NetworkError(f"{where} has {what} shape {found}, expected (None, {', '.join(map(str, wanted))})")
    activation = final_activation(model, spec.shape)
    if activation:
        raise ConfigError(
            f"{where} ends in {activation}, so that it returns probabilities; networks return logits, and training and "
            "prediction apply the activation of the configuration to these",
            "Remove the activation of the last layer; with functions of segmentation_models: activation='linear'.",
        )
    return Parts(model.input, model.output, _coarsest_features(model), ())


def _coarsest_features(model: Any) -> Any:
    """The last features `(batch, height, width, channels)` with the smallest sides."""
    outputs = [layer.output for layer in model.layers if isinstance(layer.output_shape, tuple)]
    features = [output for output in outputs if len(output.shape) == 4 and None not in output.shape[1:]]
    return min(reversed(features), key=lambda output: output.shape[1] * output.shape[2])


def _assembled(parts: Parts, spec: NetworkSpec) -> Any:
    """One model with all outputs, which are float32 even if the layers compute in half precision."""
    layers = tf.keras.layers
    masks = [
        layers.Activation("linear", dtype="float32", name=f"float32_logits{number or ''}")(tensor)
        for number, tensor in enumerate((parts.logits, *parts.auxiliary))
    ]
    if spec.presence_head:
        pooled = layers.GlobalAveragePooling2D(name="presence_pooling", dtype="float32")(parts.deepest)
        masks.append(layers.Dense(spec.classes, name="presence", dtype="float32")(pooled))
    return tf.keras.Model(parts.inputs, masks if len(masks) > 1 else masks[0])


def _without_coarse(model: Any, auxiliary: int) -> Any:
    """The model without its outputs after the first, `auxiliary` in number."""
    if not auxiliary:
        return model
    outputs = [model.outputs[0], *model.outputs[1 + auxiliary :]]
    return tf.keras.Model(model.inputs, outputs if len(outputs) > 1 else outputs[0])


def _load_encoder(model: Any, encoder: tuple[str, ...], spec: NetworkSpec, weights: str | None) -> list[str]:
    """Load encoder weights from a file, or published ones, adapted to other channels; returns notes about them."""
    file = spec.encoder_weights if isinstance(spec.encoder_weights, Path) else None
    if not has_backbone(spec.architecture) or not (file or weights):
        return []
    backbone, notes = str(spec.backbone), []
    stored = None if file else packaged_weights(backbone)
    if stored is None:
        tf.keras.backend.reset_uids()
        with _explained(spec), talking_on_stderr():
            donor = build_encoder(backbone, (*spec.shape[:2], 3), weights)
        if file:
            notes.append(f"encoder_weights: {_read(donor, spec, file)} read from {file}")
        stored = {layer.name: layer.get_weights() for layer in weighted_layers(donor)}
    for name in encoder:
        layer = model.get_layer(name)
        if layer.weights:
            shapes = [tuple(weight.shape) for weight in layer.weights]
            layer.set_weights(adapted(stored[name], shapes, backbone, spec.first_convolution, name))
    if spec.shape[2] != 3:
        notes.append(
            f"encoder_weights: first convolution adapted from 3 to {spec.shape[2]} channels ({spec.first_convolution})"
        )
    return notes


def _read(encoder: Any, spec: NetworkSpec, file: Path) -> str:
    """Load a file of weights into an encoder for three channels; returns what was loaded, for the screen."""
    if file.suffix.lower() in (".pth", ".pt", ".bin", ".ckpt"):
        convert = f"import torch, safetensors.torch as s; s.save_file(torch.load({file.name!r}, weights_only=True), "
        raise WeightsError(
            f"encoder_weights: {file} is a file of PyTorch, which may hold programs beside numbers, and is not read",
            f'Where PyTorch is installed: python -c "{convert}{file.stem + ".safetensors"!r})"',
        )
    if file.suffix.lower() != ".safetensors":
        return str(load_encoder_file(encoder, str(spec.backbone), file))
    # What an encoder that normalises its input by itself is given: pixel values, or colours that are scaled already.
    scaling = IMAGENET if spec.encoder_scaling is None else ((0.0,) * 3, (1.0,) * 3)
    return load_tensors(encoder, str(spec.backbone), file, scaling)


def _preprocess(spec: NetworkSpec) -> Callable[[Any], Any]:
    """The preprocessing of pixel values 0–255: that of the backbone; without one, to -1–1; none for plugins."""
    if has_backbone(spec.architecture):
        return preprocessing(str(spec.backbone), spec.shape[2], spec.first_convolution, spec.encoder_scaling)
    if spec.architecture in ARCHITECTURES:
        return lambda images: images / 127.5 - 1
    return lambda images: images


def _heads(model: Any) -> tuple[str, ...]:
    """Names of the last layers with weights before each output."""
    found: set[str] = set()
    waiting = [model.get_layer(name) for name in model.output_names]
    while waiting:
        layer = waiting.pop()
        if layer.weights:
            found.add(layer.name)
        else:
            waiting.extend(tf.nest.flatten(layer.inbound_nodes[-1].inbound_layers) if layer.inbound_nodes else [])
    return tuple(layer.name for layer in model.layers if layer.name in found)


def _stored(path: Path) -> Any:
    try:
        return read_weights(path)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no file of weights {path}") from error


@contextmanager
def _explained(spec: NetworkSpec) -> Iterator[None]:
    """Turn errors of segmentation-models and Keras into errors that say what to do."""
    try:
        with warnings.catch_warnings():  # published weights fit any size, because the last layers are left out
            warnings.filterwarnings("ignore", message=".*input_shape. is undefined or non-square")
            yield
    except ToolkitError:
        raise
    except Exception as error:
        if spec.encoder_weights in ("imagenet", "pascal_voc") and _is_download_failure(error):
            raise _download_error(spec, error) from error
        backbone = f" with backbone {spec.backbone}" if has_backbone(spec.architecture) else ""
        text = _first_line(error) if spec.architecture in ARCHITECTURES else raised_by(error)
        raise NetworkError(
            f"{spec.architecture}{backbone} cannot be built for shape {list(spec.shape)}: {text}",
            "Try a larger shape or another backbone." if backbone else "",
        ) from error


def _is_download_failure(error: BaseException) -> bool:
    words = str(error).lower()
    return isinstance(error, OSError) or any(word in words for word in ("url fetch failure", "hash", "download"))


def _download_error(spec: NetworkSpec, error: BaseException) -> WeightsError:
    _, notes = _published_weights(spec)
    failed = f"encoder_weights: the imagenet weights of {spec.backbone} could not be downloaded: {_first_line(error)}"
    return WeightsError(
        "\n".join([failed, *notes]),
        "Start from random weights: --set encoder_weights=null\n"
        "Or download a weight file on another machine and name it: --set encoder_weights=path/to/file.h5",
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
