from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.cluster.transfer.target_paths import Targets, inside, refuse_links
from toolkit.errors import StorageError


def test_the_workspace_keeps_its_places_and_the_rest_its_paths(tmp_path: Path) -> None:
    targets = Targets.of_workspace(tmp_path)
    assert targets.of(tmp_path / "data" / "a.png") == "data/a.png"
    assert targets.of(Path("/mnt/data/a.png")) == "outside/mnt/data/a.png"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside1").mkdir()
    assert Targets.of_workspace(tmp_path).of(Path("/mnt/a")) == "outside2/mnt/a"


def test_links_are_places_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "big").mkdir()
    (tmp_path / "root" / "data").symlink_to(tmp_path / "big")
    assert Targets.of_workspace(tmp_path / "root").of(tmp_path / "root" / "data" / "a") == "data/a"


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("../../data", True),
        ("images", True),
        ("../../../elsewhere", False),
        ("../../../desk/data", False),  # back into the workspace by its name, which is another one there
        ("/desk/data", False),
        ("~/data", False),
        ("./../x/../../data", True),
    ],
)
def test_which_paths_mean_the_same_elsewhere(text: str, keeps: bool) -> None:
    targets = Targets(Path("/desk"), "outside")
    assert targets.keeps(text, Path("/desk/experiments/mine")) == keeps
    assert not targets.keeps("data", Path("/other"))


@pytest.mark.parametrize(
    "target", ["", "/etc/passwd", "a/../../b", "..", ".", "a//b", "a/", "a/./b", "a\0b", "x" * 300]
)
def test_targets_that_are_no_paths_below_the_root(tmp_path: Path, target: str) -> None:
    with pytest.raises(StorageError, match="is no path below"):
        inside(tmp_path, target)


@given(st.text(st.sampled_from("ab./ ~"), max_size=8))
def test_nothing_leaves_the_root(target: str) -> None:
    root = Path("/root/of/it")
    try:
        path = inside(root, target)
    except StorageError:
        return
    assert root in Path(path).resolve().parents
    assert path.relative_to(root).as_posix() == target


def test_links_on_the_way_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "out").symlink_to(tmp_path)
    refuse_links(root, ["a/b/c", "a/out"])  # a link itself is replaced
    with pytest.raises(StorageError, match="a/out is a link"):
        refuse_links(root, ["a/out/b"])
    with pytest.raises(StorageError, match="a/out is a link"):
        refuse_links(root, ["a/out/b/c"])
