"""The result of `tk search`, and search.json, which keeps it for the report page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from toolkit.commands.comparing.compare_result import PairedDifference
from toolkit.commands.training.trials.estimate import Estimate, Scored
from toolkit.commands.training.trials.study_file import State, Trial
from toolkit.commands.training.trials.trial_experiments import keys_of_trial, trial_name
from toolkit.config.checks.search_space import Sampler, SearchSpace
from toolkit.config.yaml.key_differences import written
from toolkit.config.yaml.yaml_files import write_yaml
from toolkit.core.metrics.metric import Direction
from toolkit.errors import counted, listing
from toolkit.files.disk.json_files import finite_or_none
from toolkit.files.experiment.folder import Experiment
from toolkit.messages import Table, interval_text, score_text
from toolkit.report.result import Result, page_line


@dataclass(frozen=True)
class SearchedTrial:
    """A trial: its experiment, how it ended and why, the value of each key, its score, and that of each fold.

    `pruned_fold` is the fold in whose training it was pruned.
    """

    number: int
    experiment: str
    state: State
    values: dict[str, Any]
    score: float | None
    folds: list[float | None]
    note: str
    pruned_fold: int | None = None


@dataclass(frozen=True)
class SearchResult(Result):
    """What `tk search` found; scores that do not exist are None.

    `winner` is the name of the best trial's experiment, `winner_keys` are its keys as YAML, and `estimate` says what it
    is worth. `importance` has the share of each key. `page` is that of the experiment; empty without one.
    """

    experiment: str
    metric: str
    direction: Direction
    space: str
    sampler: Sampler
    pruning: bool
    keys: dict[str, dict[str, Any]]
    trials: list[SearchedTrial]
    winner: str | None = None
    winner_keys: str = ""
    estimate: Estimate | None = None
    importance: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    has_test: bool = False
    page: str = ""

    def tables(self) -> list[Table]:
        """The trials, and the three scores."""
        return [self._trials_table(), *([] if self.estimate is None else [self._scores_table(self.estimate)])]

    def next_steps(self) -> list[str]:
        """What the scores mean, the keys of the best trial, and the next command."""
        if self.winner is None or self.estimate is None:
            again = f"next: tk search {self.experiment} {self.space}, with more trials or hours"
            return [*self.notes, "no trial is finished yet", *page_line(self.page), again]
        keys = [f"  {line}" for line in self.winner_keys.rstrip().splitlines()]
        return [*self.notes, f"keys of {self.winner}:", *keys, *page_line(self.page), *self._advice(self.estimate)]

    def with_page(self, page: str) -> "SearchResult":
        """The same with the page of the experiment."""
        return replace(self, page=page)

    def record(self) -> dict[str, Any]:
        """The content of search.json."""
        tree = asdict(self)
        del tree["page"], tree["has_test"]
        return tree

    def _trials_table(self) -> Table:
        best = self.winner
        rows = [
            (
                f"{one.experiment}{' *' if one.experiment == best else ''}",
                one.state,
                score_text(one.score, missing=""),
                *(written(one.values[key]) if key in one.values else "" for key in self.keys),
                one.note,
            )
            for one in self.trials
        ]
        columns = ("trial", "state", self.metric, *self.keys, "why")
        return Table(f"{self.experiment}: trials" + (", * the best" if best else ""), columns, rows)

    def _scores_table(self, found: Estimate) -> Table:
        nested = "each fold by the trial that is best on the others"
        if found.chosen:
            nested += f" ({', '.join(map(str, found.chosen))})"
        rows = [
            (self.experiment, score_text(found.itself), "", "", "as it is"),
            (
                "best trial, optimistic",
                score_text(found.optimistic),
                "",
                _gain(found.optimistic_gain),
                f"{self.winner}, on the images that chose it",
            ),
            (
                "nested, honest",
                score_text(found.nested),
                interval_text(*found.interval),
                _gain(found.nested_gain),
                nested,
            ),
        ]
        if found.holdout is not None:
            rows.append((found.holdout.title(2), score_text(found.holdout.score), "", "", f"{self.winner}"))
        columns = ("", self.metric, "95 % interval", f"gain over {self.experiment}", "")
        return Table(f"{self.experiment}: what the search found", columns, rows)

    def _advice(self, found: Estimate) -> list[str]:
        gain = found.nested_gain
        winner = f"tk fit {self.winner}, which predicts the test images" if self.has_test else f"tk tune {self.winner}"
        if gain is None or gain.verdict == "better":
            return [f"next: {winner}"]
        verdict = "is worse" if gain.verdict == "worse" else "cannot be told from chance"
        shown = f"the nested gain over {self.experiment} {verdict}: no other values were shown to be better"
        return [shown, f"to use the best trial all the same: {winner}", f"next: tk tune {self.experiment}"]


def _gain(found: PairedDifference | None) -> str:
    if found is None or found.mean is None:
        return ""
    return f"{score_text(found.mean, signed=True)} ({interval_text(found.low, found.high)}), {found.verdict}"


def result_of(
    experiment: Experiment,
    search_space: SearchSpace,
    trials: Sequence[Trial],
    scored: Scored,
    found: Estimate | None,
    *,
    metric: str,
    direction: Direction,
    importance: Mapping[str, float],
    has_test: bool,
) -> SearchResult:
    """The result of a search.

    Args:
        experiment: that was searched.
        search_space: what was tried.
        trials: all trials.
        scored: those that could be chosen, with the scores of their folds.
        found: what the choice is worth; None while no trial is finished.
        metric: the label of the primary metric.
        direction: whether more or less of it is better.
        importance: the share of each key.
        has_test: whether there are test images.
    """
    space = search_space.space
    of_folds = dict(zip(scored.numbers, scored.folds.tolist(), strict=True))
    shown = [_shown(experiment, trial, of_folds.get(trial.number, [])) for trial in trials]
    winner = None if found is None else trial_name(experiment, found.winner)
    keys = {} if found is None else keys_of_trial(experiment, search_space, trials[found.winner])
    return SearchResult(
        experiment.name,
        metric,
        direction,
        str(search_space.source),
        space.sampler,
        space.pruning,
        {key: axis.model_dump(exclude_unset=True) for key, axis in space.keys.items()},
        shown,
        winner,
        write_yaml(keys) if keys else "",
        found,
        dict(importance),
        _notes(search_space, shown, scored, found),
        has_test,
    )


def _shown(experiment: Experiment, trial: Trial, folds: Sequence[float]) -> SearchedTrial:
    pruned = max(trial.curve).fold if trial.state == "pruned" and trial.curve else None
    return SearchedTrial(
        trial.number,
        trial_name(experiment, trial.number),
        trial.state,
        dict(trial.values),
        trial.score,
        [finite_or_none(score) for score in folds],
        trial.note,
        pruned,
    )


def _notes(
    search_space: SearchSpace, trials: Sequence[SearchedTrial], scored: Scored, found: Estimate | None
) -> list[str]:
    """What is unfinished or missing, and what the nested score cannot exclude."""
    notes = list(() if found is None else found.notes)
    running = [one.experiment for one in trials if one.state == "running"]
    if running:
        notes.append(
            f"not finished: {listing(running)}; unless another process is training this, the same command goes on"
        )
    if scored.missing:
        names = listing(one.experiment for one in trials if one.number in scored.missing)
        notes.append(f"these are finished, but their scores are no longer there, so they cannot be chosen: {names}")
    if found is None or not found.chosen:
        return notes
    pruned = Counter(one.pruned_fold for one in trials if one.pruned_fold is not None)
    if pruned:
        by_fold = ", ".join(f"fold {fold}: {count}" for fold, count in sorted(pruned.items()))
        notes.append(
            f"{counted(sum(pruned.values()), 'trial')} ended early by validation scores ({by_fold}): the images of "
            "these folds had a say in which trials could be chosen at all, so nested may still be somewhat too good; "
            "pruning: false avoids this"
        )
    if search_space.space.sampler == "tpe":
        notes.append(
            "the sampler tpe proposes trials by the scores of all folds, so nested may still be somewhat too good; "
            "sampler: random, or a hold-out (testSplit), avoids this"
        )
    if score_text(found.optimism) != score_text(0):
        notes.append(
            f"all three scores also profit from the choice of epochs: {score_text(found.optimism)} of the score of the "
            "best trial; tk tune takes this off"
        )
    return notes
