from pathlib import Path

import pytest

from toolkit.config.migrating.foreign_files import about_file, file_of_module, missing


def test_a_foreign_configuration_names_the_command_that_translates_it(tmp_path: Path) -> None:
    path = tmp_path / "pics.yaml"
    path.write_text("architecture: Unet\nstages: [{epochs: 1}]\n")
    error = about_file(path)
    assert error is not None
    assert "segmentation_training_pipeline" in error.message
    assert f"tk import {path}" in error.advice


@pytest.mark.parametrize(
    ("name", "text", "section"),
    [
        ("config.py", "batch_size = 2\ndef get_model(): ...\n", "section patch_generator"),
        ("config.yaml", "get_model: unet\ngenerator: mine\npath: x\n", "section patch_generator"),
        ("train.py", "from keras_segmentation.models import vgg_unet\n", "section CNN UNet for CCD images"),
        ("other.py", "x = (", "section patch_generator or CNN UNet for CCD images"),
        ("own.yaml", "data: {images: x}\n", "tk new NAME --extends EXPERIMENT"),
        ("odd.yaml", "colour: red\n", "docs/migrating.md"),
    ],
)
def test_other_files_name_the_section_of_the_guide(tmp_path: Path, name: str, text: str, section: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    error = about_file(path)
    assert error is not None
    assert error.advice.endswith(section)


def test_other_kinds_of_files_are_not_told_about(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert about_file(tmp_path / "a.txt") is None


def test_a_module_is_the_file_that_python_would_import(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "config.py").touch()
    for name in ("configs.config", "configs/config.py"):
        assert file_of_module(name, tmp_path) == tmp_path / "configs" / "config.py"
    assert file_of_module("exp.042", tmp_path) is None


def test_a_missing_file_is_said_once_with_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "pics.yaml").touch()
    error = missing(tmp_path / "pisc.yaml")
    assert error.message == f"there is no file {tmp_path}/pisc.yaml"
    assert error.advice == f"Did you mean {tmp_path}/pics.yaml?"
    assert "pics.yaml" in missing(tmp_path / "completely.json").advice
    assert "no folder" in missing(tmp_path / "sub" / "a.yaml").advice
