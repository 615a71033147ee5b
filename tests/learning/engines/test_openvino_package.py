import sys

import pytest

from toolkit.errors import ConfigError
from toolkit.learning.engines.openvino_package import installed_version, refuse_missing, require_openvino


def test_without_the_package_only_openvino_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert installed_version() == ""
    for engine in (None, "auto", "tensorflow"):
        refuse_missing(engine)  # type: ignore[arg-type] # a word
    for refused in (lambda: refuse_missing("openvino"), require_openvino):
        with pytest.raises(ConfigError, match="openvino is not installed") as raised:
            refused()
        assert "pip install 'segmentation-toolkit[openvino]'" in raised.value.advice


def test_the_package_is_imported_without_what_reports_over_the_network() -> None:
    module = require_openvino()
    assert module.__version__.startswith(installed_version())
    assert not [name for name in sys.modules if name.partition(".")[0] == "openvino_telemetry"]
