"""What an installed package and an image contain. Covers pyproject.toml, Dockerfile and .dockerignore."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_every_data_file_of_the_package_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["toolkit"]
    package = ROOT / "toolkit"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    ignored = {".py", ".pyc"}
    assert {path for path in package.rglob("*") if path.is_file() and path.suffix not in ignored} == installed


def test_an_image_gets_what_the_package_is_built_from() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert copied == allowed
    assert {"pyproject.toml", "toolkit", project["readme"]} <= copied
    assert all((ROOT / source).exists() for source in copied)
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user not in ("0", "root")
    assert lines.index(f"USER {user}") > max(number for number, line in enumerate(lines) if line.startswith("RUN "))


def test_the_base_for_a_gpu_has_the_tensorflow_of_the_project() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (pinned,) = [
        text.removeprefix("tensorflow==").rstrip("*") for text in dependencies if text.startswith("tensorflow==")
    ]
    for name in ("Dockerfile", "Makefile", "docs/docker.md"):
        versions = re.findall(r"tensorflow/tensorflow:([0-9.]+)-gpu", (ROOT / name).read_text())
        assert versions
        assert all(version.startswith(pinned) for version in versions), name


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_builds_and_runs_the_image_with_the_folders_of_the_project() -> None:
    def shown(*arguments: str) -> str:
        # Under `make test` the outer make's flags would be inherited.
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        command = ["make", "-n", *arguments]
        found = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, check=True)
        return found.stdout

    assert "docker build --build-arg BASE=python:3.11-slim --tag toolkit ." in shown("build")
    assert "BASE=other --tag mine" in shown("build", "BASE=other", "IMAGE=mine")
    told = shown("run", "ARGS=fit exp042", "GPUS=--gpus all", "DATA=/mnt/d")
    assert told.rstrip().endswith("toolkit fit exp042")
    for part in ("--rm", "--gpus all", '--user "$(id -u):$(id -g)"', '"/mnt/d:/workspace/data"'):
        assert part in told
    for folder in ("experiments", "submissions"):
        assert f'"{ROOT}/{folder}:/workspace/{folder}"' in told
