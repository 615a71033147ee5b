"""Image-segmentation competitions from one YAML file; from Python: `from toolkit import Experiment`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.api.batches import EvaluatedBatch, PredictedMap
    from toolkit.api.clusters import ray_cluster
    from toolkit.api.experiment import Experiment
    from toolkit.api.outside import bundle, export, submit_images
    from toolkit.api.verbs import (
        check,
        clean,
        compare,
        config_schema,
        config_show,
        data,
        demo,
        ensemble,
        evaluate,
        import_config,
        init,
        lb,
        lr_find,
        ls,
        new,
        pages,
        plan,
        preview,
        pseudo,
        score,
        search,
        simulate,
        status,
        write_report,
    )
    from toolkit.config.metrics import parse_metric
    from toolkit.config.training.losses import parse_loss
    from toolkit.console import progress_on_screen
    from toolkit.core.images.views import parse_views
    from toolkit.core.masks.rle import decode, encode
    from toolkit.core.metrics.registry import build_metric
    from toolkit.core.metrics.scorer import Scorer
    from toolkit.core.recipe.postprocess import masks_of
    from toolkit.core.recipe.probabilities import quantise
    from toolkit.core.recipe.recipe import ClassRecipe, Recipe
    from toolkit.core.simulated.ccd import CCD_CLASSES, simulate_ccd
    from toolkit.core.simulated.salt import simulate_salt
    from toolkit.core.simulated.shapes import simulate_shapes
    from toolkit.errors import ToolkitError
    from toolkit.learning.losses.registry import build_loss
    from toolkit.learning.networks.outputs import Outputs

_MODULES = {
    "toolkit.api.batches": ("EvaluatedBatch", "PredictedMap"),
    "toolkit.api.clusters": ("ray_cluster",),
    "toolkit.api.experiment": ("Experiment",),
    "toolkit.api.outside": ("bundle", "export", "submit_images"),
    "toolkit.api.verbs": (
        "check",
        "clean",
        "compare",
        "config_schema",
        "config_show",
        "data",
        "demo",
        "ensemble",
        "evaluate",
        "import_config",
        "init",
        "lb",
        "lr_find",
        "ls",
        "new",
        "pages",
        "plan",
        "preview",
        "pseudo",
        "score",
        "search",
        "simulate",
        "status",
        "write_report",
    ),
    "toolkit.config.metrics": ("parse_metric",),
    "toolkit.config.training.losses": ("parse_loss",),
    "toolkit.console": ("progress_on_screen",),
    "toolkit.core.images.views": ("parse_views",),
    "toolkit.core.masks.rle": ("decode", "encode"),
    "toolkit.core.metrics.registry": ("build_metric",),
    "toolkit.core.metrics.scorer": ("Scorer",),
    "toolkit.core.recipe.postprocess": ("masks_of",),
    "toolkit.core.recipe.probabilities": ("quantise",),
    "toolkit.core.recipe.recipe": ("ClassRecipe", "Recipe"),
    "toolkit.core.simulated.ccd": ("CCD_CLASSES", "simulate_ccd"),
    "toolkit.core.simulated.salt": ("simulate_salt",),
    "toolkit.core.simulated.shapes": ("simulate_shapes",),
    "toolkit.errors": ("ToolkitError",),
    "toolkit.learning.losses.registry": ("build_loss",),
    "toolkit.learning.networks.outputs": ("Outputs",),
}
"""The public names by the module that defines them."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "CCD_CLASSES",
    "ClassRecipe",
    "EvaluatedBatch",
    "Experiment",
    "Outputs",
    "PredictedMap",
    "Recipe",
    "Scorer",
    "ToolkitError",
    "build_loss",
    "build_metric",
    "bundle",
    "check",
    "clean",
    "compare",
    "config_schema",
    "config_show",
    "data",
    "decode",
    "demo",
    "encode",
    "ensemble",
    "evaluate",
    "export",
    "import_config",
    "init",
    "lb",
    "lr_find",
    "ls",
    "masks_of",
    "new",
    "pages",
    "parse_loss",
    "parse_metric",
    "parse_views",
    "plan",
    "preview",
    "progress_on_screen",
    "pseudo",
    "quantise",
    "ray_cluster",
    "score",
    "search",
    "simulate",
    "simulate_ccd",
    "simulate_salt",
    "simulate_shapes",
    "status",
    "submit_images",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing the package alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
