"""Files of kinds that are not read, each with a way to convert them; and the lines to write where masks are missing."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import counted, listing
from toolkit.files.images.names.naming_advice import names_advice
from toolkit.files.recognition.folders.folder_scan import FolderScan
from toolkit.files.recognition.folders.roles import Roles, is_mask_folder

_PILLOW = "convert them to PNG: mogrify -format png FILES (ImageMagick)"
_NPY = "save each array with numpy.save as .npy"
_GEO = "draw the polygons with rasterio.features.rasterize and save them as PNG"
_WAYS: Mapping[str, str] = {
    ".dicom": "DICOM: rename the files to end in .dcm, which are read",
    ".nii": "NIfTI volumes: nibabel.load(FILE).get_fdata(), each slice saved with numpy.save",
    ".nii.gz": "NIfTI volumes: nibabel.load(FILE).get_fdata(), each slice saved with numpy.save",
    ".mha": "MetaImage: SimpleITK.ReadImage, each slice saved with numpy.save",
    ".mhd": "MetaImage: SimpleITK.ReadImage, each slice saved with numpy.save",
    ".nrrd": "NRRD: nrrd.read (pynrrd), each slice saved with numpy.save",
    ".jp2": f"JPEG 2000: {_PILLOW}, or gdal_translate IN OUT.tif with more than 8 bits",
    ".j2k": f"JPEG 2000: {_PILLOW}",
    ".jxl": "JPEG XL: djxl IN OUT.png",
    ".avif": f"AVIF: {_PILLOW}",
    ".heic": f"HEIC: {_PILLOW}",
    ".ppm": f"Netpbm: {_PILLOW}",
    ".pgm": f"Netpbm: {_PILLOW}",
    ".pbm": f"Netpbm: {_PILLOW}",
    ".pnm": f"Netpbm: {_PILLOW}",
    ".tga": f"Targa: {_PILLOW}",
    ".svg": "drawings: rsvg-convert IN -o OUT.png",
    ".psd": f"Photoshop: {_PILLOW}",
    ".exr": "OpenEXR: cv2.imread with OPENCV_IO_ENABLE_OPENEXR=1, saved with numpy.save",
    ".svs": "whole slides: vips dzsave or tiffslide cuts them into tiles in PNG",
    ".ndpi": "whole slides: vips dzsave or tiffslide cuts them into tiles in PNG",
    ".mrxs": "whole slides: vips dzsave or openslide cuts them into tiles in PNG",
    ".czi": "microscope images: bfconvert IN OUT.tif (Bio-Formats)",
    ".lif": "microscope images: bfconvert IN OUT.tif (Bio-Formats)",
    ".nd2": "microscope images: bfconvert IN OUT.tif (Bio-Formats)",
    ".mat": f"MATLAB: scipy.io.loadmat (before 7.3) or h5py; {_NPY}",
    ".h5": f"HDF5: open them with h5py and {_NPY}, or write a source (docs/data.md)",
    ".hdf5": f"HDF5: open them with h5py and {_NPY}, or write a source (docs/data.md)",
    ".zarr": f"Zarr: {_NPY}, or write a source (docs/data.md)",
    ".parquet": "Parquet: pandas.read_parquet(FILE).to_csv(OUT, index=False)",
    ".xlsx": "Excel: save the sheet as CSV",
    ".xls": "Excel: save the sheet as CSV",
    ".tsv": "a table with tabs: rename it to .csv if it holds labels",
    ".tfrecord": f"TFRecord: tf.data.TFRecordDataset; {_NPY}",
    ".tfrec": f"TFRecord: tf.data.TFRecordDataset; {_NPY}",
    ".pkl": "pickled objects are never read: save arrays with numpy.save",
    ".xml": "XML annotations: CVAT or Datumaro exports them as COCO, masks: FILE.json",
    ".geojson": f"map shapes: {_GEO}",
    ".shp": f"map shapes: {_GEO}",
    ".gpkg": f"map shapes: {_GEO}",
    ".mp4": "films: ffmpeg -i IN %05d.png",
    ".avi": "films: ffmpeg -i IN %05d.png",
    ".mov": "films: ffmpeg -i IN %05d.png",
    ".zip": "an archive: unpack it first",
    ".tar": "an archive: unpack it first",
    ".gz": "compressed: unpack it first",
    ".tgz": "an archive: unpack it first",
    ".7z": "an archive: unpack it first",
    ".rar": "an archive: unpack it first",
}
_PAIRS = ".nii.gz", ".tar.gz"
_POLYGON = re.compile(r"\d+( [0-9.e-]+){4,}")
_SHOWN = 3

NO_IMAGES = (
    "Name the folders yourself: tk new NAME --images FOLDER --masks FOLDER. If names have more than the id, add "
    'image_name: "{id}_image.png" and mask_name: "{id}_mask.png" under data.'
)


def unread_files(scan: FolderScan, *, documents: bool = False, read: Collection[Path] = ()) -> list[str]:
    """A line for each kind of file that is not read: how many there are, and how to convert them.

    With `documents`, JSON files are listed too. Text files in `read` are left out.
    """
    of_kind: dict[str, list[Path]] = defaultdict(list)
    for path in scan.rest:
        of_kind[_ending(path)].append(path)
    lines = [_line(scan, ending, paths, _WAYS.get(ending, "")) for ending, paths in sorted(of_kind.items())]
    texts = [path for path in scan.texts if path not in read]
    if texts:
        first = texts[:_SHOWN]
        polygons = any(_holds_polygons(path) for path in first)
        way = "YOLO polygons or boxes: Datumaro or CVAT exports them as COCO, masks: FILE.json" if polygons else ""
        lines.append(_line(scan, ".txt", texts, way))
    if documents and scan.documents:
        lines.append(_line(scan, ".json", scan.documents, ""))
    return lines


def no_masks(scan: FolderScan, roles: Roles) -> str:
    """What to write if no masks were found for the images."""
    if roles.images is None:
        return NO_IMAGES
    images = list(roles.images.paths.values())
    masks = next((list(one.paths.values()) for one in scan.folders if is_mask_folder(one)), [])
    if masks:
        return names_advice(images, masks)
    return (
        "Masks may be images, a CSV of run-length encodings, or shapes of COCO, labelme or YOLO. If they are in "
        f"another place: tk new NAME --images {roles.images.folder} --masks FOLDER_OR_FILE. "
        f"The mask of {images[0].name} is called "
        f"{images[0].stem}.png; for other names, write under data, where {{id}} is what names of images and masks "
        f'share:\n  image_name: "{{id}}{images[0].suffix}"\n  mask_name: "{{id}}_mask.png"'
    )


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((ending for ending in _PAIRS if name.endswith(ending)), path.suffix.lower() or "no extension")


def _line(scan: FolderScan, ending: str, paths: Sequence[Path], way: str) -> str:
    shown = listing(map(scan.name, paths), _SHOWN) if len(paths) <= _SHOWN else f"for example {scan.name(paths[0])}"
    has_ending = ending.startswith(".")
    what = counted(len(paths), f"{ending} file" if has_ending else "file without extension")
    return f"{what}, {shown}" + (f": not read; {way}" if way else "")


def _holds_polygons(path: Path) -> bool:
    """Whether the first line is a class and numbers, as YOLO writes boxes and polygons."""
    try:
        with regular(path).open(encoding="utf-8") as file:
            return _POLYGON.fullmatch(file.readline().strip()) is not None
    except (OSError, UnicodeDecodeError):
        return False
