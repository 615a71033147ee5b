import hashlib
from pathlib import Path

from toolkit.files.disk.digests import content_address, digest, file_digest, ids_digest


def test_a_file_has_the_digest_of_its_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert file_digest(tmp_path / "a") == digest(content)
    assert file_digest(tmp_path / "a") != digest(content[:-1])
    assert content_address(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_the_order_of_ids_does_not_matter_but_each_id_does() -> None:
    assert ids_digest(["b", "a"]) == ids_digest(("a", "b"))
    assert len({ids_digest(ids) for ids in (["a", "b"], ["ab"], ["a"], ["a", "c"], ["a", "b", "c"])}) == 5
