import importlib.util
import os

import pytest

from toolkit.cluster.ray_package import require_local_ray, require_ray
from toolkit.errors import ConfigError


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that what the functions set is undone
        monkeypatch.delenv(name)


def test_without_ray_the_message_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="--on: Ray is not installed") as raised:
        require_ray()
    assert "pip install 'segmentation-toolkit[cluster]'" in raised.value.advice


def test_rays_own_reports_are_switched_off_and_this_machines_ray_is_not_reachable_from_others() -> None:
    pytest.importorskip("ray")
    require_ray()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in os.environ
    require_local_ray()
    assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
