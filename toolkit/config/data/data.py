"""The keys of `data`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from toolkit.config.data.competitions import PLAIN, PRESETS, Competition, CompetitionValue
from toolkit.config.data.neighbours import Neighbours
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.fields import Count, FilePath, FiniteNumber, plugin_names
from toolkit.config.yaml.named_calls import UnknownNameError, is_plugin, read_call

PixelValue = Annotated[int, Field(ge=0, lt=65536)]
SeveralValues = Annotated[tuple[PixelValue, ...], Field(min_length=1)]
PixelValues = Annotated[PixelValue | SeveralValues, Field(union_mode="left_to_right")]
NamedValues = Annotated[dict[str, PixelValues], Field(min_length=1)]

IGNORED_NAME = "ignore"
"""The name of ignored pixels in `mask_values`, `colors` and `value_ranges`, unless a class has this name."""

_PATTERN_PARTS = re.compile(r"\{[^{}]*\}|[{}]")


def _colour(value: Any) -> Any:
    if isinstance(value, str):
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError(f'expected [red, green, blue] or "#rrggbb", received {value!r}')
        return tuple(bytes.fromhex(value[1:]))
    return value


def _range(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] <= limits[1]:
        raise ValueError(f"expected [lowest, highest], received {list(limits)}")
    return limits


def _wide(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] == limits[1]:
        raise ValueError(f"expected two different values, received {list(limits)}")
    return _range(limits)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and not any(isinstance(one, tuple | list) for one in value)


def _pattern(optional: str) -> AfterValidator:
    """A check of patterns of file names, which contain the id, or all parts of `image_id`, and perhaps `optional`."""

    def check(text: str, info: ValidationInfo) -> str:
        parts = _PATTERN_PARTS.findall(text)
        of_id = _PATTERN_PARTS.findall(info.data.get("image_id") or "{id}")
        unknown = [part for part in parts if part not in (*of_id, optional)]
        if unknown or not set(of_id) <= set(parts) or text.startswith(("/", "../", "./")):
            other_parts = [part for part in unknown if re.fullmatch(r"\{\w+\}", part)]
            advice = "; image_id says how other parts make the id" if other_parts and of_id == ["{id}"] else ""
            raise ValueError(
                f"expected a file name below the folder that contains {' and '.join(of_id)} and optionally {optional} "
                f'(for example "{"_".join(of_id)}_label.png"), received {text!r}{advice}'
            )
        return text

    return AfterValidator(check)


def _id_of_parts(text: str) -> str:
    parts = _PATTERN_PARTS.findall(text)
    reserved = {"{id}", "{class}", "{channel}"} & set(parts)
    if not parts or reserved or "/" in text or not all(re.fullmatch(r"\{[A-Za-z_]\w*\}", part) for part in parts):
        raise ValueError(
            f'expected parts of file names in braces (for example "{{folder}}_{{file}}") without a slash, and none of '
            f"them called id, class or channel; received {text!r}"
        )
    return text


class UserSource(ClosedModel):
    """A class of plugins.py, or at a dotted path, that provides images and masks."""

    name: str = Field(description="Name of the class: one of plugins.py, or a dotted path.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="Arguments of the class.")
    file: FilePath | None = Field(
        default=None,
        description="The plugins.py beside the configuration: it defines the class, or a module beside it does.",
    )


class GivenSource(UserSource):
    """A dataset that was given in Python, in the place of files; saved configurations have only its name.

    `dataset` is None where it was not given again. `experiment` is the name of what it was given to, for messages.
    `digest` is that of the dataset that the experiment was fitted to, if it is known.
    """

    name: str = "dataset given in Python"
    dataset: Any = Field(default=None, exclude=True)
    experiment: str = Field(default="", exclude=True)
    digest: str | None = Field(default=None, exclude=True)


def _user_source(value: Any, info: ValidationInfo) -> Any:
    if value is None or isinstance(value, GivenSource):
        return value
    if isinstance(value, Mapping) and {"name", "file"} <= set(value):
        return GivenSource() if value["name"] == GivenSource().name else value
    call = read_call(value)
    plugins = plugin_names(info)
    if not is_plugin(call.name, plugins):
        raise UnknownNameError(call.name, [*plugins, "a class of plugins.py", "a dotted path"])
    file = (info.context or {}).get("plugins_file")
    return {"name": call.name, "arguments": dict(call.arguments), "file": file}


Range = Annotated[tuple[FiniteNumber, FiniteNumber], AfterValidator(_range)]
ValueRanges = Annotated[
    tuple[Annotated[tuple[FiniteNumber, FiniteNumber], AfterValidator(_wide)], ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if _is_pair(value) else value),
]
Level = Annotated[int, Field(ge=0, le=255)]
ColourValue = Annotated[tuple[Level, Level, Level], BeforeValidator(_colour)]
Folders = Annotated[FilePath | tuple[FilePath, ...], Field(union_mode="left_to_right")]
ImageId = Annotated[str, AfterValidator(_id_of_parts)]
ImageName = Annotated[str, _pattern("{channel}")]
MaskName = Annotated[str, _pattern("{class}")]
Patterns = Annotated[str | tuple[str, ...], Field(union_mode="left_to_right")]
ChannelName = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]
Encoding = Literal["values", "bits", "channels", "instances"]


class SourceKeys(ClosedModel):
    """Keys of a source of images and masks."""

    images: Folders | None = Field(
        None,
        description="Folder of the training images (png, jpg, tif, bmp, gif, webp, npy, npz, dcm), or a list of "
        "folders whose images are the channels of one image. The id of an image is its file name "
        "without the extension.",
    )
    image_id: ImageId | None = Field(
        None,
        description="How parts of the file names make the id, where it is not one piece: with "
        '`"{day}_{slice}"`, `image_name: "*/{day}/scans/{slice}_*.png"` has these parts in the place of `{id}`.',
    )
    image_name: ImageName | None = Field(
        None,
        description="Pattern of the image file names: `{id}` stands for the id, `*` for any text, `{channel}` for the "
        'name of a channel where each has a file of its own. Examples: `"{id}_sat.jpg"`, '
        '`"{id}/images/{id}.png"`, `"{id}/band_{channel}.tif"`.',
    )
    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1)] | None = Field(
        None,
        description="Names of the channels that `{channel}` in `image_name` stands for, in this order. Default: all "
        "that there are, in the order of their numbers.",
    )
    planes: Annotated[tuple[Count, ...], Field(min_length=1)] | None = Field(
        None,
        description="Which channels of each image file are used, counted from 0, in this order: bands of a TIFF file, "
        "or times in an array. Default: all.",
    )
    neighbours: Neighbours | None = Field(
        None,
        description="Neighbouring slices of a volume as further channels of an image: `{offsets: [-1, 0, 1], order_by: "
        "slice, group_by: case}`. It holds for test images too. See docs/data.md.",
    )
    exclude: Patterns | None = Field(
        None,
        description="Pattern, or a list of patterns, of files in the folders of images that are no images to train "
        'on or to predict, where `*` stands for any text: `"*_superpixels.png"`. It applies to the names of '
        "the files and holds for test images too.",
    )
    ids: Folders | None = Field(
        None,
        description="Text file with an id, or the name of an image file, in each line, or a list of such files: only "
        "these images are used. Blank lines and lines that begin with # are skipped. It does not apply to test images.",
    )
    value_range: ValueRanges | None = Field(
        None,
        description="For images of 16 bits, 32 bits or floating-point values: the values that become 0 and 255, "
        "`[0, 4095]`, or a list with one pair for each channel. Default: images of 16 bits keep their "
        "upper 8 bits.",
    )
    masks: FilePath | None = Field(
        None,
        description="Masks: a folder of mask files named like the images (png, tif, bmp, gif, npy, npz; values "
        "above 0 are foreground unless the keys below say otherwise), a folder of labelme JSON or YOLO "
        "text files, a COCO JSON file, or a CSV file of run-length encodings in the format of `competition`. "
        "Without a competition, the CSV file has the id in its first column and column-major `start "
        "length` pairs in its second; an empty cell or -1 means no mask, and several rows of an image "
        "are united. A CSV file may also pair images with mask files: a column of names of images, and one "
        "of paths of masks. See docs/data.md.",
    )
    mask_name: MaskName | None = Field(
        None,
        description="Pattern of the mask file names, where they differ from those of the images: "
        '`"{id}_label.png"`; with `{class}`, one file per class (`"{class}/{id}.png"`); with `*`, '
        'several files that are united (`"{id}/masks/*.png"`).',
    )
    mask_encoding: Encoding | None = Field(
        None,
        description="Meaning of the pixels of mask files: `values` (default; one value per class), `bits` or "
        "`channels` (one per class, so that classes may overlap), or `instances` (a number per "
        "object).",
    )
    mask_values: Annotated[NamedValues | tuple[PixelValues, ...], Field(union_mode="left_to_right")] | None = Field(
        None,
        description="Pixel value of each class in the mask files, or a list of values; with bits and channels, "
        "their numbers from 0. Either a list in the order of the classes, or by name, `{road: 1, car: "
        "[2, 3]}`; classes that `classes` leaves out become background. Default: values above 0 for a "
        "single class; 0, 1, … with softmax; 1, 2, … for several sigmoid classes, where 0 is "
        "background. `[0]` inverts masks with black foreground.",
    )
    colors: Annotated[dict[str, ColourValue], Field(min_length=1)] | None = Field(
        None, description='Colour of each class in the mask files: `{road: [128, 64, 128], car: "#00008e"}`.'
    )
    nearest_color: bool | None = Field(
        None,
        description="With `colors`: each pixel belongs to the class whose colour is nearest, for masks whose colours "
        "are not quite pure, for example after JPEG. Black is a candidate too if it is no class's colour, and is then "
        "background. Default: a colour without a class is an error.",
    )
    value_ranges: Annotated[dict[str, Range], Field(min_length=1)] | None = Field(
        None,
        description="Lowest and highest pixel value of each class, `{hot: [180, 255]}`: of the mask files, or of "
        "the images if there are no masks.",
    )
    ignore: PixelValues | None = Field(
        None,
        description="Pixel value of ignored pixels, or a list of values. Neither the loss nor the metrics count "
        "these pixels. With `colors` and `value_ranges`, use the name `ignore` there instead.",
    )
    palette: Literal["index", "colors"] | None = Field(
        None,
        description="Meaning of mask files with a palette: `index`, the stored numbers, or `colors`, what a viewer "
        "shows. Default: the index, unless palettes differ from file to file or have black and white in another "
        "order; with `colors` and `value_ranges`, the colours.",
    )
    unlabelled: Literal["error", "empty", "leave_out"] | None = Field(
        None,
        description="Meaning of an image without a label, in tables, mask files, COCO and labelme alike: an `error`; "
        "`empty`, an image without foreground; or `leave_out`, an image that is not used. Default: `error`, or "
        "`empty` where the table's `competition` has `unlisted: empty`.",
    )
    source: Annotated[UserSource | None, BeforeValidator(_user_source)] = Field(
        None,
        description="Class of plugins.py that provides images and masks, instead of files: a name, or `{Name: "
        "{argument: value}}`. See docs/data.md.",
    )

    @property
    def encoding(self) -> Encoding:
        """The meaning of the pixels of mask files."""
        return self.mask_encoding or "values"

    @property
    def named(self) -> Mapping[str, Any] | None:
        """The colour, range or value of each class name; None if none of these keys names classes."""
        if isinstance(self.mask_values, dict):
            return self.mask_values
        return self.colors if self.colors is not None else self.value_ranges

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """`value_range` as one pair, or one pair for each channel; empty if it is not set."""
        return self.value_range or ()

    @property
    def is_given(self) -> bool:
        """Whether a dataset that was given in Python stands in for files, there or not."""
        return isinstance(self.source, GivenSource)

    @property
    def excluded(self) -> tuple[str, ...]:
        """The patterns of `exclude`."""
        return (self.exclude,) if isinstance(self.exclude, str) else self.exclude or ()

    @property
    def id_lists(self) -> tuple[Path, ...]:
        """The files of `ids`."""
        if self.ids is None:
            return ()
        return self.ids if isinstance(self.ids, tuple) else (self.ids,)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the images."""
        if self.images is None:
            return ()
        return self.images if isinstance(self.images, tuple) else (self.images,)


class MergedSource(SourceKeys):
    """A further source. The keys that describe file names and mask values default to those of `data`."""

    prefix: str = Field("", description="Prefix of the ids of this source, which makes them unique.")


class DataConfig(SourceKeys):
    """Images, masks and everything else that is read. Paths are relative to the file that contains them."""

    merge: tuple[MergedSource, ...] = Field(
        (),
        description="Further sources that are united with this one: a list of `{images: …, masks: …}`, each with "
        "a `prefix` where ids would collide. With `merge` alone, `images` may be left out.",
    )
    competition: CompetitionValue = Field(
        None,
        description=f"Format of labels and submissions, and the metric: one of {', '.join(PRESETS)}; `{{extends: NAME, "
        "empty: none}` with changed keys; or the path of a .yaml file. Default: one column-major mask per image. See "
        "docs/competitions.md.",
    )
    test: Folders | None = Field(
        None,
        description="Folder of the test images, or a list as in `images`. Required for a submission.",
    )
    test_name: ImageName | None = Field(
        None,
        description="Pattern of the file names of test images, where it differs from `image_name`: "
        '`"{id}_test.tif"`. Default: that of `image_name`.',
    )
    test_source: Annotated[UserSource | None, BeforeValidator(_user_source)] = Field(
        None,
        description="Class of plugins.py that provides the test images, instead of `test`; its items need no masks.",
    )
    sample_submission: FilePath | None = Field(
        None, description="Sample submission of the competition, which gives columns, ids and their order."
    )
    metadata: FilePath | None = Field(
        None,
        description="CSV file with one row for each image: groups and strata of folds, weights, and other columns.",
    )
    metadata_id: str | None = Field(
        None, description="Column of the ids in `metadata`, with or without file extension. Default: the first column."
    )
    weights: str | None = Field(
        None,
        description="Column of `metadata` with sampling weights: images are drawn for training in proportion to "
        "them; 0 means never.",
    )
    external_negatives: FilePath | None = Field(
        None,
        description="Folder of images without foreground. Every fold trains on them; they are never used for "
        "validation.",
    )
    extra_train_data: tuple[SourceKeys, ...] = Field(
        (),
        description="Further images with masks: a list of `{images: FOLDER, masks: FOLDER_OR_CSV}`. Every fold "
        "trains on them; they are never used for validation.",
    )

    @property
    def test_pattern(self) -> str | None:
        """Pattern of the file names of test images."""
        return self.image_name if self.test_name is None else self.test_name

    @property
    def table_format(self) -> Competition:
        """The format of mask tables and submissions: that of the competition, or the plain format."""
        return self.competition or PLAIN

    @property
    def is_source(self) -> bool:
        """Whether it has images of its own, besides the merged sources."""
        return self.images is not None or self.source is not None or not self.merge

    def completed(self, entry: SourceKeys) -> SourceKeys:
        """One of the further sources, with its missing keys taken from here."""
        keys: tuple[str, ...] = ("image_name", "exclude", "value_range", "unlabelled", "planes", "neighbours")
        keys += ("image_id", "channels") if entry.image_name is None and entry.image_id is None else ()
        if entry.source is not None:
            # Its masks are not files: colours, ranges and encodings of mask files do not apply to them.
            of_files = any(getattr(self, key) is not None for key in ("mask_encoding", "colors", "value_ranges"))
            keys = ("value_range",) if of_files else ("value_range", "mask_values", "ignore")
        elif entry.masks is None or entry.masks.suffix.lower() not in TABLE_SUFFIXES:
            keys += ("mask_name", "palette")
            shapes = (entry.mask_name or "").lower().endswith((".json", ".txt"))
            if not shapes and all(getattr(entry, key) is None for key in CODING_KEYS):
                keys += CODING_KEYS
        missing = {key: getattr(self, key) for key in keys if getattr(entry, key) is None}
        return entry.model_copy(update=missing)


GIVEN_INSTEAD = ("images", "image_name", "exclude", "ids", "masks", "mask_name", "source")
"""Keys that say where images and masks are; a dataset that is given in Python stands in for them."""

TABLE_SUFFIXES = (".csv", ".tsv", ".json")
"""Suffixes of files that hold the masks of all images."""

CODING_KEYS = ("mask_encoding", "mask_values", "colors", "nearest_color", "value_ranges", "ignore")
"""Keys that define the meaning of mask pixels; they belong together."""
