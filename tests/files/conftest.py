import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Writes pixels (by default random grey ones of 6×9) as an image file; creates its folder."""

    def draw(name: str, pixels: np.ndarray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if pixels is None:
            pixels = np.random.default_rng(list(name.encode())).integers(0, 256, (6, 9), np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return draw


@pytest.fixture
def full_disk() -> Callable[[], AbstractContextManager[None]]:
    """A context in which the system writes no file larger than 512 bytes."""

    @contextmanager
    def full_disk() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return full_disk
