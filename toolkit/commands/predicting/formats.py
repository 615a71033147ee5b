"""The file formats of predictions with files for each image."""

import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO

import numpy as np
import numpy.typing as npt

from toolkit.commands.predicting.forecaster import Forecast
from toolkit.core.arrays import Planes
from toolkit.core.masks.labels import Classes
from toolkit.core.recipe.probabilities import Stored, to_levels
from toolkit.errors import ConfigError, not_valid
from toolkit.files.disk.png import png_bytes
from toolkit.report.prediction_picture import prediction_picture

_LARGE = 1 << 24
"""From this many pixels on, pictures are drawn from 8-bit levels, because floats take four times the memory."""

_UNSAFE = re.compile(r"[^\w .+-]")


@dataclass(frozen=True)
class About:
    """The predicted classes, and a title for pictures."""

    classes: Classes
    title: str

    @property
    def is_exclusive(self) -> bool:
        """Whether each pixel has exactly one class; the first is the background."""
        return self.classes.activation == "softmax"

    @property
    def foreground(self) -> int:
        """The number of foreground classes."""
        return self.classes.count - self.is_exclusive

    @property
    def folders(self) -> list[str]:
        """A unique folder name for each class."""
        safe = [_UNSAFE.sub("_", name).strip(". ") or "_" for name in self.classes.names]
        return [name if safe.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(safe)]


@dataclass(frozen=True, eq=False)
class Predicted:
    """The prediction of one image.

    `stored` is the map as it is kept in stores; `masks` is `bool (height, width, classes)`, None if no format needs it.
    """

    forecast: Forecast
    stored: Stored
    masks: Planes | None


Writer = Callable[[BinaryIO], object]
"""Writes the content of a file."""


@dataclass(frozen=True)
class Format:
    """A format: the paths of its files, the writer of each file, and whether it needs masks."""

    paths: Callable[[About, str], list[str]]
    writers: Callable[[About, Predicted], list[Writer]]
    takes_masks: bool = False


def parse_formats(texts: Sequence[str]) -> tuple[str, ...]:
    """The formats of a list (for example `png,mask`), each once, and the formats that others are made of.

    Raises:
        ConfigError: a format is unknown, or none is named.
    """
    wanted = [word.strip() for text in texts for word in text.split(",")]
    allowed = [*FORMATS, *MADE_OF]
    if not wanted:
        raise ConfigError(f"--format: the format is missing; choose from {', '.join(allowed)}")
    for word in wanted:
        if word not in allowed:
            raise ConfigError(f"--format: {not_valid(word, allowed)}", "Pictures of the predictions: --format overlay")
    return tuple(dict.fromkeys([*wanted, *(MADE_OF[word] for word in wanted if word in MADE_OF)]))


def mask_images(about: About, masks: Planes) -> list[npt.NDArray[np.uint8]]:
    """Masks as they are written, `uint8 (height, width)`.

    A single foreground class gives one image, 255 on 0. Several exclusive classes give one image with the class number
    of each pixel. Independent classes, which may overlap, give one image each, 255 on 0.
    """
    if about.is_exclusive and about.foreground > 1:
        return [masks.argmax(axis=2).astype(np.uint8)]
    planes = range(about.is_exclusive, about.classes.count)
    return [masks[..., number].astype(np.uint8) * np.uint8(255) for number in planes]


def mask_paths(about: About, name: str) -> list[str]:
    """The paths of the images of `mask_images`."""
    several = about.foreground > 1 and not about.is_exclusive
    return [f"mask/{folder}/{name}.png" for folder in about.folders] if several else [f"mask/{name}.png"]


def _map_paths(about: About, name: str) -> list[str]:
    several = about.classes.count > 1
    return [f"png/{folder}/{name}.png" for folder in about.folders] if several else [f"png/{name}.png"]


def _maps(about: About, predicted: Predicted) -> list[Writer]:
    levels = to_levels(predicted.stored)
    return [_png_writer(levels[..., number]) for number in range(about.classes.count)]


def _npz(about: About, predicted: Predicted) -> list[Writer]:
    def write(file: BinaryIO) -> None:
        forecast = predicted.forecast
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("im_np.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, forecast.image, allow_pickle=False)
            with archive.open("pred_np.npy", "w", force_zip64=True) as member:
                _write_map(member, forecast)
            if forecast.presence is not None:
                with archive.open("presence.npy", "w") as member:
                    np.lib.format.write_array(member, forecast.presence, allow_pickle=False)

    return [write]


def _npy(about: About, predicted: Predicted) -> list[Writer]:
    return [lambda file: _write_map(file, predicted.forecast)]


def _write_map(file: IO[bytes], forecast: Forecast) -> None:
    """Write a map as a .npy file, a few rows at a time."""
    header = {"descr": "<f4", "fortran_order": False, "shape": forecast.shape}
    np.lib.format.write_array_header_1_0(file, header)
    for part in forecast.parts():
        file.write(np.ascontiguousarray(part, "<f4").data)


def _mask(about: About, predicted: Predicted) -> list[Writer]:
    return [] if predicted.masks is None else list(map(_png_writer, mask_images(about, predicted.masks)))


def _overlay(about: About, predicted: Predicted) -> list[Writer]:
    masks = predicted.masks
    return [] if masks is None else [lambda file: file.write(png_bytes(_picture(about, predicted, masks)))]


def _picture(about: About, predicted: Predicted, masks: Planes) -> npt.NDArray[np.uint8]:
    forecast, stored = predicted.forecast, predicted.stored
    in_levels = stored.dtype == np.uint8 and stored.shape[0] * stored.shape[1] >= _LARGE
    return prediction_picture(
        forecast.picture,
        (to_levels(stored) if in_levels else forecast.probability)[..., about.is_exclusive :],
        masks[..., about.is_exclusive :],
        name=forecast.image_id,
        title=about.title,
        classes=about.classes.names[about.is_exclusive :],
        background=about.classes.names[0] if about.is_exclusive else None,
    )


def _png_writer(pixels: npt.NDArray[np.uint8]) -> Writer:
    return lambda file: file.write(png_bytes(pixels))


FORMATS: dict[str, Format] = {
    "png": Format(_map_paths, _maps),
    "npz": Format(lambda about, name: [f"npz/{name}.npz"], _npz),
    "npy": Format(lambda about, name: [f"npy/{name}.npy"], _npy),
    "mask": Format(mask_paths, _mask, takes_masks=True),
    "overlay": Format(lambda about, name: [f"overlay/{name}.png"], _overlay, takes_masks=True),
}
"""The formats of `--format` with one or more files for each image."""

MADE_OF = {"maps": "npy", "rle": "mask"}
"""The formats with one file for all images, and the format that each is made of."""
