"""Covers toolkit/learning/runtime.py, from precision and compiled functions to training steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from toolkit.config.training.losses import parse_loss
from toolkit.config.training.networks import NetworkSpec
from toolkit.config.training.optimizers import parse_optimizer
from toolkit.learning import runtime
from toolkit.learning.losses.registry import build_loss
from toolkit.learning.networks.network import Network, build_network
from toolkit.learning.networks.outputs import Outputs
from toolkit.learning.optimizing.optimizers import build_optimizer
from toolkit.learning.predicting.predictor import Predictor
from toolkit.learning.runtime import Precision, choose_precision, compiled, configure, loss_scaling, tf
from toolkit.learning.training.shared_network import CompiledStage
from toolkit.learning.training.step import StepSettings, TrainingStep

pytestmark = pytest.mark.train

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")


@pytest.fixture(autouse=True)
def _float32_afterwards() -> Iterator[None]:
    yield
    configure("float32")


def network(classes: int = 1) -> Network:
    options = {"depth": 1, "convolutions": 1, "start_filters": 8}
    return build_network(
        NetworkSpec(architecture="ModularUnet", options=options, shape=(32, 32, 3), classes=classes), 0
    )


def batch(classes: int = 1) -> tuple[Any, Any]:
    """Discs on noise, with the planes of their masks."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    inside = np.stack([(y - 12 - k) ** 2 + (x - 20 + k) ** 2 < 60 for k in range(6)])
    images = (random.integers(0, 120, (6, 32, 32, 3)) + 100 * inside[..., None]).astype(np.uint8)
    planes = inside[..., None] if classes == 1 else np.stack([~inside, inside], axis=-1)
    return tf.constant(images), tf.constant(planes.astype(np.uint8))


def step_of(trained: Network, terms: str = "binary_crossentropy") -> TrainingStep:
    optimizer = loss_scaling(build_optimizer(parse_optimizer("SGD"), 0.1))
    optimizer.build(trained.trainable_variables)
    loss = build_loss(parse_loss(terms), "sigmoid")
    return TrainingStep(trained, optimizer, loss, None, tf.distribute.get_strategy(), activation="sigmoid")


@pytest.mark.parametrize("precision", PRECISIONS)
def test_weights_outputs_and_losses_are_float32(precision: Precision) -> None:
    configure(precision)
    built = network()
    images, targets = batch()
    outputs = compiled(lambda images: built.outputs(images, training=True))(images)
    assert outputs.logits.dtype == tf.float32
    assert {weight.dtype for weight in built.model.get_weights()} == {np.dtype(np.float32)}
    assert Predictor(built, "none", "sigmoid", at_once=4)(images).dtype == np.float32
    loss = build_loss(parse_loss("binary_crossentropy"), "sigmoid")(targets, outputs, tf.constant(0.0))
    assert loss.dtype == tf.float32
    step = step_of(built)
    losses = [float(step([(images, targets)], [StepSettings(0.1, 0, 0.0)]).losses[0]) for _ in range(8)]
    assert losses[-1] < losses[0]


def loss_and_gradients(precision: Precision, terms: str) -> tuple[float, np.ndarray]:
    configure(precision)
    built, loss = network(), build_loss(parse_loss(terms), "sigmoid")

    def of(images: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(targets, built.outputs(images, training=True), tf.constant(0.0))
        return value, tape.gradient(value, built.trainable_variables)

    value, gradients = compiled(of)(*batch())
    return float(value), np.concatenate([np.ravel(gradient) for gradient in gradients])


@pytest.mark.parametrize("terms", ["binary_crossentropy", "dice_loss", "lovasz_loss"])
def test_half_precision_gives_nearly_the_same_loss_and_gradients(terms: str) -> None:
    expected, slope = loss_and_gradients("float32", terms)
    for precision in PRECISIONS[1:]:
        value, gradients = loss_and_gradients(precision, terms)
        assert value == pytest.approx(expected, rel=0.01), precision
        # Small ones vanish in float16: nothing scales the loss here.
        cosine = gradients @ slope / np.linalg.norm(gradients) / np.linalg.norm(slope)
        assert cosine > 0.995, precision
        assert np.linalg.norm(gradients) == pytest.approx(np.linalg.norm(slope), rel=0.05), precision


@pytest.mark.parametrize(
    ("terms", "classes"),
    [
        ("binary_crossentropy", 1),
        ("focal_loss", 1),
        ("dice_loss", 1),
        ("tversky_loss", 1),
        ("lovasz_loss", 1),
        ("mse_loss", 1),
        ("categorical_crossentropy+dice_loss", 2),
        ("lovasz_loss", 2),
    ],
)
def test_the_rewrite_to_bfloat16_leaves_the_arithmetic_of_losses_alone(terms: str, classes: int) -> None:
    configure("bfloat16")
    built, loss = network(classes), build_loss(parse_loss(terms), "sigmoid" if classes == 1 else "softmax")
    images, targets = batch(classes)
    now = tf.constant(0.0)

    def in_the_graph(images: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = built.outputs(images, training=True).logits
            tape.watch(logits)
            value = loss(targets, Outputs(logits), now)
        # With the gradients of the weights, so that the loss lies between convolutions, as it does in training.
        return logits, value, *tape.gradient(value, [logits, *built.trainable_variables])

    logits, value, slope, *_ = compiled(in_the_graph)(images, targets)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        expected = loss(targets, Outputs(logits), now)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    exact = tape.gradient(expected, logits)
    # It enters the convolutions in half precision: rounded once, at the end.
    rounded = tf.cast(tf.cast(exact, tf.bfloat16), tf.float32)
    errors = np.minimum(np.abs(slope - exact), np.abs(slope - rounded))
    assert errors.max() <= 1e-5 * np.abs(exact).max()


def test_an_overflow_lowers_the_scale_of_the_loss_and_stops_nothing() -> None:
    configure("float16")
    built = network()
    images, targets = batch()
    step = step_of(built, "1000*binary_crossentropy")
    stage = CompiledStage(step, lambda *_: tf.constant(0.0))
    scale, before = float(step.optimizer.loss_scale), [weight.copy() for weight in parameters(built)]
    losses = [float(step([(images, targets)], [StepSettings(0.1, 0, 0.0)]).losses[0])]
    assert float(step.optimizer.loss_scale) == scale / 2
    assert all(map(np.array_equal, parameters(built), before))
    losses += [float(step([(images, targets)], [StepSettings(1e-5, 0, 0.0)]).losses[0]) for _ in range(20)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    lowered = float(step.optimizer.loss_scale)
    assert lowered < scale / 2

    kept = [variable.numpy() for variable in step.variables]
    stage.reset()
    assert float(step.optimizer.loss_scale) == scale
    assert int(step.optimizer.dynamic_counter) == 0
    for variable, value in zip(step.variables, kept, strict=True):
        variable.assign(value)
    assert float(step.optimizer.loss_scale) == lowered
    assert int(step.optimizer.dynamic_counter) > 0


def parameters(built: Network) -> Sequence[np.ndarray]:
    return [variable.numpy() for variable in built.trainable_variables]


def test_the_precision_of_one_experiment_does_not_reach_the_next() -> None:
    images, _ = batch()

    def predicted() -> np.ndarray:
        return Predictor(network(), "none", "sigmoid", at_once=4)(images)

    configure("float32")
    first = predicted()
    for precision in PRECISIONS[1:]:
        configure(precision)
        predicted()
        configure("float32")
        assert tf.keras.mixed_precision.global_policy().name == "float32"
        assert loss_scaling("an optimizer") == "an optimizer"
        assert np.array_equal(predicted(), first)


def test_one_graph_serves_batches_of_all_sizes() -> None:
    sizes = []

    def total(images: Any, pair: tuple[Any, Any], factor: Any) -> Any:
        sizes.append(images.shape[0])
        return factor * tf.reduce_sum(images + pair[0], axis=(1, 2))

    function = compiled(total)
    for size in (3, 2, 5, 2):
        images = tf.ones((size, 4, 4))
        assert function(images, (images, None), tf.constant(2.0)).numpy().tolist() == [64.0] * size
    assert sizes == [None]
    images = tf.ones((2, 4, 4), tf.float64)
    function(images, (images, None), tf.constant(2.0, tf.float64))
    assert sizes == [None, None]


@pytest.mark.parametrize(
    ("gpus", "flags", "expected"),
    [
        ([(9, 0)], "", "bfloat16"),
        ([(8, 0), (7, 5)], "avx512_bf16", "float16"),
        ([(6, 1)], "avx512_bf16", "float32"),
        ([], "avx2 avx512_bf16", "bfloat16"),
        ([], "avx2 amx_bf16 amx_tile", "bfloat16"),
        ([], "avx2 avx512f", "float32"),
    ],
)
def test_auto_chooses_a_precision_that_the_machine_computes_fast(
    gpus: list[tuple[int, int]], flags: str, expected: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: Any = SimpleNamespace(
        list_physical_devices=lambda kind: gpus if kind == "GPU" else ["CPU"],
        experimental=SimpleNamespace(get_device_details=lambda gpu: {"compute_capability": gpu}),
    )
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr(runtime, "tf", SimpleNamespace(config=config))
    monkeypatch.setattr(runtime, "_CPU_FLAGS", tmp_path / "cpuinfo")
    assert choose_precision("auto") == expected
    assert [choose_precision(word) for word in PRECISIONS] == list(PRECISIONS)


@pytest.mark.parametrize("classes", [1, 2])
def test_the_rewrite_to_bfloat16_leaves_activation_and_mean_of_views_alone(classes: int) -> None:
    configure("bfloat16")
    model = network(classes)
    images, _ = batch(classes)
    activation = "sigmoid" if classes == 1 else "softmax"
    singles = [
        Predictor(model, f"view:{name}", activation, at_once=4)(images)
        for name in ("identity", "hflip", "vflip", "rot180")
    ]
    together = Predictor(model, "flips", activation, at_once=4)(images)
    assert np.abs(together - np.mean(singles, axis=0, dtype=np.float64)).max() < 1e-6
    logits = Predictor(model, "none", activation, at_once=4).with_outputs(images)[1].logits
    # Not the same bits: here they are computed for another number of images than there.
    expected = (tf.sigmoid if classes == 1 else tf.nn.softmax)(logits).numpy()
    np.testing.assert_allclose(singles[0], expected, atol=1e-6)
