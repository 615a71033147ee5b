import pytest


@pytest.fixture(autouse=True)
def blank_figures() -> None:
    """The figures of these tests are drawn."""
