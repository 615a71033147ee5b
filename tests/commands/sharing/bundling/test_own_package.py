import io
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import toolkit
from toolkit.commands.sharing.bundling import own_package
from toolkit.commands.sharing.bundling.own_package import own_wheel, pinned_requirements
from toolkit.errors import ConfigError

PACKAGE = Path(toolkit.__file__).parent


def test_the_wheel_holds_the_files_that_run_and_their_hashes() -> None:
    name, content = own_wheel()
    assert name == f"segmentation_toolkit-{metadata.version('segmentation-toolkit')}-py3-none-any.whl"
    assert own_wheel() == (name, content)  # whenever it is written
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        info = name.removesuffix("-py3-none-any.whl") + ".dist-info"
        record = {row.split(",")[0] for row in archive.read(f"{info}/RECORD").decode().splitlines()}
        assert record == set(names)
        for path in (path for path in names if not path.startswith(info)):
            assert archive.read(path) == (PACKAGE.parent / path).read_bytes()
        assert b"tk = toolkit.cli:main" in archive.read(f"{info}/entry_points.txt")
        assert f"{info}/direct_url.json" not in names  # it names the folder of a checkout
    there = {path.relative_to(PACKAGE.parent).as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    assert {path for path in there if not path.endswith(".pyc")} == {one for one in names if not one.startswith(info)}


def test_requirements_have_the_versions_that_are_installed() -> None:
    found = pinned_requirements([], [])
    assert found["numpy"] == metadata.version("numpy")
    assert {"tensorflow", "opencv-python-headless", "h5py"} <= found.keys()
    assert {"openvino", "pytest", "segmentation-toolkit"}.isdisjoint(found)
    assert pinned_requirements(["openvino"], []).keys() - found.keys() >= {"openvino"}
    assert "pytest" in pinned_requirements([], ["pytest"])


def test_a_requirement_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    known = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        if name == "h5py":
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(own_package.metadata, "distribution", distribution)
    with pytest.raises(ConfigError, match="h5py: needed by the bundle"):
        pinned_requirements([], [])
