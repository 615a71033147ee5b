"""Processes that make batches of training samples, and the batches in the order in which they were asked for."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pickle import PicklingError

from toolkit.errors import StorageError
from toolkit.files.datasets.kept_pairs import KeptPairs
from toolkit.files.datasets.training_pool import Sample
from toolkit.files.disk.flat_rows import nameless_file
from toolkit.learning.reading.training_samples import Arrays, BatchJob, TrainingSetup
from toolkit.learning.reading.worker import Failed, Made, SentJob, SentSample, read_arrays

StageWorkers = Callable[[Iterable[BatchJob]], Iterator[Arrays]]
"""Makes the batches of jobs as one stage reads them, in the order of the jobs."""

_AHEAD = 2
"""Batches that each process makes ahead of use."""
_SECONDS_TO_END = 5.0
_FEWER = "With fewer processes: --set workers=2, or 0 for none."
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from multiprocessing.connection import Connection; "
    "from toolkit.learning.reading.worker import serve; serve(Connection(int(sys.argv[2])))"
)
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class _Worker:
    """A process, and what it was asked for and has not answered: the oldest job first."""

    process: subprocess.Popen[bytes]
    connection: Connection
    files: tuple[int, ...]
    asked: deque[int] = field(default_factory=deque)


class NotSendableError(Exception):
    """What samples are read from exists in this process alone; the text says what it is."""


class Workers:
    """Processes that make batches. The batches do not depend on how many there are.

    They are started afresh, not forked, and need not import the program that trains. They end when it does, however it
    ends; the memory that they share has no name, and disappears with them.
    """

    def __init__(
        self, count: int, setups: Sequence[TrainingSetup], samples: Iterable[Sample], kept: Sequence[KeptPairs]
    ) -> None:
        """Start the processes; they get ready while the caller goes on.

        Args:
            count: of the processes.
            setups: how samples of each stage are read.
            samples: all that may be read, whole.
            kept: the decoded images that setups and samples read from.

        Raises:
            NotSendableError: the samples are objects of this process alone.
            StorageError: the system cannot start so many processes.
        """
        # Held as long as their ids tell them apart.
        self._sources = {id(sample.source): sample.source for sample in samples}
        self._numbers = {source: number for number, source in enumerate(self._sources)}
        try:
            what = ForkingPickler.dumps((tuple(setups), tuple(self._sources.values())))
        except (TypeError, AttributeError, ValueError, PicklingError) as error:
            raise NotSendableError(str(error)) from error
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(_started([one.rows.descriptor for one in kept]))
        except OSError as error:
            number = len(self._workers) + 1
            self.close()
            raise StorageError(
                f"cannot start process {number} of {count} that read images: {error.strerror or error}", _FEWER
            ) from error
        self._problem: BaseException | None = None
        self._sending = threading.Thread(target=self._send, args=(what,), daemon=True)
        self._sending.start()

    @property
    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [worker.process.pid for worker in self._workers]

    def batches(self, setup: int, jobs: Iterable[BatchJob]) -> Iterator[Arrays]:
        """The batches of jobs with one of the setups, in the order of the jobs.

        Raises:
            ToolkitError: a sample cannot be read or augmented; it is the error that was raised in the process.
            StorageError: a process has ended.
        """
        self._sending.join()
        if self._problem is not None:
            raise self._problem
        for worker in self._workers:  # of a caller that did not take all its batches
            while worker.asked:
                self._received(worker)
        waiting = iter(jobs)
        order: deque[_Worker] = deque()
        for _ in range(_AHEAD):
            for worker in self._workers:
                self._ask(worker, setup, waiting, order)
        while order:
            worker = order.popleft()
            slot, answer = self._received(worker)
            if isinstance(answer, Failed):
                raise answer.error()
            arrays = read_arrays(worker.files[slot], answer)
            self._ask(worker, setup, waiting, order)
            yield arrays

    def of_stage(self, setup: int) -> StageWorkers:
        """Makes batches with one of the setups."""
        return partial(self.batches, setup)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            try:
                worker.process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:  # in the middle of the user's own code
                worker.process.kill()
                worker.process.wait()
            for descriptor in worker.files:
                os.close(descriptor)
        self._workers = []

    def _ask(self, worker: _Worker, setup: int, waiting: Iterator[BatchJob], order: deque[_Worker]) -> None:
        job = next(waiting, None)
        if job is None:
            return
        taken = set(worker.asked)
        slot = next(slot for slot in range(_AHEAD) if slot not in taken)
        samples = tuple(
            SentSample(self._numbers[id(one.source)], one.image_id, one.window, one.known) for one in job.samples
        )
        with self._alive(worker):
            worker.connection.send(SentJob(setup, samples, job.seeds, job.mixing_seed, worker.files[slot]))
        worker.asked.append(slot)
        order.append(worker)

    def _received(self, worker: _Worker) -> tuple[int, Made | Failed]:
        with self._alive(worker):
            answer: Made | Failed = worker.connection.recv()
        return worker.asked.popleft(), answer

    @contextmanager
    def _alive(self, worker: _Worker) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            raise _ended(worker.process) from error

    def _send(self, what: memoryview) -> None:
        """Tell every process what it reads, which takes until they have started."""
        try:
            for worker in self._workers:
                with self._alive(worker):
                    worker.connection.send_bytes(what)
        except BaseException as error:
            self._problem = error


def _started(shared: Sequence[int]) -> _Worker:
    """A new process; without one, nothing stays open. Raises OSError."""
    with ExitStack() as opened:
        ours, theirs = socket.socketpair()
        opened.enter_context(ours)
        files = []
        with theirs:
            for _ in range(_AHEAD):
                files.append(nameless_file())
                opened.callback(os.close, files[-1])
            process = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *files, *shared),
                env=os.environ | dict.fromkeys(_ONE_THREAD, "1") | {"CUDA_VISIBLE_DEVICES": "-1"},
            )
        opened.pop_all()
    return _Worker(process, Connection(ours.detach()), tuple(files))


def _ended(process: subprocess.Popen[bytes]) -> StorageError:
    with suppress(subprocess.TimeoutExpired):
        process.wait(_SECONDS_TO_END)
    code = process.returncode
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        why = f"was killed by the signal {name}{', perhaps because memory ran out' if name == 'SIGKILL' else ''}"
    else:
        why = f"ended with exit code {code}"
    return StorageError(
        f"a process that reads images {why}",
        f"Run the command again; finished epochs are kept. {_FEWER}",
    )
