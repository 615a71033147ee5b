"""What a file is that is no experiment: a configuration of another system, in YAML, JSON or Python."""

import ast
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from toolkit.config.migrating.systems import SYSTEMS, system_of
from toolkit.config.yaml.file_paths import regular
from toolkit.config.yaml.yaml_files import read_document
from toolkit.errors import ConfigError, MissingFileError, listing, nearest

GUIDE = "docs/migrating.md"

_PYTHON = ".py"
FILES = (".yaml", ".yml", ".json")
"""Suffixes of files that can be imported."""

_FEWEST = 2  # words of one system, before a file is taken for one of it

_SECTIONS: Mapping[str, frozenset[str]] = {
    "patch_generator": frozenset(
        {
            "batch_size",
            "from_model",
            "generator",
            "get_model",
            "image_preprocessing",
            "input_shape",
            "output_shape",
            "process_patch",
        }
    ),
    "CNN UNet for CCD images": frozenset(
        {
            "get_weights",
            "image_simulation",
            "keras_segmentation",
            "load_dataset",
            "predict_segmentation",
            "vgg_unet",
            "weighted_categorical_crossentropy",
        }
    ),
}
"""Systems whose settings are Python, by the section of the guide, and names that tell their files from others."""


def file_of_module(name: str, folder: Path) -> Path | None:
    """The Python file that a name means: its path, or a module such as `configs.config`; None if there is none."""
    path = folder / name
    if path.suffix == _PYTHON and path.is_file():
        return path
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        return None
    module = folder.joinpath(*parts).with_suffix(_PYTHON)
    return module if module.is_file() else None


def about_python(path: Path) -> ConfigError:
    """The error about settings in Python, which names the section of the guide."""
    sections = [_section(_names_in(path))] if path.is_file() else [None]
    named = [section for section in sections if section] or list(_SECTIONS)
    return ConfigError(
        f"{path} is Python, which is not run here to read a configuration",
        f"What its settings are here: {GUIDE}, section {' or '.join(named)}",
    )


def about_file(path: Path) -> ConfigError | None:
    """The error about a file that is used as an experiment; None if it is no file that could hold a configuration.

    Raises:
        ConfigError: the file is not valid YAML or JSON.
    """
    if path.suffix == _PYTHON:
        return about_python(path)
    if path.suffix not in FILES:
        return None
    tree = read_document(path).tree
    system = system_of(tree)
    if system is not None:
        return ConfigError(
            f"{path} is no experiment, but a configuration of {system.name}",
            f"To translate it: tk import {path} --images FOLDER --masks FOLDER_OR_CSV",
        )
    return about_unknown(path, tree)


def about_unknown(path: Path, tree: Mapping[str, Any]) -> ConfigError:
    """The error about a file with a tree of keys that cannot be imported."""
    section = _section(tree)
    if "data" in tree or "extends" in tree or "members" in tree:
        key = next(key for key in ("data", "extends", "members") if key in tree)
        return ConfigError(
            f"{path} is a configuration of this toolkit: it has the key {key}. An experiment is a folder with a "
            "config.yaml",
            "Copy it to experiments/NAME/config.yaml, or run: tk new NAME --extends EXPERIMENT",
        )
    if section is not None:
        return ConfigError(
            f"{path} has keys of {section}, whose configuration is Python: {listing(tree, 8)}",
            f"What they are here: {GUIDE}, section {section}",
        )
    known = "\n".join(f"  {system.name}: {', '.join(system.telling_keys)}" for system in SYSTEMS)
    return ConfigError(
        f"{path} is not a configuration that can be imported; its keys: {listing(tree, 8) or 'none'}\n"
        f"These systems are recognised, by keys such as\n{known}",
        f"What other systems' settings are here: {GUIDE}",
    )


def missing(path: Path) -> MissingFileError:
    """The error about a file of settings that does not exist, with the files that could be meant."""
    folder = path.parent
    if not folder.is_dir():
        return MissingFileError(f"there is no file {path}", f"There is no folder {folder} either.")
    beside = sorted(one.name for one in folder.iterdir() if one.suffix in FILES)
    near = nearest(path.name, beside)
    if near is not None:
        return MissingFileError(f"there is no file {path}", f"Did you mean {folder / near}?")
    where = "the working folder" if folder == Path() else folder
    return MissingFileError(f"there is no file {path}", f"YAML and JSON files in {where}: {listing(beside) or 'none'}")


def _section(names: Collection[str]) -> str | None:
    """The section of the guide about the system whose words are among the names."""
    counts = {section: len(words.intersection(names)) for section, words in _SECTIONS.items()}
    best = max(counts, key=lambda section: counts[section])
    return best if counts[best] >= _FEWEST else None


def _names_in(path: Path) -> set[str]:
    """All names in a Python file; none if it cannot be read."""
    try:
        tree = ast.parse(regular(path).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {*(node.module or "").split("."), *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {part for alias in node.names for part in alias.name.split(".")}
    return names
