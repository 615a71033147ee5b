"""What config.yaml may say of the data."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from toolkit.config.data.competitions import PLAIN, PRESETS, Competition, CompetitionValue
from toolkit.config.yaml.fields import FilePath, FiniteNumber, plugin_names
from toolkit.config.yaml.named_calls import ClosedModel, UnknownNameError, is_plugin, read_call

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


def _pattern(allowed: tuple[str, ...]) -> AfterValidator:
    def check(text: str) -> str:
        parts = _PATTERN_PARTS.findall(text)
        unknown = [part for part in parts if part not in allowed]
        if unknown or "{id}" not in parts or text.startswith(("/", "../", "./")):
            others = f", and perhaps {' and '.join(allowed[1:])}" if len(allowed) > 1 else ""
            raise ValueError(
                f'expected a file name below the folder with {{id}} in it, such as "{{id}}_label.png"{others}; '
                f"received {text!r}"
            )
        return text

    return AfterValidator(check)


class UserSource(ClosedModel):
    """A class of the user's that gives images and masks."""

    name: str = Field(description="Of the class: in plugins.py, or a dotted path.")
    arguments: dict[str, Any] = Field(default_factory=dict, description="What it is made with.")
    file: FilePath | None = Field(None, description="The plugins.py that defines it.")


def _user_source(value: Any, info: ValidationInfo) -> Any:
    if value is None or (isinstance(value, Mapping) and {"name", "file"} <= set(value)):
        return value
    call = read_call(value)
    plugins = plugin_names(info)
    if not is_plugin(call.name, plugins):
        raise UnknownNameError(call.name, [*plugins, "a class of plugins.py", "a dotted path"])
    file = (info.context or {}).get("plugins_file") if call.name in plugins else None
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
ImageName = Annotated[str, _pattern(("{id}",))]
MaskName = Annotated[str, _pattern(("{id}", "{class}"))]
Encoding = Literal["values", "bits", "channels", "instances"]


class SourceKeys(ClosedModel):
    """Images and where their masks come from."""

    images: Folders | None = Field(
        None, description="Folder of the training images (png, jpg, tif, bmp, gif, webp, npy, npz), or a list of "
        "folders whose images are the channels of one. The id of an image is its file name without the extension.",
    )  # fmt: skip
    image_name: ImageName | None = Field(
        None, description='How image files are called, `{id}` standing for the id: `"{id}_sat.jpg"`, '
        '`"{id}/images/{id}.png"`; `*` stands for anything.',
    )  # fmt: skip
    value_range: ValueRanges | None = Field(
        None, description="For images of 16 bits, whole or floating-point numbers: the values that become 0 and 255, "
        "`[0, 4095]`, or a list with one pair for each channel. Left out, 16 bits keep their upper 8.",
    )  # fmt: skip
    masks: FilePath | None = Field(
        None, description="Folder of mask files named like the images (png, tif, bmp, gif, npy, npz; every value above "
        "0 is foreground unless the keys below say otherwise) or of labelme's JSON files, a COCO JSON file, or a CSV "
        "file of run-length encodings, which `competition` describes. Without one: first column the id, second the "
        "column-major `start length` pairs, empty or -1 for no mask; several rows of one image are united. See "
        "docs/data.md.",
    )  # fmt: skip
    mask_name: MaskName | None = Field(
        None, description='How mask files are called, where not like the images: `"{id}_label.png"`; with `{class}` '
        'one file for each class, `"{class}/{id}.png"`; with `*` several that are united, `"{id}/masks/*.png"`.',
    )  # fmt: skip
    mask_encoding: Encoding | None = Field(
        None, description="What pixels of mask files say: `values` (one of each class; so if left out), `bits` or "
        "`channels` (one of each class, which may share pixels), or `instances` (a number for each object).",
    )  # fmt: skip
    mask_values: Annotated[NamedValues | tuple[PixelValues, ...], Field(union_mode="left_to_right")] | None = Field(
        None, description="Pixel value of each class in the mask files, or a list of values; with bits and channels "
        "their numbers, from 0. As a list in the order of the classes, or by name, `{road: 1, car: [2, 3]}`: then "
        "`classes` may leave some out, which become background. Left out: above 0 for a single class; 0, 1, … for "
        "softmax; 1, 2, … for several sigmoid classes, where 0 is background. `[0]` turns masks whose foreground is "
        "black.",
    )  # fmt: skip
    colors: Annotated[dict[str, ColourValue], Field(min_length=1)] | None = Field(
        None, description='Colour of each class in the mask files: `{road: [128, 64, 128], car: "#00008e"}`.'
    )
    value_ranges: Annotated[dict[str, Range], Field(min_length=1)] | None = Field(
        None, description="Lowest and highest pixel value of each class, `{hot: [180, 255]}`: of the image itself, if "
        "there are no masks, or of the mask files.",
    )  # fmt: skip
    ignore: PixelValues | None = Field(
        None, description="Pixel value of ignored pixels, or a list of values. Neither the loss nor the metrics count "
        "these pixels. With `colors` and `value_ranges`, use the name `ignore` there instead.",
    )  # fmt: skip
    source: Annotated[UserSource | None, BeforeValidator(_user_source)] = Field(
        None, description="Your own source instead of images and masks: a class of plugins.py, or `{Name: {argument: "
        "value}}`. See docs/data.md.",
    )  # fmt: skip

    @property
    def encoding(self) -> Encoding:
        """What pixels of mask files say."""
        return self.mask_encoding or "values"

    @property
    def named(self) -> Mapping[str, Any] | None:
        """What stands for each name, where names are given: colours, ranges or values."""
        if isinstance(self.mask_values, dict):
            return self.mask_values
        return self.colors if self.colors is not None else self.value_ranges

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        """`value_range` as one pair or one for each channel; none if it is left out."""
        return self.value_range or ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of the images."""
        if self.images is None:
            return ()
        return self.images if isinstance(self.images, tuple) else (self.images,)


class ExtraData(SourceKeys):
    """Further images with masks. Keys that say how files are called and read are those of `data` if left out."""


class MergedData(SourceKeys):
    """A further source; keys that say how files are called and read are those of `data` if left out."""

    prefix: str = Field("", description="What its ids begin with, so that no two sources have the same.")


class DataConfig(SourceKeys):
    """Where the data lie. Paths are relative to the file that names them."""

    merge: tuple[MergedData, ...] = Field(
        (), description="Further sources that are united with this one, or all of them: a list of `{images: …, masks: "
        "…}`, each with a `prefix` for its ids where they are not all different.",
    )  # fmt: skip
    competition: CompetitionValue = Field(
        None, description="What labels and submissions look like, and the metric: "
        f"{', '.join(PRESETS)}; `{{extends: NAME, empty: none}}` with changed keys; or the path of a .yaml file. Left "
        "out: one column-major mask an image. See docs/competitions.md.",
    )  # fmt: skip
    test: Folders | None = Field(
        None, description="Folder of the test images, or a list as in `images`, read as these are; without it nothing "
        "can be submitted.",
    )  # fmt: skip
    test_source: Annotated[UserSource | None, BeforeValidator(_user_source)] = Field(
        None, description="Your own source of the test images instead of `test`; items need no mask."
    )
    sample_submission: FilePath | None = Field(
        None, description="The competition's sample submission: gives columns, ids and their order."
    )
    metadata: FilePath | None = Field(
        None, description="CSV file with a row for each image: groups and strata of folds, weights, or anything else."
    )
    metadata_id: str | None = Field(
        None, description="Its column of the ids, with or without extension. Left out: the first."
    )
    weights: str | None = Field(
        None, description="Its column of weights: how often images are drawn for training, in proportion; 0 is never."
    )
    external_negatives: FilePath | None = Field(
        None, description="Folder of images that show nothing of what is looked for: they join the training part of "
        "every fold, never validation.",
    )  # fmt: skip
    extra_train_data: tuple[ExtraData, ...] = Field(
        (), description="Further images with masks: a list of `{images: FOLDER, masks: FOLDER_OR_CSV}`. Every fold "
        "trains on them; they are never used for validation.",
    )  # fmt: skip

    @property
    def table_format(self) -> Competition:
        """How tables of masks and submissions look: as the competition says, or the plain form."""
        return self.competition or PLAIN

    @property
    def is_source(self) -> bool:
        """Whether it has images itself, and not only those that are merged."""
        return self.images is not None or self.source is not None or not self.merge

    def completed(self, entry: SourceKeys) -> SourceKeys:
        """One of the further sources, with what it leaves out taken from here."""
        keys: tuple[str, ...] = ("image_name", "value_range")
        if entry.source is not None:
            # Its masks have no files: colours, ranges and encodings of those of `data` say nothing of them.
            of_files = any(getattr(self, key) is not None for key in ("mask_encoding", "colors", "value_ranges"))
            keys = ("value_range",) if of_files else ("value_range", "mask_values", "ignore")
        elif entry.masks is None or entry.masks.suffix.lower() not in TABLE_SUFFIXES:
            keys += ("mask_name",)
            shapes = (entry.mask_name or "").lower().endswith(".json")
            if not shapes and all(getattr(entry, key) is None for key in CODING_KEYS):
                keys += CODING_KEYS
        missing = {key: getattr(self, key) for key in keys if getattr(entry, key) is None}
        return entry.model_copy(update=missing)


TABLE_SUFFIXES = (".csv", ".json")
"""Of files that hold the masks of all images."""

CODING_KEYS = ("mask_encoding", "mask_values", "colors", "value_ranges", "ignore")
"""Keys that say what the pixels of masks mean; they belong together."""
