"""JSON files that the toolkit writes, and reads again only if they have the shape that it has written."""

import json
import math
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import StorageError
from toolkit.files.disk.writing import write_text

Shape = TypeVar("Shape")

STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
"""For the shapes of files: no value is converted, and keys of later versions are left out."""

Number = float | None
"""A finite number, or null in the place of NaN and infinity."""


def write_json(path: Path, tree: Any) -> None:
    """Write indented JSON; raises ValueError if a number is not finite, which JSON cannot express."""
    write_text(path, json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(number: float) -> float | None:
    """The number, or None (null in JSON) if it is NaN or infinite."""
    return number if math.isfinite(number) else None


def read_json(path: Path, shape: TypeAdapter[Shape], again: str) -> Shape:
    """Read a JSON file that the toolkit wrote.

    Args:
        path: of the file.
        shape: what it must hold.
        again: a sentence that says how it is made again.

    Raises:
        StorageError: the file is missing, damaged, or of another shape.
    """
    try:
        return shape.validate_python(json.loads(regular(path).read_text("utf-8")))
    except ValidationError as error:
        raise StorageError(f"{path} is damaged: {first_problem(error)}", again) from error
    except (OSError, ValueError, RecursionError) as error:
        raise StorageError(f"{path} is damaged: {error}", again) from error


def first_problem(error: ValidationError) -> str:
    """What is wrong in a file, for a message: the key, what is expected there, and what was found."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    found = repr(first["input"])
    shown = found if len(found) <= 60 else f"{found[:60]} …"
    what = f"{where}: {first['msg']}" if where else first["msg"]
    return f"{what}, found {shown}"
