"""Inference: both engines of the toolkit and PyTorch in turns, on networks of three kinds."""

import argparse

from benchmarks.turns import in_turns, keep, ours, peer
from toolkit.learning.runtime import choose_precision

NETWORKS = (("Unet", "resnet18", 128, 16), ("Unet", "resnet34", 256, 4), ("FPN", "efficientnetb0", 256, 4))

FIGURES = ["images_per_second", "processor ms for an image", "start seconds", "billions of multiplications"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="The Python of an environment with PyTorch; see peers/torch_network.py.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    for precision in dict.fromkeys(("float32", choose_precision("auto"))):
        for architecture, backbone, size, batch in NETWORKS:
            words = ["inference", "--architecture", architecture, "--backbone", backbone]
            words += ["--size", str(size), "--batch", str(batch)]
            commands = {
                engine: ours("benchmarks.one_network", *words, "--precision", precision, "--engine", engine)
                for engine in ("openvino", "tensorflow")
            }
            commands |= peer(given.peer, "torch_network.py", *words, *["--bfloat16"] * (precision == "bfloat16"))
            work = f"{architecture}/{backbone} {size} px, batch {batch}, {precision}"
            rows += in_turns(work, commands, FIGURES, given.rounds)
    keep("Inference", rows)


if __name__ == "__main__":
    main()
