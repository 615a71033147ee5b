"""Images a second of one network of the toolkit, in training or inference, as one line of JSON.

Training is the step that `tk fit` runs, on batches that are in memory. Inference is what predicts, by either engine.
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


def rate(call: Callable[[], Any], images: int, repeats: int) -> float:
    """Images a second, the median of several repeats after two that warm up."""
    call(), call()
    rates = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        rates.append(images / (time.perf_counter() - start))
    return statistics.median(rates)


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

        images_per_second = rate(train, given.steps * per_call * given.batch, given.repeats)
    else:
        at_once = images_at_once(given.batch)
        engine = build_engine(given.engine, config.activation, at_once, precision)
        predict = engine.mean_over(parse_views("none"), lambda view: shared.network)
        engine.refresh()
        images_per_second = rate(lambda: [predict(images) for _ in range(given.steps)],
                                 given.steps * given.batch, given.repeats)  # fmt: skip
    print(json.dumps({"images_per_second": images_per_second}))


if __name__ == "__main__":
    main()
