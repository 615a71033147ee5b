"""The kind of an image file in words, from its header."""

from pathlib import Path

from toolkit.errors import DataError
from toolkit.files.images.decoding import open_header
from toolkit.files.images.dicom_files import DICOM_SUFFIXES

_WORDS = {
    "1": "1-bit",
    "L": "8-bit grey",
    "LA": "8-bit grey with alpha",
    "P": "palette",
    "RGB": "8-bit RGB",
    "RGBA": "8-bit RGBA",
    "I": "32-bit grey",
    "F": "float grey",
}


def file_kind(path: Path) -> str:
    """Pixels and format, for example `8-bit RGBA PNG` or `16-bit grey TIFF`.

    The file's extension if Pillow cannot read the header; damage is reported when the file is decoded.
    """
    if path.suffix.lower() in DICOM_SUFFIXES:
        return "DICOM"
    try:
        with open_header(path) as image:
            words = "16-bit grey" if image.mode.startswith("I;16") else _WORDS.get(image.mode, image.mode)
            return f"{words} {image.format}"
    except (DataError, OSError, ValueError):
        return path.suffix.lower().lstrip(".") or "file"
