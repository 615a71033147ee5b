"""How long the whole job takes on large images, and how much memory each command needs at most.

python benchmarks/large_images.py [SIDE [TYPE]]      10000 pixels and tif if left out; png has to be decoded whole

Two training images and a test image are made up. The network is the smallest there is, so that the figures are those of
all that lies around it; a real network adds its own time for each tile, and its own memory.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

TILE = 512
CONFIG = f"""\
data: {{images: ../../train, masks: ../../masks, test: ../../test, sample_submission: ../../sample.csv}}
architecture: ModularUnet
architecture_options: {{depth: 1, convolutions: 1, start_filters: 4}}
backbone: null
shape: [{TILE}, {TILE}, 3]
batch: 8
lr: 0.01
patches: {{per_image: 32}}
folds_count: 2
precision: float32
stages: [{{epochs: 1}}]
"""
COMMANDS = ("fit", "tune", "submit", "evaluate")


def build(root: Path, side: int, kind: str) -> None:
    """Blobs on noise, one piece again and again, turned so that no seam shows."""
    random = np.random.default_rng(0)
    blobs = cv2.GaussianBlur(random.random((1000, 1000), np.float32), (0, 0), 12)
    mask = (blobs > np.quantile(blobs, 0.9)).astype(np.uint8) * 255
    image = cv2.add(random.integers(60, 120, (1000, 1000), np.uint8), mask // 3)
    for folder, name, pixels in (
        ("train", f"a.{kind}", np.stack([image] * 3, axis=-1)),
        ("train", f"b.{kind}", np.stack([image.T] * 3, axis=-1)),
        ("test", f"c.{kind}", np.stack([image[::-1]] * 3, axis=-1)),
        ("masks", "a.png", mask),
        ("masks", "b.png", mask.T),
    ):
        (root / folder).mkdir(exist_ok=True)
        times = -(-side // 2000)
        pair = np.concatenate([pixels, pixels[:, ::-1]], axis=1)
        block = np.concatenate([pair, pair[::-1]])
        large = np.tile(block, (times, times, *[1] * (pixels.ndim - 2)))[:side, :side]
        settings = [cv2.IMWRITE_TIFF_COMPRESSION, 1] if name.endswith("tif") else [cv2.IMWRITE_PNG_COMPRESSION, 1]
        cv2.imwrite(str(root / folder / name), large, settings)
    (root / "sample.csv").write_text("id,rle_mask\nc,\n")
    folder = root / "experiments" / "large"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)


def measured(command: list[str], folder: Path) -> tuple[float, float, bool]:
    """Seconds, GiB at most, and whether it went well."""
    started = time.perf_counter()
    with (folder / f"{command[0]}.log").open("wb") as log:
        process = subprocess.Popen(["tk", *command], cwd=folder, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, usage.ru_maxrss / 2**20, process.returncode == 0


def main() -> None:
    """Print a table."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "tif"
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        build(root, side, kind)
        print(f"{side}×{side}, {kind}, tiles of {TILE}; this process: {own_memory():.2f} GiB")
        for command in COMMANDS:
            seconds, memory, fine = measured([command, "large"], root)
            print(f"tk {command:9} {seconds:7.1f} s   {memory:5.2f} GiB{'' if fine else '   FAILED'}", flush=True)
            if not fine:
                print((root / f"{command}.log").read_text()[-2000:])
                sys.exit(1)


def own_memory() -> float:
    """GiB that this process has used at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
