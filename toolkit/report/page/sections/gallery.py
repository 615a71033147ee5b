"""The images: the worst, median and best out-of-fold ones, and those that two experiments decide differently."""

from typing import Any

import numpy as np

from toolkit.report.page.blocks import Live, Prose, Section
from toolkit.report.page.encoding import packed, png_address, webp_address
from toolkit.report.page.values import ClassPlanes, GalleryImage, ImageCurve, PageValues, Pixels

_GROUPS = {
    "worst": "worst",
    "median": "median",
    "best": "best",
    "label": "label in doubt",
    "differs": "decided differently",
}


def gallery(values: PageValues) -> Section | None:
    """The section; nothing without images."""
    found = values.gallery
    if found is None or not found.images:
        why = values.missing.get("gallery")
        return None if why is None else Section("images", "The images", [Prose(why)])
    data = {
        "classes": [{"index": index, "name": name} for index, name in found.classes],
        "images": [_image(one) for one in found.images],
        "direction": values.direction,
        "comparedWith": found.compared_with,
        "metric": values.metric,
    }
    shown = {
        "gallery": found,
        "groups": [(key, text) for key, text in _GROUPS.items() if any(key in one.groups for one in found.images)],
        "folds": sorted({one.fold for one in found.images}),
        "has_ignored": any((one.truth == 127).any() for image in found.images for one in image.planes.values()),
    }
    lead = (
        f"{len(found.images)} of {values.images:,} out-of-fold images. Each was predicted by the fold that never saw "
        "it. Press an image to enlarge it."
    )
    words = ("fold", "out-of-fold (OOF)", values.metric)
    return Section("images", "The images", [Live("gallery.html.j2", shown, data, "gallery")], lead, words)


def _image(image: GalleryImage) -> dict[str, Any]:
    return {
        "id": image.image_id,
        "fold": image.fold,
        "groups": list(image.groups),
        "size": list(image.size),
        "picture": webp_address(image.picture),
        "shown": list(image.picture.shape[:2]),
        "untuned": image.untuned,
        "kept": image.kept,
        "other": image.other,
        "trueArea": image.true_area,
        "planes": {str(index): _planes(planes) for index, planes in image.planes.items()},
    }


def _planes(planes: ClassPlanes) -> dict[str, Any]:
    """Probability, truth and mask as the channels of one picture without loss; and the curve of the score."""
    return {
        "maps": png_address(_stacked(planes.levels, planes.truth, planes.mask)),
        "other": None if planes.other is None else png_address(planes.other),
        "isEmpty": not bool((planes.truth == 255).any()),
        "kept": planes.kept,
        "untuned": planes.untuned,
        "area": planes.area,
        "doubt": planes.doubt,
        "curve": None if planes.curve is None else _curve(planes.curve),
    }


def _stacked(*channels: Pixels) -> Pixels:
    return np.stack(channels, axis=-1)


def _curve(curve: ImageCurve) -> dict[str, Any]:
    return {
        "scores": packed(curve.scores),
        "sizes": None if curve.sizes is None else packed(curve.sizes),
        "emptied": curve.emptied,
    }
