"""Also of toolkit/learning/reading/worker.py."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.errors import ConfigError, StorageError
from toolkit.files.data.given_dataset import GivenDataset
from toolkit.files.experiment.workspace import Workspace
from toolkit.files.images.decoding import UnreadableImageError
from toolkit.learning.reading import worker, workers
from toolkit.learning.reading.training_samples import BatchJob
from toolkit.messages import Silent

pytestmark = pytest.mark.train

AUGMENTATION = "augmentation={HorizontalFlip: 0.5, RandomBrightnessContrast: 0.5}"
WAYS = {
    "whole": ("cache=off", "mixing={cutmix: {p: 0.5}}"),
    "kept": ("cache=memory",),
    "on disk": ("cache=disk", "mixing={mixup: {p: 0.5}}"),
    "windows": ("cache=memory", "patches={per_image: 2}", "shape=[16,16,3]"),
    "crops": ("cache=off", "crops=2", "transforms={CLAHE: {clip_limit: [2, 2]}}"),
}
PLUGINS = """\
import sys
import numpy as np

def turned(image, labels, generator):
    assert "tensorflow" not in sys.modules or "toolkit.learning.training.plan" in sys.modules
    return (image[::-1], labels[::-1]) if generator.random() < 0.5 else (image, labels)

def broken(image, labels, generator):
    if "toolkit.learning.training.plan" not in sys.modules:  # in a process that only reads
        raise ValueError("no luck")
    return image, labels
"""


def batches(data: Any, epoch: int = 0, start: int = 0) -> Iterator[list[bytes]]:
    """The batches of an epoch from one of them on."""
    from toolkit.learning.training.epoch_data import Run  # noqa: PLC0415

    stage, run = data.plan.stages[0], Run(0, 0, 0)
    drawn, draw = data.draw(stage, run, epoch), run.draw(stage, epoch)
    for parts in islice(data.batches(stage, drawn.samples, drawn.batches(3, *draw), draw), start, None):
        yield [part.numpy().tobytes() for part in parts]


@pytest.fixture
def with_workers() -> Iterator[Callable[[Any, int], Any]]:
    with ExitStack() as stack:
        yield lambda lesson, count: stack.enter_context(lesson.data.read_by_processes(count, Silent()))


@pytest.mark.parametrize("way", WAYS)
def test_batches_are_the_same_for_any_number_of_workers(
    way: str, lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any]
) -> None:
    found = lesson(AUGMENTATION, *WAYS[way])
    expected = [list(batches(found.data, epoch)) for epoch in range(2)]
    assert len(expected[0]) > 3
    assert expected[0] != expected[1]
    for count in (1, 3):
        data = with_workers(found, count)
        assert [list(batches(data, epoch)) for epoch in range(2)] == expected
        assert list(batches(data, 1, start=2)) == expected[1][2:]  # as a run that is resumed


def test_batches_that_nobody_took_are_forgotten(
    lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any]
) -> None:
    found = lesson(AUGMENTATION)
    data = with_workers(found, 2)
    next(batches(data, 0))
    assert list(batches(data, 1)) == list(batches(found.data, 1))


def test_functions_of_the_user_work_in_processes(
    lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any], tiny_competition: Workspace
) -> None:
    folder = tiny_competition.find("plain").folder
    (folder / "plugins.py").write_text(PLUGINS)
    found = lesson("augmentation={turned: 1.0}")
    assert list(batches(with_workers(found, 1))) == list(batches(found.data))


def test_an_error_of_the_user_comes_as_it_is(
    lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any], tiny_competition: Workspace
) -> None:
    (tiny_competition.find("plain").folder / "plugins.py").write_text(PLUGINS)
    data = with_workers(lesson("augmentation={broken: 1.0}"), 1)
    with pytest.raises(ConfigError, match=r"broken failed: .*plugins.py:\d+: ValueError: no luck"):
        list(batches(data))


def test_an_image_that_cannot_be_read_is_named(
    lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any], tiny_competition: Workspace
) -> None:
    data = with_workers(lesson("cache=off"), 2)
    for path in (tiny_competition.root / "data" / "train" / "images").iterdir():
        path.write_bytes(b"damaged")
    with pytest.raises(UnreadableImageError, match=r"\d+\.png is not an image") as caught:
        list(batches(data))
    assert "Repair or remove this file" in caught.value.advice


def test_a_killed_process_is_one_clear_error(
    lesson: Callable[..., Any], with_workers: Callable[[Any, int], Any]
) -> None:
    data = with_workers(lesson(), 2)
    list(batches(data))
    os.kill(data.workers.pids[0], signal.SIGKILL)
    with pytest.raises(StorageError, match="killed by the signal SIGKILL") as caught:
        list(batches(data))
    assert "--set workers=" in caught.value.advice


def test_a_dataset_in_memory_is_read_by_threads(lesson: Callable[..., Any], tiny_competition: Workspace) -> None:
    class Told(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def warn(self, message: str) -> None:
            self.lines.append(message)

    told = Told()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    given = Workspace(tiny_competition.root, GivenDataset((pixels, pixels[..., 0] > 99)))
    found = lesson("primary_metric=dice", workspace=given)
    with found.data.read_by_processes(2, told) as data:
        assert data.workers is None
        assert list(batches(data)) == list(batches(found.data))
    assert told.lines == ["workers: threads read the images, not processes: the arrays is an object of this process"]


class Setup:
    """Stands for a setup whose work reads an empty file with the first job, and nothing with the second."""

    def __init__(self) -> None:
        self.errors = [EOFError("No data left in file"), ConnectionResetError("no server")]

    def batch(self, job: BatchJob) -> tuple[()]:
        if self.errors:
            raise self.errors.pop(0)
        return ()


def test_an_error_of_the_work_that_looks_like_one_of_the_connection_is_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker.signal, "signal", lambda *_: None)
    monkeypatch.setattr(worker.cv2, "setNumThreads", lambda _: None)
    ours, theirs = Pipe()
    ours.send(((Setup(),), ()))
    for _ in range(3):
        ours.send(worker.SentJob(0, (), (), 0, 0))
    with socket.socket(fileno=os.dup(ours.fileno())) as end:
        end.shutdown(socket.SHUT_WR)
    worker.serve(theirs)
    theirs.close()
    answers = []
    with ours, suppress(EOFError):
        while True:
            answers.append(ours.recv())
    failed, lost, made = answers
    assert failed.message == "EOFError: No data left in file"
    assert lost.message == "ConnectionResetError: no server"
    assert made == worker.Made(())
    error = failed.error()
    assert type(error) is RuntimeError
    assert "in batch" in error.__notes__[0]


def test_without_enough_processes_none_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = subprocess.Popen, []

    def limited(command: list[str], **options: Any) -> Any:
        if len(started) == 2:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started.append(start(command, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", limited)
    opened = []
    nameless = workers.nameless_file
    monkeypatch.setattr(workers, "nameless_file", lambda: opened.append(nameless()) or opened[-1])
    with pytest.raises(StorageError, match="cannot start process 3 of 4 that read images: Resource") as caught:
        workers.Workers(4, (), (), ())
    assert "--set workers=" in caught.value.advice
    assert [process.poll() is not None for process in started] == [True, True]
    for descriptor in opened:
        with pytest.raises(OSError, match="descriptor"):
            os.fstat(descriptor)


PROGRAM = """\
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it runs in the background
from toolkit.files.datasets.training_pool import Sample
from toolkit.learning.reading.workers import Workers

workers = Workers(2, (), (), ())
print(*workers.pids, flush=True)
{then}
"""


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks at processes in /proc")
@pytest.mark.parametrize(
    ("then", "end"),
    [
        ("time.sleep(60)", signal.SIGINT),
        ("time.sleep(60)", signal.SIGKILL),
        ("time.sleep(60)", signal.SIGTERM),
        ("raise RuntimeError", None),
        ("import os; os._exit(3)", None),
    ],
)
def test_no_process_and_no_memory_outlives_the_program(then: str, end: signal.Signals | None, tmp_path: Path) -> None:
    shared = set(os.listdir("/dev/shm")) if Path("/dev/shm").is_dir() else set()  # noqa: PTH208
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM).format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert program.stdout is not None
    pids = [int(word) for word in program.stdout.readline().split()]
    assert len(pids) == 2
    if end is not None:
        assert all(map(is_alive, pids))
        program.send_signal(end)
    program.wait(60)
    program.stdout.close()
    until = time.monotonic() + 60
    while any(map(is_alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_alive, pids))
    if shared:
        assert not {name for name in set(os.listdir("/dev/shm")) - shared if "toolkit" in name}  # noqa: PTH208


def test_processes_that_read_do_not_import_tensorflow() -> None:
    code = "import sys; import toolkit.learning.reading.worker; print('tensorflow' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    assert found.stdout == "False\n"
