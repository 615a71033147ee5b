import hashlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.transfer import depot as module
from toolkit.cluster.transfer.depot import Depot
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.errors import ConfigError, MissingFileError, StorageError

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")


BUCKET = "s3://bucket/some/prefix"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server in this process."""
    running = moto_server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A new bucket, and a client beside the depot's own."""
    settings = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "_WAITS", (0.0, 0.0, 0.0))
    client = importlib.import_module("boto3").client("s3", endpoint_url=server)
    client.create_bucket(Bucket="bucket")
    yield client
    for found in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=found["Key"])
    client.delete_bucket(Bucket="bucket")


@pytest.fixture(params=["s3", "file"])
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    if request.param == "file":
        return Depot(f"file://{tmp_path}/shared/folder/")
    request.getfixturevalue("bucket")
    return Depot(BUCKET)


@pytest.mark.parametrize("content", [b"", b"some content", bytes(range(256)) * 300])
def test_what_is_put_is_there(depot: Depot, tmp_path: Path, content: bytes) -> None:
    path, name = tmp_path / "file", digest(content)
    path.write_bytes(content)
    assert not depot.has(name)
    with pytest.raises(MissingFileError, match=f"cannot get {name[:12]}… in .*: it is not there"):
        depot.get(name, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    depot.put(name, path)
    depot.put(name, path)
    assert depot.has(name)
    depot.get(name, tmp_path / "new" / "copy")
    assert (tmp_path / "new" / "copy").read_bytes() == content
    assert [one.name for one in (tmp_path / "new").iterdir()] == ["copy"]
    depot.delete(name)
    depot.delete(name)
    assert not depot.has(name)


def test_folders_of_a_depot_are_apart(depot: Depot, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    results = depot.below("results")
    results.put(digest(b"x"), tmp_path / "file")
    assert results.has(digest(b"x"))
    assert not depot.has(digest(b"x"))


def test_objects_are_where_the_address_says(bucket: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    Depot(BUCKET).put(digest(b"x"), tmp_path / "file")
    (found,) = bucket.list_objects_v2(Bucket="bucket")["Contents"]
    assert found["Key"] == f"some/prefix/{digest(b'x')}"


def test_what_others_put_is_seen(bucket: Any) -> None:
    depot, name = Depot(BUCKET), digest(b"y")
    assert not depot.has(name)
    bucket.put_object(Bucket="bucket", Key=f"some/prefix/{name}", Body=b"y")
    assert depot.has(name)
    bucket.delete_object(Bucket="bucket", Key=f"some/prefix/{name}")
    assert not depot.has(name)


def test_damaged_content_is_not_taken(bucket: Any, tmp_path: Path) -> None:
    bucket.put_object(Bucket="bucket", Key=f"some/prefix/{digest(b'x')}", Body=b"something else")
    (tmp_path / "copy").write_text("as before")
    with pytest.raises(StorageError, match="the content is not that of the digest"):
        Depot(BUCKET).get(digest(b"x"), tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "as before"
    assert [one.name for one in tmp_path.iterdir()] == ["copy"]


class Failing:
    """A file system whose first requests fail."""

    def __init__(self, system: Any, times: int, error: Exception) -> None:
        self.system, self.left, self.error = system, times, error

    def __getattr__(self, name: str) -> Any:
        def request(*arguments: Any) -> Any:
            if self.left:
                self.left -= 1
                raise self.error
            return getattr(self.system, name)(*arguments)

        return request


def failing(monkeypatch: pytest.MonkeyPatch, times: int, error: Exception) -> Failing:
    system = Failing(Depot("file:///x")._system, times, error)
    monkeypatch.setattr(Depot, "_system", system)
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    system.waited = waited
    return system


def test_requests_that_fail_are_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"x")
    system = failing(monkeypatch, 3, ConnectionError("the network is down"))
    Depot(f"file://{tmp_path}/there").put(digest(b"x"), tmp_path / "file")
    assert (tmp_path / "there" / digest(b"x")).read_bytes() == b"x"
    assert system.waited == [0.5, 2.0, 8.0]


@pytest.mark.parametrize(("error", "requests"), [(ConnectionError("no"), 4), (PermissionError("no"), 1)])
def test_requests_that_go_on_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, requests: int
) -> None:
    system = failing(monkeypatch, 100, error)
    with pytest.raises(StorageError, match=r"cannot look for [0-9a-f]{12}… in file:///x: no") as caught:
        Depot("file:///x").put(digest(b"x"), tmp_path / "file")
    assert system.left == 100 - requests
    assert "Check that all machines have this folder" in caught.value.advice


def test_a_bucket_that_is_not_there(bucket: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError, match=r"cannot put .* in s3://nowhere/prefix") as caught:
        Depot("s3://nowhere/prefix").put(digest(b"x"), tmp_path / "file")
    assert "AWS_ENDPOINT_URL" in caught.value.advice


def test_a_node_fetches_from_a_depot(depot: Depot, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    depot.put(digest(b"content"), tmp_path / "file")
    node = NodeFiles(tmp_path / "node")
    node.fetch(depot, [digest(b"content")])
    node.lay_out({"data/a": digest(b"content")}, tmp_path / "root")
    assert (tmp_path / "root" / "data" / "a").read_bytes() == b"content"


@pytest.mark.parametrize("address", ["", "bucket", "s3://", "http://host/x", "/folder", "s4://bucket"])
def test_other_addresses(address: str) -> None:
    with pytest.raises(ConfigError, match=r"the place for files between machines: .* is not valid") as caught:
        Depot(address)
    assert "s3://BUCKET/PREFIX" in caught.value.message


@pytest.mark.parametrize(
    ("address", "package", "advice"),
    [
        ("s3://bucket", "s3fs", "pip install 'segmentation-toolkit[cluster]'"),
        ("file:///x", "fsspec", "pip install 'segmentation-toolkit[cluster]'"),
        ("gs://bucket", "gcsfs", "pip install gcsfs"),
    ],
)
def test_missing_packages(monkeypatch: pytest.MonkeyPatch, address: str, package: str, advice: str) -> None:
    def missing(name: str) -> Any:
        if name == package:
            raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(ConfigError, match=f"requires the package {package}") as caught:
        Depot(address)
    assert caught.value.advice == f"Run: {advice}"
