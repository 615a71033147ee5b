"""Test predictions in passes over all images, piece by piece, until a time is over; no piece is lost."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from toolkit.commands.ensembling.blending import Ensemble, blend
from toolkit.commands.ensembling.drops import folder_of, weighted_members
from toolkit.core.images.views import parse_views, views_name
from toolkit.errors import NotReadyError
from toolkit.files.data.finding import find_test_images
from toolkit.files.data.sources import Images
from toolkit.files.experiment.members import Member, members_of
from toolkit.messages import Progress, Silent, duration_text

if TYPE_CHECKING:  # they import TensorFlow
    from toolkit.learning.predicting.fitted_experiment import FittedExperiment
    from toolkit.learning.predicting.shards import Shard

Clock = Callable[[], float]

_PIXELS_OF_PIECE = 1 << 25
"""Pixels that networks compute for one piece, counted for each weight file and view: 2048 images of 128×128 pixels.

Two cores take about half a minute for them, so that loading all weights again for each piece hardly counts.
"""


class Budget:
    """Seconds that are spent while a clock runs."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        """The time begins now."""
        self.now, self._end = clock, clock() + seconds

    def left(self) -> float:
        """Seconds that are left; negative afterwards."""
        return self._end - self.now()

    def keep_back(self, seconds: float) -> None:
        """Leave so many seconds for what follows."""
        self._end -= seconds


@dataclass(frozen=True, eq=False)
class Piece:
    """Some images of a pass: how many there are, and what predicts and keeps them."""

    images: int
    make: Callable[[], object]


def run_pieces(title: str, pieces: Sequence[Piece], budget: Budget, progress: Progress, *, is_first: bool) -> bool:
    """Make pieces one after the other; returns whether all were made before the time was over.

    The speed is that of the pieces before; the first one, which also compiles, does not count. A piece that would not
    end in time is not begun. A pass that would not end in time is stopped at once, and its pieces are kept. The first
    pass, without which there is no submission, goes on, after a warning.

    Args:
        title: of the pass.
        pieces: of all images that are not predicted yet.
        budget: the time.
        progress: shows the work.
        is_first: whether nothing is complete before this pass.
    """
    total = sum(piece.images for piece in pieces)
    done, counted, spent, warned = 0, 0, 0.0, False
    with progress.task(title, total) as task:
        for number, piece in enumerate(pieces):
            each = spent / counted if counted else 0.0
            left, needed = budget.left(), each * (total - done)
            if left <= 0 or each * piece.images > left:
                return False
            if needed > left:
                told = f"{title}: takes another {duration_text(needed)}, and {duration_text(left)} are left"
                if not is_first:
                    progress.say(f"{told}; stopped, and what it has predicted is kept")
                    return False
                if not warned:
                    progress.warn(f"{told}: most likely there will be no submission, but what is predicted is kept")
                warned = True
            began = budget.now()
            piece.make()
            if number:
                spent, counted = spent + budget.now() - began, counted + piece.images
            done += piece.images
            task.advance(piece.images)
    return True


def predict_in_time(member: Member, views: str, budget: Budget, progress: Progress, *, is_first: bool) -> bool:
    """Predict all test images with a member, of which stores and pieces that exist are kept.

    Args:
        member: an experiment, a part of one, or an ensemble, whose own members then predict.
        views: a set of views.
        budget: the time.
        progress: shows the work.
        is_first: see `run_pieces`.

    Returns:
        Whether the store of all images is there.

    Raises:
        NotReadyError: there are no test images.
        ToolkitError: an image cannot be read, or the networks cannot be used.
    """
    if member.is_ensemble:
        inner, _, own = weighted_members(member.experiment)
        used = views if own == "none" else own
        if not all(predict_in_time(one, used, budget, progress, is_first=is_first) for one in inner):
            return False
        join_members(member, used, progress)
        return True
    from toolkit.learning.predicting.fitted_experiment import find_fitted_experiment
    from toolkit.learning.predicting.oof_and_test import predict_test

    fitted, _ = find_fitted_experiment(member, progress)
    images = find_test_images(fitted.config.data, fitted.config.shape[2])
    if images is None:
        raise NotReadyError(
            f"{member.experiment.name} has no test images: data.test is not set",
            f"Add data.test to {member.experiment.config} and run: tk fit {member.experiment.name}",
        )
    title = f"{member.name}: test images" + ("" if views == "none" else f" with {views}")
    with _pieces(member, fitted, images, views, progress) as pieces:
        if not run_pieces(title, pieces, budget, progress, is_first=is_first):
            return False
        predict_test(fitted, images, views, progress)  # joins the pieces
    return True


def join_members(member: Member, views: str, progress: Progress) -> None:
    """Average the test predictions that the members of an ensemble have with these views."""
    inner, config = members_of(member.experiment)
    folders = [
        folder_of(one, "test", views) if weight else one.predictions("test")
        for one, weight in zip(inner, config.weights, strict=True)
    ]
    into = "none" if views == config.views else views
    with member.experiment.locked():
        ensemble = Ensemble(member.experiment, inner, config)
        blend(ensemble, folders, split="test", views=views, into=into, progress=progress)


@contextmanager
def _pieces(
    member: Member, fitted: "FittedExperiment", images: Images, views: str, progress: Progress
) -> Iterator[list[Piece]]:
    """The pieces of a pass that are missing; the experiment is locked while the block runs."""
    from toolkit.learning.predicting.oof_and_test import choose_engine
    from toolkit.learning.predicting.shard_plan import shards_to_make
    from toolkit.learning.predicting.shards import engine_of_shards, make_shard, new_networks, series_of

    name = views_name(parse_views(views))
    with member.experiment.locked():
        if not fitted.missing("test", [name]):
            yield []
            return
        series, networks = series_of(fitted, "test", images.ids), cache(partial(new_networks, fitted, [name]))
        engine = engine_of_shards(series, [name]) or choose_engine(fitted, series, images, networks, progress)
        shards = shards_to_make(series, [name], engine, images, _PIXELS_OF_PIECE)

        def make(shard: "Shard") -> None:
            make_shard(shard, [name], engine, images, Silent(), networks=networks())

        yield [Piece(shard.count, partial(make, shard)) for shard in shards]
