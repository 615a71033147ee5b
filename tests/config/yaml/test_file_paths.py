import os
import socket
from pathlib import Path

import pytest

from toolkit.config.yaml.file_paths import impossible, refuse_impossible, regular, shortened, visible_files
from toolkit.errors import ConfigError


def test_possible_paths_are_not_impossible() -> None:
    assert not impossible("a/b.png")
    assert not impossible("/".join(["a" * 255] * 10))
    assert not impossible("ä" * 127)


@pytest.mark.parametrize(
    ("path", "words"),
    [("a\0b", "NUL"), ("a" * 256, "255 bytes"), ("ä" * 128, "255 bytes"), ("a/" * 3000, "4096 bytes")],
    ids=["NUL", "long name", "long name of two bytes", "long path"],
)
def test_impossible_paths_are_refused_with_the_reason(path: str, words: str, tmp_path: Path) -> None:
    assert words in impossible(path)
    with pytest.raises(ConfigError, match=f"config.yaml:3: data.images: .*{words}"):
        refuse_impossible(path, "config.yaml:3: data.images")
    with pytest.raises(OSError, match=words):
        regular(tmp_path / path)


def test_only_regular_files_and_links_to_them_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    file, link, pipe, channel = Path("file"), Path("link"), Path("pipe"), Path("channel")
    file.write_text("text")
    link.symlink_to(file)
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(channel))
        assert [regular(path) for path in (file, link)] == [file, link]
        for path, kind in (
            (pipe, "named pipe"),
            (channel, "socket"),
            (Path("/dev/zero"), "device"),
            (tmp_path, "folder"),
        ):
            with pytest.raises(OSError, match=kind) as caught:
                regular(path)
            assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError):
        regular(Path("missing"))


def test_long_paths_are_shortened_for_messages() -> None:
    assert shortened(Path("a/b")) == "a/b"
    assert len(shortened("x" * 5000)) < 300
    assert shortened("a\0b") == "a\\0b"


def test_visible_files_are_found_through_links_but_never_twice(tmp_path: Path) -> None:
    root, far = tmp_path / "root", tmp_path / "far"
    for folder in (root / "b", root / ".hidden", root / "left", far):
        folder.mkdir(parents=True)
    for path in (root / "b" / "2", root / "b" / "1", root / "b" / ".0", root / ".hidden" / "x", far / "y"):
        path.touch()
    (root / "left" / "z").touch()
    (root / "a").symlink_to(far)
    (far / "circle").symlink_to(root)
    found = list(visible_files(root, lambda folder: folder.name != "left"))
    assert found == [(root, []), (root / "a", [root / "a" / "y"]), (root / "b", [root / "b" / "1", root / "b" / "2"])]
