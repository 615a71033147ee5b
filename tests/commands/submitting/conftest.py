"""A stand-in for Kaggle's site on this machine, and the clients that talk to it."""

import http.server
import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CLIENT = '''\
"""Does what the toolkit uses of Kaggle's client, in the same calls to the same site."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class KaggleApi:
    COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE = "Could not submit to competition"

    def authenticate(self):
        if not (os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY")):
            print("You need to authenticate")
            sys.exit(1)

    def competition_submit(self, file_name, message, competition, quiet=False):
        path = Path(file_name)
        started = self.call("StartSubmissionUpload", competitionName=competition, fileName=path.name)
        urlopen(Request(started["createUrl"], path.read_bytes(), method="PUT")).close()
        sent = {"competitionName": competition, "blobFileTokens": started["token"], "submissionDescription": message}
        return SimpleNamespace(message=self.call("CreateSubmission", **sent)["message"])

    def call(self, name, **tree):
        request = Request(f"{os.environ['STAND_IN_SITE']}/{name}", json.dumps(tree).encode(), method="POST")
        try:
            with urlopen(request) as answer:
                return json.load(answer)
        except HTTPError as error:
            error.close()
            error.response = SimpleNamespace(status_code=error.code)
            raise
'''

CLIENTS = ["stand-in", *(["real"] if importlib.util.find_spec("kagglesdk") else [])]


class Site(http.server.BaseHTTPRequestHandler):
    """What Kaggle's site says to its client, as far as a submission needs."""

    received: dict[str, Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = self.path.rsplit("/", 1)[-1]
        self.received[call] = json.loads(body)
        if self.received[call].get("competitionName") == "unknown":
            self.answer(404, {"code": 404, "message": "Not found"})
        elif call == "StartSubmissionUpload":
            self.answer(200, {"token": "tok", "createUrl": f"http://127.0.0.1:{self.server.server_port}/blob"})
        else:
            self.answer(200, {"message": "Successfully submitted to Salt", "ref": 7})

    def do_PUT(self) -> None:
        self.received["blob"] = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(200, {})

    def answer(self, status: int, tree: dict[str, Any]) -> None:
        content = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[http.server.HTTPServer]:
    Site.received = {}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(params=CLIENTS)
def received(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, site: http.server.HTTPServer
) -> dict[str, Any]:
    """What the site receives from a client with credentials that are none; from Kaggle's own where it is installed."""
    address = f"http://127.0.0.1:{site.server_port}"
    values = {"HOME": str(tmp_path), "KAGGLE_USERNAME": "somebody", "KAGGLE_KEY": "0" * 32, "STAND_IN_SITE": address}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "kaggle"]:
        monkeypatch.delitem(sys.modules, name)
    if request.param == "real":
        environment = importlib.import_module("kagglesdk.kaggle_env")
        monkeypatch.setattr(environment, "_env_to_endpoint", dict.fromkeys(environment.KaggleEnv, address))
    else:
        package = tmp_path / "client" / "kaggle" / "api"
        package.mkdir(parents=True)
        (package / "kaggle_api_extended.py").write_text(CLIENT)
        for folder in (package, package.parent):
            (folder / "__init__.py").touch()
        monkeypatch.syspath_prepend(package.parents[1])
    return Site.received
