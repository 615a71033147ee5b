"""Seeds: every random draw derives from (seed, fold, stage, epoch, index) and nothing else."""

import hashlib

import numpy as np


def derived_seed(purpose: str, *numbers: int) -> int:
    """A seed below 2**31 for one purpose, from whole numbers, for example (seed, fold, stage, epoch, index).

    Equal arguments give equal seeds on every machine; different purposes give independent seeds.
    """
    text = purpose + ":" + ",".join(str(int(number)) for number in numbers)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) >> 1


def generator(purpose: str, *numbers: int) -> np.random.Generator:
    """A NumPy generator seeded with `derived_seed`."""
    return np.random.default_rng(derived_seed(purpose, *numbers))
