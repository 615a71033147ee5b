"""What config.yaml may say of the data."""

from typing import Annotated, Any

from pydantic import Field, field_validator

from toolkit.config.calls import ClosedModel
from toolkit.config.competitions import PLAIN, PRESETS, Competition, CompetitionValue
from toolkit.config.fields import FilePath

PixelValue = Annotated[int, Field(ge=0, lt=65536)]
SeveralValues = Annotated[tuple[PixelValue, ...], Field(min_length=1)]
PixelValues = Annotated[PixelValue | SeveralValues, Field(union_mode="left_to_right")]


class ExtraData(ClosedModel):
    """Further images with masks, of the same kinds as `data.images` and `data.masks`."""

    images: FilePath = Field(description="Folder of images.")
    masks: FilePath = Field(description="Folder of mask files, or CSV of run-length encodings.")


class DataConfig(ClosedModel):
    """Where the data lie. Paths are relative to the file that names them."""

    images: FilePath = Field(description="Folder of the training images (png, jpg, tif, bmp). The id of an image is "
                             "its file name without the extension.")  # fmt: skip
    masks: FilePath = Field(
        description="Folder of mask files named like the images (png, tif, bmp; every value above 0 is foreground "
        "unless `mask_values` says otherwise), or a CSV file of run-length encodings, which "
        "`competition` describes. Without one: first column the id, second the column-major `start length` pairs, "
        "empty or -1 for no mask; several rows of one image are united."
    )
    competition: CompetitionValue = Field(
        None, description="What labels and submissions look like, and the metric: "
        f"{', '.join(PRESETS)}; `{{extends: NAME, empty: none}}` with changed keys; or the path of a .yaml file. Left "
        "out: one column-major mask an image. See docs/competitions.md.",
    )  # fmt: skip
    test: FilePath | None = Field(None, description="Folder of the test images; without it nothing can be submitted.")
    sample_submission: FilePath | None = Field(
        None, description="The competition's sample submission: gives columns, ids and their order."
    )
    mask_values: tuple[PixelValues, ...] | None = Field(
        None, description="Pixel value of each class in the mask files, or a list of values. Left out: above 0 for a "
        "single class; 0, 1, … for softmax; 1, 2, … for several sigmoid classes, where 0 is background. `[0]` turns "
        "masks whose foreground is black.",
    )  # fmt: skip
    ignore: PixelValues | None = Field(
        None, description="Pixel value, or values, of void pixels, which neither loss nor metric looks at."
    )
    external_negatives: FilePath | None = Field(
        None, description="Folder of images that show nothing of what is looked for: they join the training part of "
        "every fold, never validation.",
    )  # fmt: skip
    extra_train_data: tuple[ExtraData, ...] = Field(
        (), description="Further images with masks, `{images: FOLDER, masks: FOLDER_OR_CSV}` or a list of these: they "
        "join the training part of every fold, never validation.",
    )  # fmt: skip

    @property
    def table_format(self) -> Competition:
        """How tables of masks and submissions look: as the competition says, or the plain form."""
        return self.competition or PLAIN

    @field_validator("extra_train_data", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        if not isinstance(value, dict | tuple | list):
            raise ValueError(
                f"expected {{images: FOLDER, masks: FOLDER_OR_CSV}} or a list of these, received {value!r}"
            )
        return (value,) if isinstance(value, dict) else value
