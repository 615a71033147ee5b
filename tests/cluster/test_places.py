import socket

import pytest

from toolkit.cluster.places import Place, parse_place
from toolkit.errors import ClusterError, ConfigError


def test_ray_is_this_machine_unless_an_address_is_set() -> None:
    assert parse_place("ray", {}) == Place()
    assert parse_place("ray", {"RAY_ADDRESS": "10.0.0.1:6379"}) == Place("10.0.0.1:6379")
    assert parse_place("ray://head.cluster:10001", {"RAY_ADDRESS": "10.0.0.1:6379"}) == Place(
        "ray://head.cluster:10001"
    )
    assert parse_place("[::1]:6379", {}) == Place("[::1]:6379")
    assert Place().text == "ray"


@pytest.mark.parametrize(
    "text", ["", "rai", "ray:", "ray://", "http://host:80", "host", "host:port", "host:1 --x", "auto"]
)
def test_other_texts_are_refused(text: str) -> None:
    if text:
        with pytest.raises(ConfigError, match=r"--on: expected ray, HOST:PORT or ray://HOST:PORT; received"):
            parse_place(text, {})


def test_an_address_of_the_environment_is_named_as_such() -> None:
    with pytest.raises(ConfigError, match="--on ray, RAY_ADDRESS: expected"):
        parse_place("ray", {"RAY_ADDRESS": "local"})


def test_an_address_where_nothing_listens_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for text in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            Place(text).refuse_unreachable()
    for text in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:99999"):
        with pytest.raises(ClusterError, match=f"--on {text}: nothing answers there"):
            Place(text).refuse_unreachable()
    Place().refuse_unreachable()
