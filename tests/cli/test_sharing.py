import pytest
from typer.testing import CliRunner

from toolkit.cli import app


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "--wheels", "linux"], "linux_x86_64-cp311"),
        (["a"], "there is no experiment 'a'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    words: list[str], message: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    found = CliRunner().invoke(app, ["bundle", *words])
    assert found.exit_code in (3, 4)
    assert message in " ".join(found.stderr.split())
