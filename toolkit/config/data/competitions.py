"""Competitions: their metric, the format of label tables and submissions, and presets."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from toolkit.config.metrics import parse_metric
from toolkit.config.yaml.closed_model import ClosedModel
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.fields import InnerShare, Side, checked_by
from toolkit.config.yaml.named_calls import ProblemsAtError, UnknownNameError
from toolkit.config.yaml.yaml_files import Document, read_document
from toolkit.core.masks.rle import PixelOrder
from toolkit.core.metrics.registry import MetricSpec
from toolkit.errors import ConfigError, not_valid

_PRESET_FILES = Path(__file__).with_name("presets")

PRESETS = tuple(sorted(path.stem for path in _PRESET_FILES.glob("*.yaml")))
"""The names of the preset competitions: those of the files in the folder `presets`."""

Size = tuple[Side, Side]
Columns = Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
Metric = Annotated[
    str | dict[str, Any], Field(union_mode="left_to_right"), checked_by(lambda value, _: parse_metric(value))
]

_ID, _CLASS = "{id}", "{class}"
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class Competition(ClosedModel):
    """The metric of a competition, and the format of its table of labels and its submission."""

    name: str = Field(description="Name in messages.")
    page: str = Field("", description="Web page with the rules.")
    metric: Metric = Field(description="Metric; the default of `primary_metric`.")
    rows: Literal["image", "class", "object"] = Field(
        "image",
        description="Content of a row: the mask of an `image`, of one `class` of an image, or of one `object`. An "
        "image without objects has one row with an empty mask.",
    )
    classes: tuple[str, ...] = Field((), description="Names of the classes as in the rows, with `rows: class`.")
    stack: str | None = Field(
        None,
        description="For a metric of stacks of slices: a regular expression for ids, whose parenthesised part names "
        "the stack; its slices are in the order of the ids.",
    )
    public_share: InnerShare | None = Field(
        None, description="Share of the test images that the public leaderboard scores, where the competition says it."
    )
    columns: Columns = Field(description="Names of the columns: id, mask; or id, class, mask.")
    id: str = Field(
        _ID,
        description="Pattern of the id column: `{id}` stands for the id of the image, and `{class}` for the class "
        'if it has no column of its own, for example `"{id}.jpg_{class}"`.',
    )
    pixel_order: PixelOrder = Field(
        "column", description="Order of the pixels in the run-length encoding: by `column` or by `row`."
    )
    relative: bool = Field(
        False,
        description="Whether the start of a run counts from the end of the run before (from 0), instead of from "
        "the first pixel (from 1).",
    )
    empty: str = Field("", description="Text of an empty mask.")
    output_size: Size | None = Field(
        None, description="Height and width of the masks in a submission, if they differ from those of the images."
    )
    overlaps: bool = Field(False, description="Whether classes, or objects, may share pixels.")
    label_columns: Columns | None = Field(
        None, description="Names of the columns in the table of labels, if they differ; further columns are ignored."
    )
    label_id: str | None = Field(None, description="Pattern of the id column in the table of labels, if it differs.")
    label_size: Size | None = Field(
        None,
        description="Height and width of the masks in the table of labels, if they differ from those of the "
        "images; the masks of images of another size are scaled.",
    )
    label_empty: str | None = Field(
        None, description="Text of an empty mask in the table of labels, if it differs from `empty`."
    )
    unlisted: Literal["error", "empty"] = Field(
        "error",
        description="Meaning of an image without a row in the table of labels, unless `data.unlabelled` says it: an "
        "`error`, or an `empty` mask.",
    )

    files: dict[str, Any] = Field(
        default_factory=dict,
        description="Keys of `data` that read the files as the competition gives them, for example `image_name`; `tk "
        "init` and `tk new` write them if there are such files.",
    )

    @property
    def metric_spec(self) -> MetricSpec:
        """The metric of the competition."""
        return parse_metric(self.metric)

    @property
    def label_form(self) -> tuple[tuple[str, ...], str]:
        """Columns and id pattern of the table of labels."""
        return self.label_columns or self.columns, self.label_id or self.id

    @property
    def empty_cells(self) -> tuple[str, ...]:
        """The texts of an empty mask: an empty cell, -1, which is never a mask, and those of the competition."""
        return ("", "-1", self.empty, *(() if self.label_empty is None else (self.label_empty,)))

    def cells(self, image_id: str, class_name: str | None = None) -> tuple[str, ...]:
        """The cells before the mask in a row: the id, and the class if it has a column."""
        cell = self.id.replace(_CLASS, class_name or "").replace(_ID, image_id)
        return (cell,) if len(self.columns) == 2 else (cell, class_name or "")

    @field_validator("stack")
    @classmethod
    def _stack_with_a_name(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"invalid regular expression: {error}") from error
            if groups != 1:
                raise ValueError(f"expected one part in parentheses, the name of the stack; received {groups}")
        return value

    @model_validator(mode="after")
    def _columns_that_fit(self) -> "Competition":
        problems = list(_class_problems(self))
        for prefix, columns, template in (("", self.columns, self.id), ("label_", *self.label_form)):
            found = _format_problems(self, columns, template)
            problems += [((prefix + key,), ValueError(text), None) for key, text in found]
            if found:
                break
        if problems:
            raise ProblemsAtError(problems)
        return self


Reading = tuple[str, str | None]
"""The id of an image and, if rows have classes, the class."""

CellReader = Callable[[Sequence[str]], tuple[Reading, ...]]
"""From the cells before the mask to their possible readings, the longest class first.

Raises a ValueError if the cells do not match the format of the competition. There is more than one reading only if a
class ends (or begins) like another: with `{id}_{class}` and the classes `sky` and `night_sky`, the cell `a_night_sky`
means `night_sky` of the image `a`, or `sky` of the image `a_night`.
"""


def cell_reader(competition: Competition, template: str, with_class_column: bool) -> CellReader:
    """The inverse of `Competition.cells`; `template` is the pattern of the id column."""
    pattern = re.escape(template).replace(re.escape(_ID), "(?P<id>.+)")
    longest_first = sorted(competition.classes, key=len, reverse=True)
    names: Sequence[str | None] = longest_first if _CLASS in template else [None]
    expressions = [
        (name, re.compile(pattern.replace(re.escape(_CLASS), re.escape(name or "")), re.DOTALL)) for name in names
    ]
    known = ", ".join(competition.classes)

    def read(cells: Sequence[str]) -> tuple[Reading, ...]:
        matches = [(name, match) for name, expression in expressions if (match := expression.fullmatch(cells[0]))]
        if not matches:
            where = f" with one of the classes {known}" if _CLASS in template else ""
            raise ValueError(f"expected {template}{where}, received {cells[0]!r}")
        if with_class_column and cells[1] not in competition.classes:
            raise ValueError(f"expected one of the classes {known}, received {cells[1]!r}")
        return tuple((match["id"], cells[1] if with_class_column else name) for name, match in matches)

    return read


def _class_problems(competition: Competition) -> list[Any]:
    names = competition.classes
    if competition.rows == "class" and not names:
        return [(("classes",), ValueError("rows: class requires the names of the classes"), None)]
    if competition.rows != "class" and names:
        return [(("classes",), ValueError(f"classes require rows: class, received rows: {competition.rows}"), None)]
    if len(set(names)) < len(names):
        return [(("classes",), ValueError(f"duplicate name in {', '.join(names)}"), None)]
    return []


def _format_problems(competition: Competition, columns: Sequence[str], template: str) -> list[tuple[str, str]]:
    """The keys that are invalid in columns and id pattern, each with its message."""
    if len(set(columns)) < len(columns):
        return [("columns", f"duplicate name in {', '.join(columns)}")]
    if len(columns) == 3 and competition.rows != "class":
        return [
            ("columns", f"rows: {competition.rows} requires two columns, id and mask; received {', '.join(columns)}")
        ]
    wanted = [_ID] + [_CLASS] * (competition.rows == "class" and len(columns) == 2)
    if sorted(_BRACES.findall(template)) != sorted(wanted):
        return [("id", f"expected {' and '.join(wanted)} once, and no other braces, received {template!r}")]
    return []


def find_competition(name: str) -> Competition:
    """A preset by its name, or a competition by the path of its YAML file.

    Raises:
        UnknownNameError: there is no such preset.
        ConfigError: the file is invalid.
        MissingFileError: the file does not exist.
    """
    return _read(_file_of(name), ())


def is_competition_file(name: str) -> bool:
    """Whether the name is the path of a file rather than a preset."""
    return name.endswith((".yaml", ".yml", ".json"))


def _file_of(name: Any, folder: Path = Path()) -> Path:
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a competition or the path of its YAML file, received {name!r}")
    if is_competition_file(name):
        return folder / name
    if name not in PRESETS:
        raise UnknownNameError(name, [*PRESETS, "the path of a .yaml file"])
    return _PRESET_FILES / f"{name}.yaml"


def _read(path: Path, children: tuple[Path, ...]) -> Competition:
    """Read a file and the one that it extends; `children` are the files that extend it."""
    document = read_document(path)
    tree = document.tree
    if "extends" in tree:
        where = f"{document.positions['extends',]}: extends"
        try:
            parent = _file_of(tree["extends"], path.parent)
        except UnknownNameError as error:
            raise ConfigError(f"{where}: {not_valid(error.received, error.allowed)}") from error
        except ValueError as error:
            raise ConfigError(f"{where}: {error}") from error
        if parent in children:
            raise ConfigError(f"{where}: these files extend each other: {' → '.join(map(str, [*children, path]))}")
        if not parent.is_file():
            raise ConfigError(f"{where}: there is no file {parent}")
        tree = _changed(_read(parent, (*children, path)), tree)
    try:
        return Competition.model_validate(tree)
    except ValidationError as error:
        document = Document(tree, document.positions)
        problems = describe_problems(error, Competition, document, str(path))
        raise ConfigError("\n".join(problems), "All keys of a competition: docs/competitions.md") from error


def _changed(parent: Competition, tree: dict[str, Any]) -> dict[str, Any]:
    """The keys of a competition, some of them replaced."""
    return parent.model_dump() | {key: value for key, value in tree.items() if key != "extends"}


def _resolved(value: Any) -> Any:
    """The competition of a name, or the keys of a mapping together with those of the competition that it `extends`."""
    if isinstance(value, str):
        return _read(_existing(value), ())
    if not isinstance(value, dict) or "extends" not in value:
        return value
    try:
        return _changed(_read(_existing(value["extends"]), ()), value)
    except ValueError as error:
        raise ProblemsAtError([(("extends",), error, None)]) from error


def _existing(name: Any) -> Path:
    """The file of a competition that a configuration names.

    Raises:
        ValueError: there is no such file; the message is reported at its key.
    """
    path = _file_of(name)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


PLAIN = Competition.model_validate({"name": "plain", "metric": "dice", "columns": ("id", "rle_mask")})
"""The plain format, used without a competition: two columns of any names, one column-major mask per image."""

CompetitionValue = Annotated[Competition | None, BeforeValidator(_resolved)]
"""The name of a preset, the path of a file, `{extends: NAME, …}` with changed keys, or all keys."""
