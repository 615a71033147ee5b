"""JSON files of labelling tools that are not read: which tool makes a COCO file of them."""

from collections.abc import Callable, Mapping
from typing import Any

_Tree = Mapping[str, Any]


def _label_studio(tree: _Tree) -> bool:
    return bool(tree.keys() & {"annotations", "completions"}) and "data" in tree


def _via(tree: _Tree) -> bool:
    values = [one for one in tree.values() if isinstance(one, dict)]
    return "_via_img_metadata" in tree or any({"filename", "regions"} <= one.keys() for one in values)


_KINDS: tuple[tuple[Callable[[_Tree], bool], str], ...] = (
    (
        _label_studio,
        "Label Studio's own JSON: in Label Studio choose Export, COCO; or use label-studio-converter",
    ),
    (_via, "a project of VIA (VGG Image Annotator): in VIA choose Annotation, Export Annotations (COCO format)"),
    (
        lambda tree: tree.get("type") == "FeatureCollection",
        "GeoJSON: make mask files of its polygons with gdal_rasterize or rasterio.features.rasterize",
    ),
    (
        lambda tree: {"imgHeight", "imgWidth", "objects"} <= tree.keys(),
        "Cityscapes' JSON: pip install cityscapesscripts, then csCreateTrainIdLabelImgs makes mask files of it",
    ),
    (
        lambda tree: {"size", "objects"} <= tree.keys(),
        "Supervisely's JSON: export COCO there, with the app Convert Supervisely to COCO",
    ),
    (lambda tree: "shapes" in tree, "a file of labelme: name the folder that holds such a file for each image"),
    (
        lambda tree: "images" in tree and "annotations" not in tree,
        "a list of images without annotations, as test sets have it; the masks are in the file of the training set",
    ),
)


def kind_of(tree: Any) -> str:
    """What a parsed JSON file is that is not read, and what makes a readable file of it; empty if that is unknown."""
    first = tree[0] if isinstance(tree, list) and tree else tree
    found = [text for fits, text in _KINDS if isinstance(first, dict) and fits(first)]
    return found[0] if found else ""
