from concurrent.futures import ThreadPoolExecutor

from toolkit.files.inspection.memory_budget import MemoryBudget


def test_threads_together_stay_within_the_budget_and_larger_work_runs_alone() -> None:
    budget, running, totals = MemoryBudget(10), [], []

    def work(amount: int) -> None:
        with budget.reserve(amount):
            running.append(min(amount, 10))
            totals.append(sum(running))
            running.remove(min(amount, 10))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [1, 4, 99, 6, 10, 3, 3, 3, 50] * 30))
    assert len(totals) == 270
    assert max(totals) <= 10
