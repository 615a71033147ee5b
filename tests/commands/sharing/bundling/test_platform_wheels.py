import subprocess
from pathlib import Path
from typing import Any

import pytest

from toolkit.commands.sharing.bundling.platform_wheels import download_wheels, parse_platform
from toolkit.errors import ConfigError, MissingFileError
from toolkit.messages import Silent


def test_a_platform_is_named_in_short_or_as_pip_does() -> None:
    linux = parse_platform("linux_x86_64-cp311")
    assert linux.python == "3.11"
    assert {"manylinux_2_28_x86_64", "manylinux2014_x86_64", "linux_x86_64"} <= set(linux.tags)
    assert linux.environment["platform_machine"] == "x86_64"
    assert parse_platform("manylinux_2_28_aarch64-cp312").tags == ("manylinux_2_28_aarch64",)
    assert parse_platform("win_amd64-cp313").environment["sys_platform"] == "win32"
    assert parse_platform("macosx_14_0_arm64-cp311").environment["platform_machine"] == "arm64"


@pytest.mark.parametrize("text", ["linux_x86_64", "cp311", "solaris_sparc-cp311", "linux_x86_64-py3", ""])
def test_others_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match="linux_x86_64-cp311"):
        parse_platform(text)


def test_what_pip_says_becomes_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 1, "", "WARNING: no\nERROR: No matching distribution for numpy==9\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(MissingFileError, match="No matching distribution for numpy==9") as caught:
        download_wheels(parse_platform("linux_x86_64-cp311"), {"numpy": "9"}, tmp_path / "wheels", Silent())
    assert "leave out --wheels" in caught.value.advice
    (words,) = asked
    assert {"--only-binary", "manylinux_2_28_x86_64", "3.11"} <= set(words)
    assert (tmp_path / "wheels" / "requirements.txt").read_text() == "numpy==9\n"
