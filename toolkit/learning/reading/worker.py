"""A process that makes batches of training samples. It never imports TensorFlow, unless the user's own code does."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from traceback import format_exc
from typing import Any, TypeVar

import cv2
import numpy as np

from toolkit.core.images.windows import Window
from toolkit.errors import ToolkitError
from toolkit.files.data.sources import LabelledImages
from toolkit.files.datasets.training_pool import Known, Sample
from toolkit.learning.reading.training_samples import Arrays, BatchJob, TrainingSetup

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class SentSample:
    """A sample whose source is sent once, as a number."""

    source: int
    image_id: str
    window: Window | None
    known: Known | None


@dataclass(frozen=True)
class SentJob:
    """A batch to make with one of the setups, and the file to write it to."""

    setup: int
    samples: tuple[SentSample, ...]
    seeds: tuple[int, ...]
    mixing_seed: int
    descriptor: int


@dataclass(frozen=True)
class Made:
    """The arrays of a batch: type and shape of each, one after the other in the file."""

    arrays: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Failed:
    """An error, in a form that every process can read.

    `kind`, `message` and `advice` are those of an error of the toolkit. Another error has no kind, and `trace` says
    where it was raised.
    """

    kind: type[ToolkitError] | None
    message: str
    advice: str = ""
    trace: str = ""

    def error(self) -> Exception:
        """The error, to be raised."""
        if self.kind is None:
            error = RuntimeError(self.message)
            error.add_note(self.trace)
            return error
        found = self.kind.__new__(self.kind)
        ToolkitError.__init__(found, self.message, self.advice)
        return found


def serve(connection: Connection) -> None:
    """Make the batches that are asked for until the other side is gone; errors of the work are sent as answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the process that trains, and then this one
    cv2.setNumThreads(0)  # there is a process for each core
    try:
        what = connection.recv_bytes()
        found = _attempt(partial(ForkingPickler.loads, what))
        while True:
            job = connection.recv()
            connection.send(found if isinstance(found, Failed) else _attempt(partial(_made, job, *found)))
    except (EOFError, ConnectionError):
        return


def _made(job: SentJob, setups: Sequence[TrainingSetup], sources: Sequence[LabelledImages]) -> Made:
    samples = tuple(Sample(sources[one.source], one.image_id, one.window, one.known) for one in job.samples)
    return write_arrays(job.descriptor, setups[job.setup].batch(BatchJob(samples, job.seeds, job.mixing_seed)))


def _attempt(make: Callable[[], _Value]) -> _Value | Failed:
    """What `make` returns, or its error; the user's code may raise any."""
    try:
        return make()
    except ToolkitError as error:
        return Failed(type(error), error.message, error.advice)
    except Exception as error:
        return Failed(None, f"{type(error).__name__}: {error}", trace=format_exc())


def write_arrays(descriptor: int, arrays: Arrays) -> Made:
    """Write arrays into a file, from its beginning."""
    place = 0
    for array in arrays:
        left = np.ascontiguousarray(array).data.cast("B")
        while left:
            written = os.pwrite(descriptor, left, place)
            left, place = left[written:], place + written
    return Made(tuple((array.dtype.str, array.shape) for array in arrays))


def read_arrays(descriptor: int, made: Made) -> Arrays:
    """Read the arrays of `write_arrays`."""
    found, place = [], 0
    for kind, shape in made.arrays:
        array: Any = np.empty(shape, kind)
        left = array.data.cast("B")
        while left:
            length = os.preadv(descriptor, [left], place)
            if not length:
                raise OSError("the memory that processes share has been cut off")
            left, place = left[length:], place + length
        found.append(array)
    return tuple(found)
