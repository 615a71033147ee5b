"""Training steps: the toolkit and PyTorch in turns, on networks of four kinds."""

import argparse

from benchmarks.turns import in_turns, keep, ours, peer

NETWORKS = (
    ("Unet", "resnet18", 128, 16),
    ("Unet", "resnet34", 256, 4),
    ("FPN", "efficientnetb0", 256, 4),
    ("DeepLabV3Plus", "resnet50", 256, 4),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", help="The Python of an environment with PyTorch; see peers/torch_network.py.")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = []
    for architecture, backbone, size, batch in NETWORKS:
        words = ["training", "--architecture", architecture, "--backbone", backbone]
        words += ["--size", str(size), "--batch", str(batch)]
        commands = {"toolkit": ours("benchmarks.one_network", *words, "--precision", "float32")}
        commands |= peer(given.peer, "torch_network.py", *words)
        work = f"{architecture}/{backbone} {size} px, batch {batch}, float32"
        rows += in_turns(work, commands, ["images_per_second", "billions of multiplications"], given.rounds)
    keep("Training step", rows)


if __name__ == "__main__":
    main()
