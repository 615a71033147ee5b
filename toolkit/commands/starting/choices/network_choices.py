"""The keys about network and folds for an unknown folder, which depend on image sizes and classes."""

import math
import re
from collections import Counter
from typing import Any

from toolkit.commands.starting.choices.backbone_choice import backbone_choices
from toolkit.commands.starting.choices.choice import Choice
from toolkit.commands.starting.mask_classes import EXCLUSIVE_LOSS, EXCLUSIVE_METRIC, exclusive_stages
from toolkit.commands.starting.starting_point import STARTING_POINT, folds_for
from toolkit.errors import listing
from toolkit.files.recognition.recognising import Recognised

_STEP = 32
_WHOLE_AT_MOST = 768
_PATCH = 256
_BATCH, _BATCH_PIXELS = 16, 256 * 256
_PREFIX = re.compile(r"(.+)[_\-][^_\-]+")


def network_choices(found: Recognised, classes: list[Choice], metric: str | None) -> list[Choice]:
    """Backbone, shape, classes, loss, batch, metric and folds.

    Args:
        found: the contents of the folder.
        classes: the result of `class_choices`.
        metric: the metric of the competition; None if it is unknown.
    """
    exclusive = any(choice.key == ("activation",) and choice.value == "softmax" for choice in classes)
    sizes = _sizes(found)
    shape = next(choice.value for choice in sizes if choice.key == ("shape",))
    pixels = shape[0] * shape[1]
    batch = min(_BATCH, max(2, 2 ** int(math.log2(max(1, _BATCH * _BATCH_PIXELS / pixels)))))
    choices = [*backbone_choices(), *sizes, *classes]
    choices.append(Choice(("batch",), batch, f"about as many pixels in a batch as {_BATCH} images of 256×256"))
    if metric is None:
        value = EXCLUSIVE_METRIC if exclusive else "dice"
        choices.append(Choice(("primary_metric",), value, "a guess: the files do not show the metric"))
    if exclusive:
        choices.append(Choice(("loss",), EXCLUSIVE_LOSS, "for exclusive classes"))
        choices.append(Choice(("stages",), exclusive_stages(), ""))
    return [*choices, *_folds(found)]


def _sizes(found: Recognised) -> list[Choice]:
    """The network's input shape, and how images are brought to it."""
    channels = _channels(found)
    heights, widths = zip(*found.sizes, strict=True)
    (height, width), _ = found.sizes.most_common(1)[0]
    largest = max(*heights, *widths)
    smallest = min(*heights, *widths)
    if largest > _WHOLE_AT_MOST or (len(found.sizes) > 1 and smallest >= _PATCH):
        return _patches(found, channels)
    if len(found.sizes) > 1:
        side = _rounded(min(_PATCH, largest))
        why = f"images have {len(found.sizes)} sizes, with sides from {smallest} to {largest} pixels"
        return [
            Choice(("shape",), (side, side, channels), why),
            Choice(("resize",), "fit", "scaled to the shape with the aspect ratio kept"),
        ]
    shape = (_rounded(height), _rounded(width), channels)
    if shape[:2] == (height, width):
        return [Choice(("shape",), shape, "the size of the images")]
    why = f"{height}×{width}, rounded up to multiples of {_STEP}, which networks require"
    return [
        Choice(("shape",), shape, why),
        Choice(("resize",), "pad", "images keep their size and are padded with mirrored pixels", "stretch"),
    ]


def _patches(found: Recognised, channels: int) -> list[Choice]:
    heights, widths = zip(*found.sizes, strict=True)
    area = sum(height * width * count for (height, width), count in found.sizes.items()) / found.sizes.total()
    per_image = max(2, min(64, round(area / _PATCH**2 / 2)))
    told = f"images of up to {max(heights)}×{max(widths)} pixels"
    told += f" in {len(found.sizes)} sizes" if len(found.sizes) > 1 else ""
    return [
        Choice(
            ("shape",),
            (_PATCH, _PATCH, channels),
            f"{told}: the network is trained on patches of this size",
            "scale the images: resize",
        ),
        Choice(
            ("patches",), {"per_image": per_image}, "an epoch covers about half of each image; prediction uses tiles"
        ),
    ]


def _rounded(side: int) -> int:
    return -(-side // _STEP) * _STEP


def _channels(found: Recognised) -> int:
    """Three, which pretrained weights require, unless files have more than colours and alpha."""
    return found.channels if found.channels > 4 else 3


def _folds(found: Recognised) -> list[Choice]:
    count = len(found.images.paths)
    folds = folds_for(count)
    choices = []
    if folds != STARTING_POINT["folds_count"]:
        choices.append(Choice(("folds_count",), folds, f"there are only {count} images"))
    prefixes = Counter(match[1] for one in found.images.paths if (match := _PREFIX.fullmatch(one)) is not None)
    if len(prefixes) > 1 and prefixes.total() == count and len(prefixes) <= count / 2:
        shown = (f"{prefix} ({times})" for prefix, times in prefixes.most_common())
        why = f"ids have {len(prefixes)} different prefixes: {listing(shown, 4)}"
        other = (
            'groups: {pattern: "(.+)[_-].+"}, to keep images with the same prefix in one fold, if they show the same '
            "patient, place or film"
        )
        choices.append(Choice(("groups",), None, why, other))
    return choices


def starting_values(choices: list[Choice], defined: tuple[str, ...]) -> dict[str, Any]:
    """The defaults of a new experiment, without keys that the choices or the competition define."""
    chosen = {choice.key[0] for choice in choices if choice.has_value}
    chosen |= {"resize"} if "patches" in chosen else set()  # patches have the network's input shape
    return {key: value for key, value in STARTING_POINT.items() if key not in chosen and key not in defined}
