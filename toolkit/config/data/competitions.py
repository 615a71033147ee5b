"""What competitions want: how their label tables read and their submissions look; presets, and keys to change."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from toolkit.config.metrics import parse_metric
from toolkit.config.yaml.error_texts import describe_problems
from toolkit.config.yaml.fields import PositiveInteger, checked_by
from toolkit.config.yaml.named_calls import ClosedModel, ProblemsAtError, UnknownNameError
from toolkit.config.yaml.yaml_files import Document, read_document
from toolkit.core.masks.rle import PixelOrder
from toolkit.core.metrics.registry import MetricSpec
from toolkit.errors import ConfigError, not_valid

PRESETS = (
    "tgs-salt",
    "siim-acr",
    "severstal",
    "clouds",
    "airbus",
    "dsb2018",
    "sartorius",
    "carvana",
    "hubmap",
    "uw-madison",
    "contrails",
    "vesuvius",
)
"""The competitions that are known by name, each a file in the folder `presets`."""

Size = tuple[PositiveInteger, PositiveInteger]
Columns = Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
Metric = Annotated[
    str | dict[str, Any], Field(union_mode="left_to_right"), checked_by(lambda value, _: parse_metric(value))
]

_ID, _CLASS = "{id}", "{class}"
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class Competition(ClosedModel):
    """A competition's metric, table of labels and submission."""

    name: str = Field(description="What it is called in messages.")
    page: str = Field("", description="Where its rules stand.")
    metric: Metric = Field(description="Its metric: `primary_metric` where that is left out.")
    rows: Literal["image", "class", "object"] = Field(
        "image", description="What a row holds: the mask of an `image`, of one `class` of an image, or one `object`; "
        "an image without any object has one row with an empty mask.",
    )  # fmt: skip
    classes: tuple[str, ...] = Field((), description="Names of the classes as rows spell them, with `rows: class`.")
    columns: Columns = Field(description="Names of the columns: id, mask; or id, class, mask.")
    id: str = Field(
        _ID, description="What the id column holds, `{id}` standing for the id of the image, and `{class}` for the "
        "class where that has no column: `\"{id}.jpg_{class}\"`.",
    )  # fmt: skip
    pixel_order: PixelOrder = Field("column", description="How runs count the pixels: down the columns or along rows.")
    relative: bool = Field(False, description="Whether a run's start counts from the end of the run before, from 0, "
                           "in place of the first pixel, from 1.")  # fmt: skip
    empty: str = Field("", description="What stands for an empty mask.")
    output_size: Size | None = Field(
        None, description="Height and width of the masks in a submission, where they are not those of the images."
    )
    overlaps: bool = Field(False, description="Whether classes, or objects, may share pixels.")
    label_columns: Columns | None = Field(
        None, description="Names of the columns of the table of labels, if others; further ones are not looked at."
    )
    label_id: str | None = Field(None, description="What the id column holds there, if something else.")
    label_size: Size | None = Field(
        None, description="Height and width of the masks there, where they are not those of the images; images of "
        "another size get their masks scaled.",
    )  # fmt: skip
    unlisted: Literal["error", "empty"] = Field(
        "error", description="What it means that an image has no row there: an `error`, or an `empty` mask."
    )

    @property
    def metric_spec(self) -> MetricSpec:
        """The competition's metric."""
        return parse_metric(self.metric)

    @property
    def label_form(self) -> tuple[tuple[str, ...], str]:
        """Columns and id of the table of labels."""
        return self.label_columns or self.columns, self.label_id or self.id

    @property
    def empty_cells(self) -> tuple[str, ...]:
        """What is read as an empty mask: no cell, the competition's own word, and -1, which no mask is."""
        return ("", "-1", self.empty)

    def cells(self, image_id: str, class_name: str | None = None) -> tuple[str, ...]:
        """What stands before the mask in a row: the id, and the class where it has a column."""
        cell = self.id.replace(_CLASS, class_name or "").replace(_ID, image_id)
        return (cell,) if len(self.columns) == 2 else (cell, class_name or "")

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
"""An image's id and, where rows are of classes, the class."""

CellReader = Callable[[Sequence[str]], tuple[Reading, ...]]
"""Cells before the mask to what they may mean, the longest class first; ValueError if they are not of the competition.

It is one reading but for classes that end (or begin) like another one: with `{id}_{class}` and the classes `sky` and
`night_sky`, `a_night_sky` may be of the image `a_night` too.
"""


def cell_reader(competition: Competition, template: str, with_class_column: bool) -> CellReader:
    """What reads the cells that `Competition.cells` writes; `template` is that of the id column."""
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
            where = f", where class is one of {known}" if _CLASS in template else ""
            raise ValueError(f"expected {template}{where}, received {cells[0]!r}")
        if with_class_column and cells[1] not in competition.classes:
            raise ValueError(f"expected one of the classes {known}, received {cells[1]!r}")
        return tuple((match["id"], cells[1] if with_class_column else name) for name, match in matches)

    return read


def _class_problems(competition: Competition) -> list[Any]:
    names = competition.classes
    if competition.rows == "class" and not names:
        return [(("classes",), ValueError("rows: class needs the names of the classes"), None)]
    if competition.rows != "class" and names:
        return [(("classes",), ValueError(f"rows: {competition.rows} has no classes; did you mean rows: class?"), None)]
    if len(set(names)) < len(names):
        return [(("classes",), ValueError(f"a name stands twice in {', '.join(names)}"), None)]
    return []


def _format_problems(competition: Competition, columns: Sequence[str], template: str) -> list[tuple[str, str]]:
    """What is wrong with columns and the id in them: keys and words."""
    if len(set(columns)) < len(columns):
        return [("columns", f"a name stands twice in {', '.join(columns)}")]
    if len(columns) == 3 and competition.rows != "class":
        return [("columns", f"with rows: {competition.rows} there are two, id and mask; received {', '.join(columns)}")]
    wanted = [_ID] + [_CLASS] * (competition.rows == "class" and len(columns) == 2)
    if sorted(_BRACES.findall(template)) != sorted(wanted):
        return [("id", f"expected {' and '.join(wanted)} in it, once, and no other braces; received {template!r}")]
    return []


def find_competition(name: str) -> Competition:
    """A preset by its name, or a competition by the path of its YAML file.

    Raises:
        UnknownNameError: there is no such preset.
        ConfigError, MissingFileError: what is wrong in the file, with line and key.
    """
    return _read(_file_of(name), ())


def is_competition_file(name: str) -> bool:
    """Whether it is the path of a file rather than the name of a preset."""
    return name.endswith((".yaml", ".yml", ".json"))


def _file_of(name: Any, folder: Path = Path()) -> Path:
    if not isinstance(name, str):
        raise ValueError(f"expected the name of a competition or the path of its YAML file, received {name!r}")
    if is_competition_file(name):
        return folder / name
    if name not in PRESETS:
        raise UnknownNameError(name, [*PRESETS, "the path of a .yaml file"])
    return Path(__file__).with_name("presets") / f"{name}.yaml"


def _read(path: Path, children: tuple[Path, ...]) -> Competition:
    """Read a file and what it extends; `children` are the files that extend it."""
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
        raise ConfigError("\n".join(problems), "What a competition may say: docs/competitions.md") from error


def _changed(parent: Competition, tree: dict[str, Any]) -> dict[str, Any]:
    """The keys of a competition with some of them changed."""
    return parent.model_dump() | {key: value for key, value in tree.items() if key != "extends"}


def _resolved(value: Any) -> Any:
    """What a name stands for, and a mapping that changes keys of what it `extends`."""
    if isinstance(value, str):
        return _read(_existing(value), ())
    if not isinstance(value, dict) or "extends" not in value:
        return value
    try:
        return _changed(_read(_existing(value["extends"]), ()), value)
    except ValueError as error:
        raise ProblemsAtError([(("extends",), error, None)]) from error


def _existing(name: Any) -> Path:
    """The file of a competition that a configuration names; ValueError where there is none, for its key to be told."""
    path = _file_of(name)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


PLAIN = Competition.model_validate({"name": "plain", "metric": "dice", "columns": ("id", "rle_mask")})
"""One column-major mask an image, in two columns of any names: what is meant where no competition is named."""

CompetitionValue = Annotated[Competition | None, BeforeValidator(_resolved)]
"""A preset's name, the path of a file, `{extends: NAME, …}` with changed keys, or all keys."""
