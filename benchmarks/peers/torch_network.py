"""Images a second of the same network by segmentation_models.pytorch, in training or inference, as one line of JSON.

It needs an environment of its own:

    python3.11 -m venv torch-env
    torch-env/bin/pip install torch numpy pillow pyyaml tqdm huggingface_hub safetensors
    torch-env/bin/pip install --no-deps torchvision segmentation-models-pytorch timm
"""

import argparse
import json
import statistics
import sys
import time
import types

# torchvision registers operators of detection networks, which its wheel for processors does not have.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("no operators")

import segmentation_models_pytorch as smp
import torch

NAMES = {"efficientnetb0": "timm-efficientnet-b0", "DeepLabV3Plus": "DeepLabV3Plus"}


def billions_of_multiplications(network: torch.nn.Module, images: torch.Tensor) -> float:
    """Of all convolutions of a network for one image, forwards."""
    found = []

    def count(layer: torch.nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        side = inputs[0] if isinstance(layer, torch.nn.ConvTranspose2d) else output
        found.append(side.shape[2] * side.shape[3] * layer.weight.numel())

    kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, kinds)]
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    return sum(found) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("training", "inference"))
    parser.add_argument("--architecture", default="Unet")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bfloat16", action="store_true")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    build = getattr(smp, given.architecture)
    backbone = NAMES.get(given.backbone, given.backbone)
    network = build(backbone, encoder_weights=None, classes=1).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters())
    loss_of = torch.nn.BCEWithLogitsLoss()
    shape = (given.batch, 3, given.size, given.size)
    images = torch.rand(shape, device=device).to(memory_format=torch.channels_last)
    masks = (torch.rand(given.batch, 1, given.size, given.size, device=device) > 0.5).float()

    def half() -> torch.autocast:
        return torch.autocast(device, torch.bfloat16, enabled=given.bfloat16)

    def train() -> None:
        with half():
            logits = network(images)
        optimizer.zero_grad()
        loss_of(logits.float(), masks).backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode(), half():
            torch.sigmoid(network(images).float())

    work = billions_of_multiplications(network.eval(), images[:2])
    network.train(given.what == "training")
    call = train if given.what == "training" else infer
    rates = []
    for number in range(given.repeats + 1):
        start = time.perf_counter()
        for _ in range(given.steps):
            call()
        if device == "cuda":
            torch.cuda.synchronize()
        if number:  # the first repeat warms up
            rates.append(given.steps * given.batch / (time.perf_counter() - start))
    print(json.dumps({"images_per_second": statistics.median(rates), "billions of multiplications": work}))


if __name__ == "__main__":
    main()
