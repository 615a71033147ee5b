import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from toolkit.cli import app
from toolkit.files.simulated import KINDS


def tk(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_step_makes_an_experiment_of_the_simulation(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = tk("simulate", kind, "--count", "8", "--size", "32x48", "--out", f"data/{kind}").stdout
    assert f"data/{kind}: 8 training and 2 test images of 32×48" in shown
    assert f"hidden solution: data/{kind}/solution.csv" in shown
    _, _, command = shown.splitlines()[-1].partition("next: tk ")
    made = json.loads(tk(*shlex.split(command), "--json").stdout)
    assert (made["training_images"], made["test_images"]) == (8, 2)
    # A perfect submission is the solution itself.
    form = "tgs-salt" if kind == "salt" else f"data/{kind}/competition.yaml"
    solution = f"data/{kind}/solution.csv"
    if kind != "shapes":
        words = ("--solution", solution, "--images", f"data/{kind}/test/images", "--competition", form)
        assert json.loads(tk("score", solution, *words, "--json").stdout)["score"] == 1


def test_counts_of_the_classes(tmp_path: Path) -> None:
    words = ("simulate", "ccd", "--count", "2", "--test-count", "0", "--size", "64", "--out", str(tmp_path / "ccd"))
    result = json.loads(tk(*words, "--json").stdout)
    assert [each["name"] for each in result["classes"]] == ["background", "glowing", "hot_pixel", "cluster"]
    assert sum(each["pixels"] for each in result["classes"]) == 2 * 64 * 64
    assert "hidden solution" not in tk(*words).stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("pepper",), "'pepper' is not valid; choose from salt, ccd, shapes"),
        (("salt", "--count", "0"), "--count: expected a whole number of at least 1; received 0"),
        (("salt", "--test-count", "-1"), "--test-count: expected a whole number of at least 0; received -1"),
        (("salt", "--seed", "-1"), "--seed"),
        (("salt", "--size", "12"), "sides from 16 to 16384 pixels; received '12'"),
        (("salt", "--size", "64x"), "expected SIDE or HEIGHTxWIDTH"),
        (("salt", "--size", "64.5"), "expected SIDE or HEIGHTxWIDTH"),
    ],
)
def test_invalid_options_are_refused(words: tuple[str, ...], told: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert told in " ".join(tk("simulate", *words, "--out", str(out), code=3).stderr.split())
    assert not out.exists()


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "something other than a simulation" in tk("simulate", "salt", "--out", str(tmp_path), code=5).stderr
    assert (
        "something other than a simulation"
        in tk("simulate", "salt", "--out", str(tmp_path / "notes.txt"), code=5).stderr
    )


def test_few_images_have_a_test_image_and_the_next_name_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ccd", "ccd2"):
        shown = tk("simulate", "ccd", "--count", "2", "--size", "32", "--out", f"data/{name}").stdout
        assert "2 training and 1 test image of 32×32" in shown
        assert shown.splitlines()[-1] == f"next: tk init data/{name} --name {name}"
        tk(*shlex.split(shown.splitlines()[-1].partition("next: tk ")[2]))
