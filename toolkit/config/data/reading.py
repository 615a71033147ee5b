"""How samples are read: whether decoded images are kept, and by how many processes. Results do not depend on it."""

from typing import Annotated, Literal

from pydantic import Field

Cache = Annotated[
    Literal["auto", "off", "memory", "disk"],
    Field(
        description="Where decoded images are kept at the size at which they are read, so that each is decoded only "
        "once: in `memory`, on `disk` (`cache/` beside `experiments/`, for later runs too), nowhere (`off`), or "
        "`auto`: in memory if they fit, otherwise on disk if they fit and decoding is slow. Results are the same. See "
        "docs/training.md."
    ),
]
Workers = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=0, le=256)],
    Field(
        description="Number of processes that read and augment training images; 0 for threads of the process that "
        "trains. `auto`: threads without a GPU or with fewer than four processor cores, otherwise a process for each "
        "core but one. Results are the same. See docs/training.md.",
    ),
]
READING_KEYS = ("cache", "workers")
"""The keys that do not change results."""
