"""Images a second of one network of the toolkit, in training or inference, as one line of JSON.

Training is the step that `tk fit` runs, on batches that are in memory. Inference is what predicts, by either engine.
Processor milliseconds for an image depend less on what else the machine does. `start seconds` is the first call:
tracing, converting, compiling. The multiplications of the convolutions for an image, in billions, say whether two
programs do the same work.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.config.models import Config
from toolkit.config.stage_values import read_stage
from toolkit.core.images.views import parse_views
from toolkit.learning.engines.engine import build_engine
from toolkit.learning.predicting.predictor import images_at_once
from toolkit.learning.runtime import choose_precision, configure, tf
from toolkit.learning.training.shared_network import SharedNetwork
from toolkit.learning.training.step import StepSettings


def figures_of(call: Callable[[], Any], images: int, repeats: int) -> dict[str, float]:
    """Images a second and processor time for an image, medians of several repeats after two that warm up."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    call()
    rates, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        call()
        rates.append(images / (time.perf_counter() - start))
        processor.append(1000 * (time.process_time() - used) / images)
    rate = statistics.median(rates)
    return {
        "images_per_second": rate,
        "processor ms for an image": statistics.median(processor),
        "start seconds": first - images / rate,
    }


def billions_of_multiplications(model: Any) -> float:
    """Of all convolutions of a model for one image, forwards."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):  # depthwise and transposed ones too
            # A rebuilt network shares layers with the one before; both use them at the same size.
            is_transposed = isinstance(layer, tf.keras.layers.Conv2DTranspose)
            side = layer.get_input_shape_at(0) if is_transposed else layer.get_output_shape_at(0)
            total += side[1] * side[2] * int(np.prod(layer.weights[0].shape))
    return total / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("training", "inference"))
    parser.add_argument("--architecture", default="Unet")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--engine", default="tensorflow")
    parser.add_argument("--xla", default="auto")
    parser.add_argument("--steps-per-call", type=int, default=1)
    given = parser.parse_args()
    tree: dict[str, Any] = {
        "data": {"images": "images", "masks": "masks"},
        "architecture": given.architecture,
        "backbone": given.backbone,
        "encoder_weights": None,
        "shape": (given.size, given.size, 3),
        "batch": given.batch,
        "loss": "binary_crossentropy",
        "stages": ({"epochs": 1},),
        "xla": given.xla,
        "steps_per_call": given.steps_per_call,
    }
    config = Config.model_validate(tree)
    precision = choose_precision(given.precision)
    configure(precision)
    shared = SharedNetwork(config, {})
    shared.begin_fold(0, 0)
    pixels = np.random.default_rng(0).integers(0, 256, (given.batch, given.size, given.size, 3), np.uint8)
    images = tf.constant(pixels)
    if given.what == "training":
        step = shared.begin_stage(read_stage(config, 0), None).step
        batch = (images, tf.constant((pixels[..., :1] > 128).astype(np.uint8)))
        per_call = given.steps_per_call
        calls = [([batch] * per_call, [StepSettings(1e-3, 0, 0.0)] * per_call)] * given.steps

        def train() -> None:
            for call in calls:
                taken = step(*call)
            taken.losses.numpy()  # waits for the device

        found = figures_of(train, given.steps * per_call * given.batch, given.repeats)
    else:
        at_once = images_at_once(given.batch)
        engine = build_engine(given.engine, config.activation, at_once, precision)
        predict = engine.mean_over(parse_views("none"), lambda view: shared.network)
        engine.refresh()
        found = figures_of(
            lambda: [predict(images) for _ in range(given.steps)], given.steps * given.batch, given.repeats
        )
    print(json.dumps(found | {"billions of multiplications": billions_of_multiplications(shared.network.model)}))


if __name__ == "__main__":
    main()
