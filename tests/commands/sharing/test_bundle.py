"""Covers toolkit/commands/sharing/bundle_result.py and toolkit/commands/sharing/bundling/bundled_experiments.py."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from toolkit.commands.session import Session
from toolkit.commands.sharing.bundle import BundleOptions, bundle
from toolkit.commands.submitting.submit import SubmitOptions, submit
from toolkit.errors import ChangedError, ConfigError, NotReadyError, StorageError
from toolkit.files.disk import changes
from toolkit.files.disk.digests import file_digest
from toolkit.files.experiment.workspace import Workspace

pytestmark = pytest.mark.train

OPTIONS = BundleOptions(threshold=0.4)


@pytest.fixture
def fitted(fitted_competition: Workspace, tmp_path: Path) -> Session:
    """A copy of the fitted competition."""
    return Session(Workspace(Path(shutil.copytree(fitted_competition.root, tmp_path / "private-place"))))


def everything_in(folder: Path) -> bytes:
    """All names and contents below a folder, archives opened."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(path.relative_to(folder).as_posix().encode())
        if path.suffix == ".whl":
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                found += [part for name in archive.namelist() for part in (name.encode(), archive.read(name))]
        elif path.is_file():
            found.append(path.read_bytes())
    return b"\n".join(found)


def test_a_bundle_holds_what_predicts_and_nothing_that_names_this_machine(fitted: Session, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    found = bundle(fitted, ["both", "plain"], options=replace(OPTIONS, out=out))
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    weights = {
        f"experiments/{name}/fold{fold}/stage0/best.weights.h5" for name in ("plain", "other") for fold in (0, 1)
    }
    assert weights <= names
    assert {"predict.py", "submission.ipynb", "kernel-metadata.json", "experiments/both/config.yaml"} <= names
    forbidden = (
        "predictions",
        "history.csv",
        "tensorboard",
        "folds.csv",
        "scores.csv",
        ".png",
        ".html",
        "cache",
        ".lock",
    )
    assert not [name for name in names for word in forbidden if word in name]
    edited = {"README.md", "dataset-metadata.json", "kernel-metadata.json"}
    assert json.loads((out / "bundle.json").read_text())["files"].keys() == names - edited - {"bundle.json"}
    content = everything_in(out)
    for word in (str(fitted.workspace.root), str(tmp_path), "private-place", str(Path.home()) + "/", str(Path.cwd())):
        assert word.encode() not in content, word
    assert found.sizes["weights"] == sum((out / name).stat().st_size for name in weights)
    assert found.code == []


def test_only_a_bundle_of_the_same_is_replaced(fitted: Session, tmp_path: Path) -> None:
    options = replace(OPTIONS, out=tmp_path / "bundle")
    bundle(fitted, ["plain"], options=options)
    (options.out / "left.txt").write_text("old")
    bundle(fitted, ["plain"], options=options)
    assert not (options.out / "left.txt").exists()
    with pytest.raises(ChangedError, match="is a bundle of plain"):
        bundle(fitted, ["other"], options=options)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ChangedError, match="is no bundle"):
        bundle(fitted, ["plain"], options=replace(OPTIONS, out=tmp_path / "mine"))
    with pytest.raises(NotReadyError, match="no tuned recipe") as caught:
        bundle(fitted, ["plain"], options=replace(options, threshold=None))
    assert "tk bundle plain --threshold" in caught.value.advice


def test_what_fails_on_the_way_leaves_no_bundle(
    fitted: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, perform = tmp_path / "bundle", changes.perform

    def failing(what: str, change: object) -> object:
        if what == "rename" or (what == "write" and len(list(tmp_path.glob(".*bundle*/*"))) > 5):
            raise OSError(28, "No space left on device")
        return perform(what, change)  # type: ignore[arg-type]

    monkeypatch.setattr(changes, "perform", failing)
    with pytest.raises(StorageError):
        bundle(fitted, ["plain"], options=replace(OPTIONS, out=out))
    assert not out.exists()


def test_slices_that_a_table_orders_are_refused(fitted: Session, tmp_path: Path) -> None:
    resolved = fitted.workspace.find("plain").resolved
    volume = "neighbours: {offsets: [0], order_by: z, group_by: null, edges: repeat, gaps: error}"
    text = resolved.read_text().replace("metadata: null", "metadata: z.csv").replace("neighbours: null", volume)
    resolved.write_text(text)
    out = tmp_path / "bundle"
    with pytest.raises(ConfigError, match=r"plain: data\.neighbours\.order_by: z is a column of data\.metadata"):
        bundle(fitted, ["plain"], options=replace(OPTIONS, out=out))
    assert not out.exists()


def test_own_code_travels_with_a_warning_where_it_names_this_machine(fitted: Session, tmp_path: Path) -> None:
    folder = fitted.workspace.experiments / "plain"
    (folder / "plugins.py").write_text(f"def step(mask):\n    return mask  # {fitted.workspace.root.resolve()}\n")
    resolved = folder / "resolved.yaml"
    resolved.write_text(
        resolved.read_text().replace("digests:\n", f"digests:\n  plugins: {file_digest(folder / 'plugins.py')}\n")
    )
    found = bundle(fitted, ["plain"], options=replace(OPTIONS, out=tmp_path / "bundle"))
    assert found.code == ["experiments/plain/plugins.py"]
    assert found.warnings == [
        "own code names this machine or folders of it, and is copied as it is: experiments/plain/plugins.py:2"
    ]


def test_the_bundle_makes_the_same_submission_without_network_and_folders(fitted: Session, tmp_path: Path) -> None:
    """In a process that has only the bundle, with the network switched off where the system lets it."""
    root = fitted.workspace.root
    submit(fitted, "both", options=SubmitOptions(threshold=0.4))
    expected = (root / "submissions" / "both.csv").read_bytes()
    for path in (root / "experiments" / "both" / name for name in ("config.yaml", "resolved.yaml")):
        text = re.sub(r"\bother\b", f"../../{root.name}/experiments/other", path.read_text(), count=1)
        path.write_text(text)  # a member that is named by its path
    out = tmp_path / "elsewhere" / "bundle"
    bundle(fitted, ["both"], options=replace(OPTIONS, out=out))
    images = Path(shutil.copytree(root / "data" / "test" / "images", tmp_path / "hidden"))
    shutil.rmtree(root)
    installed = tmp_path / "installed"
    with zipfile.ZipFile(next((out / "wheels").glob("*.whl"))) as archive:
        archive.extractall(installed)
    code = (
        f"import sys, runpy; sys.path.insert(0, {str(installed)!r}); sys.argv = sys.argv[1:]; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    for name in ("dataset-metadata.json", "kernel-metadata.json"):
        (out / name).unlink()  # Kaggle's client does not upload them
    target = tmp_path / "submission.csv"
    words = [sys.executable, "-I", "-c", code, str(out / "predict.py"), "--images", str(images), "--out", str(target)]
    apart = ["unshare", "-rn"]
    if shutil.which("unshare") and not subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        words = [*apart, *words]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [*words, "--minutes", "10"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert target.read_bytes() == expected
    (out / "experiments" / "both" / "config.yaml").unlink()
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not complete: experiments/both/config.yaml" in done.stderr
