import pytest


@pytest.fixture(autouse=True, scope="module")
def blank_figures() -> None:
    """The figures of these tests are drawn."""
