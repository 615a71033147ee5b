"""Covers toolkit/learning/networks/backbones/tensor_weights.py, tensor_names.py, mix_transformer.py and resnet_v1.py.

The reference values were computed once by the original networks: timm 1.0.31, transformers 5.24.0 and, for the naming
of SegFormer's authors, segmentation_models_pytorch 0.6.0, each with PyTorch 2.14.1 and the weights of `drawn`.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.learning.networks.backbones.test_safetensors_file import file_of
from toolkit.config.training.networks import NetworkSpec
from toolkit.errors import WeightsError
from toolkit.learning.networks.backbones.encoders import build_encoder, features_by_stride
from toolkit.learning.networks.backbones.first_convolution import preprocessing
from toolkit.learning.networks.backbones.registry import IMAGENET
from toolkit.learning.networks.backbones.tensor_names import Naming, namings_of
from toolkit.learning.networks.backbones.tensor_weights import load_tensors, sources_of
from toolkit.learning.networks.network import build_network
from toolkit.learning.runtime import tf

pytestmark = pytest.mark.train

SHAPE = (64, 96, 3)

Values = tuple[float, float, float, float]
"""Mean, standard deviation, and the first channel of the first and the last one of the last pixel."""


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The values of a tensor, which derive from its name."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    if len(shape) > 1:
        return (rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))).astype(np.float32)
    if name.endswith(("weight", "running_var", "gamma", "layer_scale_parameter")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return (0.1 * rng.standard_normal(shape)).astype(np.float32)


def tensors_for(encoder: Any, naming: Naming, prefix: str = "") -> dict[str, np.ndarray]:
    wanted = {one.tensor: one.shape for sources in sources_of(encoder, naming).values() for one in sources}
    return {prefix + name: drawn(prefix + name, shape) for name, shape in wanted.items()}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Mapping[str, np.ndarray]], Path]:
    def written(tensors: Mapping[str, np.ndarray]) -> Path:
        path = tmp_path / "model.safetensors"
        path.write_bytes(file_of(tensors))
        return path

    return written


# fmt: off
REFERENCES: list[tuple[str, int, str, dict[int, Values]]] = [
    ("resnet18v1", 0, "", {
        2: (0.517256, 0.845463, 0.567152, 1.53272), 4: (2.02139, 1.8647, 0.351215, 1.22134),
        8: (1.81587, 2.30258, 1.83324, 0.0), 16: (1.83498, 2.62146, 0.0, 0.0), 32: (1.74622, 2.30202, 0.0, 0.283722),
    }),
    ("resnet50v1", 1, "resnet.", {
        4: (1.39828, 1.58145, 0.149368, 0.233983), 8: (1.63091, 1.88938, 0.74054, 0.656442),
        16: (2.49776, 2.65164, 0.0, 1.71183), 32: (2.31785, 2.81747, 9.8744, 1.54146),
    }),
    ("resnext50", 0, "", {
        2: (0.517256, 0.845463, 0.567152, 1.53272), 32: (3.43401, 4.28802, 0.0833293, 12.8154),
    }),
    ("convnexttiny", 0, "", {
        4: (-0.121688, 1.58858, -0.476222, -2.77186), 8: (0.0167949, 1.67721, 0.0424443, -3.918),
        16: (-0.053063, 2.42739, 0.0513155, 3.16942),
    }),
    ("convnexttiny", 1, "convnext.", {
        4: (-0.0492634, 1.61797, -1.00638, 2.18631), 8: (0.0110361, 1.60155, 2.46165, -3.42263),
        16: (-0.0538427, 2.38922, -0.427409, 1.47556),
    }),
    ("mitb0", 0, "segformer.", {
        4: (-0.0436433, 1.11287, -1.36127, 1.30572), 8: (-0.0498441, 0.961207, -0.240004, -0.468254),
        16: (0.0179227, 1.04072, -0.477438, 0.301619), 32: (-0.00526382, 1.01765, 0.0300395, -0.0101115),
    }),
    ("mitb0", 1, "", {
        4: (0.0190439, 1.04984, 0.171779, 0.0921349), 8: (-0.0392164, 0.989019, 0.345071, 0.545003),
        16: (0.0418835, 1.0725, -0.327808, -0.35501), 32: (0.00706704, 1.03972, -1.69786, -0.578919),
    }),
]
# fmt: on


@pytest.mark.parametrize(("backbone", "number", "prefix", "expected"), REFERENCES)
def test_features_are_those_of_the_original(
    written: Callable[[Mapping[str, np.ndarray]], Path],
    backbone: str,
    number: int,
    prefix: str,
    expected: Mapping[int, Values],
) -> None:
    encoder, naming = build_encoder(backbone, SHAPE, None), namings_of(backbone)[number]
    said = load_tensors(encoder, backbone, written(tensors_for(encoder, naming, prefix)), IMAGENET)
    assert naming.title in said
    images = np.random.default_rng(0).integers(0, 256, (1, *SHAPE)).astype(np.float32)
    features = features_by_stride(encoder, backbone)
    outputs = tf.keras.Model(encoder.input, [features[stride] for stride in expected])
    found = outputs(preprocessing(backbone, 3, "mean")(images), training=False)
    for values, (stride, reference) in zip(found, expected.items(), strict=True):
        x = values.numpy()
        assert x.shape[1:3] == (SHAPE[0] // stride, SHAPE[1] // stride)
        seen = (x.mean(), x.std(), x[0, 0, 0, 0], x[0, -1, -1, -1])
        np.testing.assert_allclose(seen, reference, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("backbone", "count"),
    [
        # of timm without the classifier
        ("resnet18v1", 11_176_512),
        ("resnet34v1", 21_284_672),
        ("resnet50v1", 23_508_032),
        # of segmentation_models_pytorch, as in transformers
        ("mitb0", 3_319_392),
        ("mitb1", 13_151_424),
        ("mitb2", 24_196_288),
    ],
)
def test_encoders_have_as_many_parameters_as_the_originals(backbone: str, count: int) -> None:
    encoder = build_encoder(backbone, (32, 32, 3), None)
    assert sum(int(np.prod(weight.shape)) for weight in encoder.trainable_weights) == count


TINY = "resnet18v1"


@pytest.fixture(scope="module")
def tiny() -> Any:
    return build_encoder(TINY, (32, 32, 3), None)


def test_tensors_of_other_parts_are_left_out_and_said(
    written: Callable[[Mapping[str, np.ndarray]], Path], tiny: Any
) -> None:
    tensors = tensors_for(tiny, namings_of(TINY)[0])
    tensors |= {"fc.weight": np.zeros((10, 512)), "bn1.num_batches_tracked": np.zeros(())}
    said = load_tensors(tiny, TINY, written(tensors), IMAGENET)
    assert said == "100 tensors in the naming of timm and torchvision (left out: 2, fc.weight, bn1.num_batches_tracked)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv1.weight": None}, r"it lacks 1 tensor \(conv1\.weight\)"),
        ({"layer5.conv.weight": np.zeros(1)}, r"it has 1 tensor \(layer5\.conv\.weight\) that this network does not"),
        (
            {"conv1.weight": np.zeros((64, 3, 3, 3))},
            r"conv1\.weight has shape \[64, 3, 3, 3\], expected \[64, 3, 7, 7\]",
        ),
        ({"bn1.bias": np.full(64, np.nan)}, r"tensor bn1\.bias holds values that are not finite"),
        ({"layer1.0.conv1.weight": None}, "is not named like a file of resnet18v1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    written: Callable[[Mapping[str, np.ndarray]], Path], tiny: Any, change: Mapping[str, Any], message: str
) -> None:
    tensors = tensors_for(tiny, namings_of(TINY)[0]) | change
    path = written({name: array for name, array in tensors.items() if array is not None})
    with pytest.raises(WeightsError, match=message):
        load_tensors(tiny, TINY, path, IMAGENET)


def test_weights_for_resnets_of_other_libraries_name_the_network_that_they_fit(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        namings_of("resnet34")
    assert error.value.advice == "Use their network: --set backbone=resnet34v1"
    with pytest.raises(WeightsError, match="not known for densenet121"):
        namings_of("densenet121")


def test_a_network_starts_from_the_tensors_of_a_file(
    written: Callable[[Mapping[str, np.ndarray]], Path], tiny: Any
) -> None:
    path = written(tensors_for(tiny, namings_of(TINY)[0]))
    spec = NetworkSpec(backbone=TINY, encoder_weights=path, shape=(32, 32, 4), first_convolution="zero")
    network = build_network(spec, 0)
    assert any("100 tensors in the naming of timm" in note for note in network.notes)
    kernel = network.model.get_layer("stem_conv").get_weights()[0]
    np.testing.assert_array_equal(kernel[:, :, :3], drawn("conv1.weight", (64, 3, 7, 7)).transpose(2, 3, 1, 0))
    assert not kernel[:, :, 3].any()


def test_a_file_of_pytorch_is_refused_with_the_line_that_converts_it(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(b"")
    with pytest.raises(WeightsError, match="may hold programs") as error:
        build_network(NetworkSpec(backbone=TINY, encoder_weights=path, shape=(32, 32, 3)), 0)
    assert "save_file" in error.value.advice
