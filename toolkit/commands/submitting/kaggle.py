"""Uploading a submission with Kaggle's own client, an optional dependency."""

import importlib
import io
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from toolkit.errors import ConfigError, UploadError

_MODULE = "kaggle.api.kaggle_api_extended"
_INSTALL = "pip install 'segmentation-toolkit[kaggle]'"
_CREDENTIALS = (
    "Create a token at https://www.kaggle.com/settings and set KAGGLE_API_TOKEN, or put it in ~/.kaggle/access_token; "
    "kaggle.json with user name and key works too."
)
_ADVICE = {
    401: _CREDENTIALS,
    403: "Accept the rules on the competition's page, and check that it still accepts submissions.",
    404: "Check the name of the competition: it is the last part of its address, for example "
    "tgs-salt-identification-challenge.",
    429: "The competition accepts no more submissions for now.",
}


class Uploader(Protocol):
    """Uploads submission files."""

    def upload(self, path: Path, competition: str, message: str) -> str:
        """Submit a file to a competition, which is named by the last part of its address.

        Returns:
            The answer of the site.

        Raises:
            UploadError: the site refuses the file or cannot be reached.
        """


class KaggleClient(Protocol):
    """The methods of `kaggle.KaggleApi` (kaggle 2) that are used."""

    def authenticate(self) -> None:
        """Find credentials; ends the process if there are none."""

    def competition_submit(self, file_name: str, message: str, competition: str, quiet: bool) -> Any:
        """Submit a file; the answer has a `message`."""


class KaggleUploader:
    """Uploads with a client that has credentials."""

    def __init__(self, client: KaggleClient) -> None:
        self._client = client

    def upload(self, path: Path, competition: str, message: str) -> str:
        """See `Uploader`."""
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                answer = self._client.competition_submit(str(path), message, competition, quiet=True)
        except (Exception, SystemExit) as error:
            # The client may raise anything: the file stays, and the user can upload it by hand.
            raise _refused(path, competition, error) from error
        text = str(getattr(answer, "message", answer) or "").strip()
        if text == getattr(self._client, "COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE", None):
            raise UploadError(
                f"{path} was not uploaded to {competition}: {text}. {said.getvalue().strip()}".rstrip(),
                f"The file is complete: try again, or upload it at https://www.kaggle.com/competitions/{competition}",
            )
        return text


def kaggle_uploader() -> Uploader:
    """An uploader with the user's credentials.

    Raises:
        UploadError: the client is not installed, or there are no credentials.
    """
    said = io.StringIO()
    try:
        # The client looks for credentials when it is imported, prints what is missing and may end the process.
        with redirect_stdout(said):
            client: KaggleClient = importlib.import_module(_MODULE).KaggleApi()
            client.authenticate()
    except ImportError as error:
        raise UploadError(f"--upload requires the kaggle client: {error}", f"Run: {_INSTALL}") from error
    except SystemExit as error:
        raise UploadError("--upload: the kaggle client found no credentials", _CREDENTIALS) from error
    except Exception as error:
        raise UploadError(f"--upload: the kaggle client cannot log in: {error}", _CREDENTIALS) from error
    return KaggleUploader(client)


def _refused(path: Path, competition: str, error: BaseException) -> UploadError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    why = str(error) or type(error).__name__
    return UploadError(
        f"{path} was not uploaded to {competition}: {why}",
        _ADVICE.get(status or 0, "The file is complete: check the connection and try again, or upload it by hand."),
    )


_COMPETITION = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class UploadOptions:
    """The competition that a submission is uploaded to, and the message of the upload."""

    competition: str
    message: str = ""


def upload_options(competition: str | None, message: str | None) -> UploadOptions | None:
    """The options `--upload` and `--message`.

    Raises:
        ConfigError: a message without an upload, or an invalid name of a competition.
    """
    if competition is None:
        if message is not None:
            raise ConfigError("--message requires --upload", "Add --upload COMPETITION, or leave out --message.")
        return None
    if not _COMPETITION.fullmatch(competition):
        raise ConfigError(
            f"--upload: {competition!r} is not a valid name of a competition",
            "Give the last part of the competition's address, for example tgs-salt-identification-challenge.",
        )
    return UploadOptions(competition, message or "")
