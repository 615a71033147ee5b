import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from toolkit.commands.submitting import kaggle as uploading
from toolkit.commands.submitting.kaggle import KaggleUploader, kaggle_uploader
from toolkit.errors import UploadError

REAL = "kaggle.api.kaggle_api_extended"


class FakeApi:
    """The part of Kaggle's client that is used."""

    COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE = "Could not submit to competition"
    answer: Any = SimpleNamespace(message="Successfully submitted to Salt")

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []

    def authenticate(self) -> None:
        sys.stdout.write("looking for credentials")

    def competition_submit(self, file_name: str, message: str, competition: str, quiet: bool = False) -> Any:
        sys.stdout.write("uploading")
        if isinstance(self.answer, BaseException):
            raise self.answer
        self.sent.append((file_name, message, competition))
        return self.answer


def install(monkeypatch: pytest.MonkeyPatch, api: Any) -> None:
    module = ModuleType(REAL)
    module.KaggleApi = api  # type: ignore[attr-defined]
    monkeypatch.setattr(uploading, "importlib", SimpleNamespace(import_module=lambda name: {REAL: module}[name]))


def test_a_file_is_uploaded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    api = FakeApi()
    install(monkeypatch, lambda: api)
    answer = kaggle_uploader().upload(Path("submissions/a.csv"), "salt", "first")
    assert answer == "Successfully submitted to Salt"
    assert api.sent == [("submissions/a.csv", "first", "salt")]
    assert capsys.readouterr().out == ""


def test_without_the_client_the_advice_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'kaggle'")

    monkeypatch.setattr(uploading, "importlib", SimpleNamespace(import_module=missing))
    with pytest.raises(UploadError, match="No module named 'kaggle'") as told:
        kaggle_uploader()
    assert told.value.advice == "Run: pip install 'segmentation-toolkit[kaggle]'"


@pytest.mark.parametrize(
    ("raised", "words"), [(SystemExit(1), "no credentials"), (OSError("kaggle.json is no JSON"), "kaggle.json is no")]
)
def test_without_credentials_the_advice_says_where_to_put_them(
    monkeypatch: pytest.MonkeyPatch, raised: BaseException, words: str
) -> None:
    class NoCredentials(FakeApi):
        def authenticate(self) -> None:
            raise raised

    install(monkeypatch, NoCredentials)
    with pytest.raises(UploadError, match=words) as told:
        kaggle_uploader()
    assert "KAGGLE_API_TOKEN" in told.value.advice


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "KAGGLE_API_TOKEN"), (403, "rules"), (404, "last part of its address"), (500, "again")]
)
def test_refusals_of_the_site_are_reported(status: int, advice: str) -> None:
    refused = RuntimeError(f"{status} Client Error")
    refused.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    api = FakeApi()
    api.answer = refused
    with pytest.raises(UploadError, match=rf"a\.csv was not uploaded to salt: {status} Client Error") as told:
        KaggleUploader(api).upload(Path("a.csv"), "salt", "")
    assert advice in told.value.advice


@pytest.mark.parametrize("answer", [SystemExit(1), SimpleNamespace(message="Could not submit to competition")])
def test_other_failures_of_an_upload_are_reported(answer: Any) -> None:
    api = FakeApi()
    api.answer = answer
    with pytest.raises(UploadError, match=r"a\.csv was not uploaded to salt"):
        KaggleUploader(api).upload(Path("a.csv"), "salt", "")


@pytest.mark.filterwarnings("ignore")
def test_a_client_uploads_to_the_site(received: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,rle_mask\na,1 1\n")
    assert kaggle_uploader().upload(path, "salt", "first") == "Successfully submitted to Salt"
    assert received["blob"] == path.read_bytes()
    submitted = received["CreateSubmission"]
    assert submitted["submissionDescription"] == "first"
    assert submitted["blobFileTokens"] == "tok"
    with pytest.raises(UploadError, match=r"unknown: .*Not [Ff]ound") as told:
        kaggle_uploader().upload(path, "unknown", "")
    assert "last part of its address" in told.value.advice


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("received")
def test_a_client_without_credentials(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(UploadError, match="no credentials"):
        kaggle_uploader()
    assert capsys.readouterr().out == ""
