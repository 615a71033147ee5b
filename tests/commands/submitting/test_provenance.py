import shutil
import subprocess
from pathlib import Path

import pytest

from toolkit.commands.submitting.provenance import commit_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

ME = ("-c", "user.name=a", "-c", "user.email=a@example.org")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *ME, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "config.yaml").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_commit_of_the_workspace_and_whether_files_differ(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert commit_of(repository) == commit
    (repository / "new.txt").write_text("files that git does not know say nothing about the commit")
    assert commit_of(repository) == commit
    (repository / "config.yaml").write_text("b")
    assert commit_of(repository) == f"{commit}-dirty"


def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) is None


@pytest.mark.parametrize("key", ["core.fsmonitor", "filter.own.clean"])
def test_programs_that_the_repository_names_are_not_run(repository: Path, key: str) -> None:
    program = repository / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {repository / 'was-run'}\ncat\n")
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("*.yaml filter=own\n")
    (repository / "config.yaml").write_text("b")
    git(repository, "config", key, str(program))
    git(repository, "status")
    assert (repository / "was-run").exists()  # git itself runs it
    (repository / "was-run").unlink()
    (repository / "config.yaml").write_text("c")
    assert commit_of(repository) is not None
    assert not (repository / "was-run").exists()
