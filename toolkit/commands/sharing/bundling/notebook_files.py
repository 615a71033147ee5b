"""The texts of a bundle: predict.py, the notebook, the README, and the metadata that Kaggle's client reads."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from toolkit.config.yaml.file_paths import regular
from toolkit.errors import ConfigError

USER = "INSERT_USERNAME_HERE"
"""Stands in the metadata for the name of the Kaggle account, as in those that Kaggle's client makes."""
NOTEBOOK, MANIFEST = "submission.ipynb", "bundle.json"
METADATA_FILES = ("dataset-metadata.json", "kernel-metadata.json")
_TEMPLATES = Path(__file__).with_name("templates")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{1,49}")
_LONGEST_TITLE = 50

_SETTINGS = """\
from pathlib import Path

INPUT = Path("/kaggle/input")
{places}
BUNDLE = next((place for place in PLACES if (place / "bundle.json").is_file()), Path.cwd())
IMAGES = {images}  # the folder of the test images
SAMPLE = {sample}  # the sample submission; None: that of the bundle
MINUTES = {minutes:g}  # the time limit of the prediction"""
_RUN = '''\
import subprocess
import sys


def run(*words):
    """Run a program and show what it says."""
    command = [str(word) for word in words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            print(line, end="")
    if process.returncode:
        raise RuntimeError(f"{{command[1]}} ended with exit code {{process.returncode}}")


run(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", BUNDLE / "wheels", {install})'''
_PREDICT = """\
words = ["--images", IMAGES, "--out", "submission.csv", "--minutes", MINUTES]
words += [] if SAMPLE is None else ["--sample", SAMPLE]
run(sys.executable, BUNDLE / "predict.py", *words)"""
_LOOK = """\
with open("submission.csv") as file:
    for _, line in zip(range(5), file):
        print(line.rstrip()[:100])"""


@dataclass(frozen=True)
class KaggleNames:
    """What things are called on Kaggle: the account, the dataset, the competition, and the minutes of the notebook.

    Empty texts are unknown.
    """

    dataset: str
    user: str = ""
    competition: str = ""
    minutes: float = 480.0

    @property
    def owner(self) -> str:
        """The account, or what stands for it."""
        return self.user or USER


def kaggle_names(experiment: str, user: str | None, competition: str | None, minutes: float) -> KaggleNames:
    """The names for a bundle whose first experiment has this name.

    Raises:
        ConfigError: a name cannot be one on Kaggle, or the minutes are not a finite number above 0.
    """
    if user is not None and not _USER.fullmatch(user):
        raise ConfigError(f"--kaggle-user: expected the name in the address of your profile; received {user!r}")
    if competition is not None and not _SLUG.fullmatch(competition):
        raise ConfigError(
            f"--kaggle-competition: expected the last part of its address, for example "
            f"tgs-salt-identification-challenge; received {competition!r}"
        )
    if not 0 < minutes < math.inf:
        raise ConfigError(f"--minutes: expected a number above 0; received {minutes:g}")
    slug = re.sub(r"[^a-z0-9]+", "-", experiment.lower()).strip("-")
    dataset = f"{slug[: _LONGEST_TITLE - len('-bundle')].strip('-')}-bundle"
    return KaggleNames(dataset, user or "", competition or "", minutes)


def predict_script() -> bytes:
    """The content of predict.py."""
    return regular(_TEMPLATES / "predict.py.txt").read_bytes()


def metadata_files(names: KaggleNames, *, gpu: bool) -> dict[str, bytes]:
    """dataset-metadata.json and kernel-metadata.json; `gpu` asks for one."""
    title = f"{names.dataset[: _LONGEST_TITLE - len('-submission')].removesuffix('-bundle')}-submission"
    dataset = {
        "title": names.dataset,
        "id": f"{names.owner}/{names.dataset}",
        "licenses": [{"name": "unknown"}],
    }
    kernel = {
        "id": f"{names.owner}/{title}",
        "title": title,
        "code_file": NOTEBOOK,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": False,
        "dataset_sources": [f"{names.owner}/{names.dataset}"],
        "competition_sources": [names.competition] if names.competition else [],
        "kernel_sources": [],
        "model_sources": [],
    }
    return dict(zip(METADATA_FILES, (_json(dataset), _json(kernel)), strict=True))


def notebook(names: KaggleNames, *, with_wheels: bool) -> bytes:
    """The notebook, nbformat 4.5, without outputs; `with_wheels` installs the wheels of all packages."""
    places = (
        f'PLACES = [INPUT / "{names.dataset}", *INPUT.glob("*/*/{names.dataset}"), *INPUT.glob("*/{names.dataset}")]'
    )
    folder = f'INPUT / "{names.competition}"' if names.competition else "INPUT"
    settings = _SETTINGS.format(
        places=places, images=f'{folder} / "test"', sample=f'{folder} / "sample_submission.csv"', minutes=names.minutes
    )
    install = '"--requirement", BUNDLE / "requirements.txt"' if with_wheels else '"--no-deps", "segmentation-toolkit"'
    cells = [
        _cell(0, "markdown", f"# {names.dataset}\n\nPredicts the test images, without internet."),
        *(_cell(number, "code", text) for number, text in enumerate(
            (settings, _RUN.format(install=install), _PREDICT, _LOOK), 1
        )),
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return _json({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def readme(
    names: KaggleNames, experiments: Sequence[str], code: Sequence[str], *, version: str, python: str, with_wheels: bool
) -> bytes:
    """The content of README.md."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=select_autoescape(),
    )
    words = "--no-index --find-links wheels -r requirements.txt" if with_wheels else "-r requirements.txt wheels/*.whl"
    text = environment.get_template("README.md.j2").render(
        title=names.dataset, experiments=experiments, code=sorted(code), version=version, python=python, install=words,
        placeholder="" if names.user else USER,
    )  # fmt: skip
    return text.encode()


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _json(tree: Any) -> bytes:
    return (json.dumps(tree, indent=1, ensure_ascii=False) + "\n").encode()
