"""The sections of the page in their order. A new section is a module, its test, and a line here."""

from collections.abc import Callable

from toolkit.report.page.blocks import Section
from toolkit.report.page.sections.answer import answer
from toolkit.report.page.sections.comparison import comparison
from toolkit.report.page.sections.data_found import data_found
from toolkit.report.page.sections.ensemble_members import ensemble_members
from toolkit.report.page.sections.folds_and_classes import folds_and_classes
from toolkit.report.page.sections.gallery import gallery
from toolkit.report.page.sections.origin import origin
from toolkit.report.page.sections.searched_keys import searched_keys
from toolkit.report.page.sections.threshold import threshold
from toolkit.report.page.sections.training_curves import training_curves
from toolkit.report.page.values import PageValues

SECTIONS: dict[str, Callable[[PageValues], Section | None]] = {
    "answer": answer,
    "comparison": comparison,
    "threshold": threshold,
    "images": gallery,
    "folds": folds_and_classes,
    "ensemble": ensemble_members,
    "search": searched_keys,
    "training": training_curves,
    "data": data_found,
    "origin": origin,
}
"""From the name of a section to the function that makes it of what is known; None if it has nothing to show."""
