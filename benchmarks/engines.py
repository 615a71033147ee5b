"""TensorFlow and OpenVINO side by side: images per second, and what conversion costs.

python benchmarks/engines.py [ROUNDS]      7 if left out

Engines alternate, so that whatever else the machine does hits both; a ratio is the median over the rounds. Processor
time is given too: on a machine that is shared, the time on the clock says more about the others. Weights are random.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from toolkit.config.training.networks import NetworkSpec
from toolkit.core.images.views import VIEWS
from toolkit.learning.engines.engine import build_engine
from toolkit.learning.networks.network import build_network
from toolkit.learning.runtime import Precision, choose_precision, configure

NETWORKS = (("Unet", "resnet18", 128), ("Unet", "resnet34", 256), ("FPN", "efficientnetb0", 256))
IMAGES, AT_ONCE = 16, 4


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """Seconds on the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - clock, time.process_time() - processor


def measure(architecture: str, backbone: str, side: int, precision: Precision, rounds: int) -> None:
    configure(precision)
    spec = NetworkSpec(
        architecture=architecture, options={}, backbone=backbone, encoder_weights=None, shape=(side, side, 3),
        classes=1, batch_norm_momentum=0.9, first_convolution="mean", presence_head=False,
    )  # fmt: skip
    network = build_network(spec, 0)
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side, 3), np.uint8)
    engines = {name: build_engine(name, "sigmoid", AT_ONCE, precision) for name in ("tensorflow", "openvino")}
    means = {name: engine.mean_over(VIEWS["none"], lambda view: network) for name, engine in engines.items()}
    first = {name: timed(lambda mean=mean: mean(images)) for name, mean in means.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in means}
    again = []
    for _ in range(rounds):
        for name, mean in means.items():
            found[name].append(timed(lambda mean=mean: mean(images)))
        engines["openvino"].refresh()
        anew, warm = (
            timed(lambda: means["openvino"](images[:AT_ONCE])),
            timed(lambda: means["openvino"](images[:AT_ONCE])),
        )
        again.append((anew[0] - warm[0], anew[1] - warm[1]))
    print(f"{architecture}/{backbone}, {side} px, {precision}")
    for name, times in found.items():
        clock, processor = (statistics.median(one[kind] for one in times) for kind in (0, 1))
        print(
            f"  {name:10}  {IMAGES / clock:7.1f} images/s  {1000 * processor / IMAGES:7.1f} ms of processor per image  "
            f"first {IMAGES}: {first[name][0]:.1f} s, of processor {first[name][1]:.1f} s"
        )
    ratios = [
        statistics.median(one[kind] / other[kind] for one, other in zip(*found.values(), strict=True))
        for kind in (0, 1)
    ]
    clock, processor = (statistics.median(one[kind] for one in again) for kind in (0, 1))
    print(f"  OpenVINO is {ratios[0]:.2f} × as fast on the clock, {ratios[1]:.2f} × in processor time")
    print(f"  compiling changed weights: {clock:.2f} s, of processor {processor:.2f} s", flush=True)


if __name__ == "__main__":
    for network in NETWORKS:
        for precision in dict.fromkeys((choose_precision("auto"), "float32")):
            measure(*network, precision, int(sys.argv[1]) if len(sys.argv) > 1 else 7)
