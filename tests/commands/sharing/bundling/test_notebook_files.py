import json
import re

import pytest

from toolkit.commands.sharing.bundling.notebook_files import (
    KaggleNames,
    kaggle_names,
    metadata_files,
    notebook,
    predict_script,
    readme,
)
from toolkit.errors import ConfigError


@pytest.mark.parametrize("with_wheels", [False, True])
def test_the_notebook_is_valid(with_wheels: bool) -> None:
    """By the rules of nbformat 4.5: keys of each cell, unique ids, sources of lines."""
    found = json.loads(notebook(KaggleNames("exp042-bundle"), with_wheels=with_wheels))
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert set(found) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert found["metadata"]["kernelspec"].keys() >= {"name", "display_name"}
    ids = [cell["id"] for cell in found["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", one) for one in ids)
    for cell in found["cells"]:
        needed = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == needed | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert all(line.endswith("\n") for line in cell["source"][:-1])
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), cell["id"], "exec")
            assert cell["outputs"] == []
    text = json.dumps(found)
    assert ("--no-deps" in text) != with_wheels
    assert "--no-index" in text


@pytest.mark.parametrize("name", ["a", "exp042", "Exp_042+exp045:fold0", "x" * 200])
def test_names_on_kaggle_have_lengths_and_letters_that_it_takes(name: str) -> None:
    names = kaggle_names(name, "somebody", "tgs-salt-identification-challenge", 60)
    found = {file: json.loads(text) for file, text in metadata_files(names, gpu=True).items()}
    dataset, kernel = found["dataset-metadata.json"], found["kernel-metadata.json"]
    assert 6 <= len(dataset["title"]) <= 50
    for one in (dataset, kernel):
        user, slug = one["id"].split("/")
        assert user == "somebody"
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)
        assert 3 <= len(slug) <= 50
    assert len(dataset["licenses"]) == 1
    assert kernel["id"].endswith(f"/{kernel['title']}")  # the title makes the slug
    assert kernel["enable_internet"] is False
    assert kernel["is_private"] is True
    assert kernel["dataset_sources"] == [dataset["id"]]
    assert kernel["competition_sources"] == ["tgs-salt-identification-challenge"]


def test_what_cannot_be_a_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="--kaggle-user"):
        kaggle_names("a", "some body", None, 60)
    with pytest.raises(ConfigError, match="--kaggle-competition"):
        kaggle_names("a", None, "https://www.kaggle.com/c/tgs", 60)
    with pytest.raises(ConfigError, match="--minutes"):
        kaggle_names("a", None, None, 0)


def test_the_other_texts_are_complete() -> None:
    compile(predict_script(), "predict.py", "exec")
    about = {"version": "0.1.0", "python": "3.11"}
    text = readme(KaggleNames("a-bundle"), ["a"], ["plugins.py"], with_wheels=True, **about).decode()
    assert "INSERT_USERNAME_HERE" in text
    assert "Own code runs: plugins.py." in text
    assert "kaggle datasets create -p . -r zip" in text
