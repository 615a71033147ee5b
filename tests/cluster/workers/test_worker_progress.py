from toolkit.cluster.workers.worker_progress import Line, WorkerProgress


def test_only_the_outermost_task_with_the_steps_of_the_unit_counts() -> None:
    events: list[str] = []
    progress = WorkerProgress(3, [], lambda: events.append("advancing"), lambda: events.append("whole"))
    with progress.task("checking images", 20) as checking:
        checking.advance(20)
    assert (progress.done, progress.began) == (0, None)
    with progress.task("epochs", 3) as epochs:
        epochs.advance()
        with progress.task("images of an epoch", 3) as images:
            images.advance(2, "loss 0.5")
            assert progress.doing == "images of an epoch: 2/3 · loss 0.5"
        epochs.advance(2)
    assert progress.done == 3
    assert progress.began is not None
    assert events == ["advancing", "advancing", "whole", "advancing", "advancing", "whole"]
    assert progress.skipped == 1


def test_lines_are_told_once_and_stay_in_the_log() -> None:
    log: list[str] = []
    progress = WorkerProgress(1, log, lambda: None, lambda: None)
    progress.say("one")
    progress.warn("two")
    assert progress.new_lines() == [Line("one"), Line("two", True)]
    assert progress.new_lines() == []
    progress.say("three")
    assert progress.new_lines() == [Line("three")]
    assert [line.split(" ", 2)[2] for line in log] == ["one", "warning: two", "three"]


def test_what_an_earlier_attempt_has_done_is_not_counted_for_the_time_left() -> None:
    progress = WorkerProgress(10, [], lambda: None, lambda: None)
    with progress.task("epochs", 10) as epochs:
        epochs.advance(4)
        assert (progress.done, progress.skipped) == (4, 4)
        epochs.advance()
        assert (progress.done, progress.skipped) == (5, 4)
