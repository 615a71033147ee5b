"""The whole job written by hand with PyTorch: two folds, augmentation, flips, a threshold, a submission.

The folder has train/images, train.csv and test/images, as `tk simulate salt` writes them. Environment: as for
torch_network.py, and `pip install albumentations==2.0.8 opencv-python-headless`. One line of JSON: the seconds it took.
"""

import argparse
import csv
import json
import sys
import time
import types
from pathlib import Path

# torchvision registers operators of detection networks, which its wheel for processors does not have.
sys.modules["torchvision._meta_registrations"] = types.ModuleType("no operators")

import albumentations as alb
import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

FOLDS = 2
THRESHOLDS = np.arange(0.2, 0.81, 0.05)
AREAS = (0, 20, 50, 100, 200)
LIGHT = alb.Compose(
    [
        alb.HorizontalFlip(p=0.5),
        alb.Affine(scale=(0.9, 1.1), translate_percent=(-0.06, 0.06), rotate=(-10, 10), p=0.5),
        alb.RandomBrightnessContrast(p=0.3),
    ]
)


def decoded(runs: str, size: tuple[int, int]) -> np.ndarray:
    flat = np.zeros(size[0] * size[1], np.uint8)
    numbers = [int(number) for number in runs.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        flat[start - 1 : start - 1 + length] = 1
    return flat.reshape(size[::-1]).T


def encoded(mask: np.ndarray) -> str:
    changes = np.flatnonzero(np.diff(np.pad(mask.T.ravel().astype(np.int8), 1)))
    return " ".join(f"{start + 1} {stop - start}" for start, stop in zip(changes[::2], changes[1::2], strict=True))


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / 255)


class Samples(torch.utils.data.Dataset):
    def __init__(self, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        found = LIGHT(image=self.pairs[number][0], mask=self.pairs[number][1])
        return tensor(found["image"]), torch.from_numpy(found["mask"][None].astype(np.float32))


def iou_map(found: np.ndarray, truth: np.ndarray) -> float:
    both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    hits = (np.where(either == 0, 1, both / np.maximum(either, 1))[:, None] > np.arange(0.5, 1, 0.05)).mean(1)
    empty = truth.sum((1, 2)) == 0
    return float(np.where(empty, found.sum((1, 2)) == 0, hits).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("submission", type=Path)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--bfloat16", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    cv2.setNumThreads(1)
    started = time.perf_counter()
    with (given.folder / "train.csv").open() as file:
        masks = {row[0]: row[1] for row in list(csv.reader(file))[1:]}
    names = sorted(masks)
    images = {name: cv2.imread(str(given.folder / "train" / "images" / f"{name}.png")) for name in names}
    size = images[names[0]].shape[:2]
    truth = np.stack([decoded(masks[name], size) for name in names])
    side = (given.size, given.size)
    tests = sorted((given.folder / "test" / "images").glob("*.png"))
    pairs = [
        (cv2.resize(images[name], side), cv2.resize(mask, side, interpolation=cv2.INTER_NEAREST))
        for name, mask in zip(names, truth, strict=True)
    ]
    folds = np.arange(len(names)) % FOLDS

    def half() -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=given.bfloat16)

    def predict(network: torch.nn.Module, pictures: list[np.ndarray]) -> np.ndarray:
        network.eval()
        maps = []
        with torch.inference_mode(), half():
            for start in range(0, len(pictures), 32):
                batch = torch.stack([tensor(image) for image in pictures[start : start + 32]])
                batch = batch.to(memory_format=torch.channels_last)
                views = (torch.sigmoid(network(batch).float()), torch.sigmoid(network(batch.flip(3)).float()).flip(3))
                maps += [cv2.resize(one.numpy()[0], size[::-1]) for one in (views[0] + views[1]) / 2]
        return np.stack(maps)

    held_out = np.zeros((len(names), *size), np.float32)
    test_maps = np.zeros((len(tests), *size), np.float32)
    for fold in range(FOLDS):
        train = Samples([pair for pair, place in zip(pairs, folds, strict=True) if place != fold])
        loader = torch.utils.data.DataLoader(train, given.batch, shuffle=True, num_workers=1, persistent_workers=True)
        network = smp.Unet("resnet18", encoder_weights=None, classes=1).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=given.epochs * len(loader))
        for _ in range(given.epochs):
            network.train()
            for batch, target in loader:
                with half():
                    logits = network(batch.to(memory_format=torch.channels_last))
                optimizer.zero_grad()
                binary_cross_entropy_with_logits(logits.float(), target).backward()
                optimizer.step()
                schedule.step()
        network.eval()
        scored = [pair[0] for pair, place in zip(pairs, folds, strict=True) if place == fold]
        held_out[folds == fold] = predict(network, scored)
        test_maps += predict(network, [cv2.resize(cv2.imread(str(path)), side) for path in tests]) / FOLDS

    def masks_of(maps: np.ndarray, threshold: float, area: int) -> np.ndarray:
        found = maps > threshold
        found[found.sum((1, 2)) < area] = False
        return found

    rules = [(threshold, area) for threshold in THRESHOLDS for area in AREAS]
    best = max(rules, key=lambda rule: iou_map(masks_of(held_out, *rule), truth > 0))
    with given.submission.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "rle_mask"])
        for path, mask in zip(tests, masks_of(test_maps, *best), strict=True):
            writer.writerow([path.stem, encoded(mask)])
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
