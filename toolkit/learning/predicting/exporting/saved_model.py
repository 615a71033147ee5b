"""SavedModel, the format of TensorFlow itself."""

from pathlib import Path
from typing import Any

from toolkit.files.disk.changes import make_folder
from toolkit.files.disk.json_files import write_json
from toolkit.learning.engines.engine import MeanOverViews
from toolkit.learning.predicting.exporting.exported_graph import PRESENCE, PROBABILITIES, ExportedGraph
from toolkit.learning.runtime import tf

DESCRIPTION = Path("assets.extra") / "export.json"
"""Where a SavedModel keeps files that are not part of its graph."""


def write(graph: ExportedGraph, path: Path, description: dict[str, Any], *, half: bool) -> None:
    """See `Converter`; there is no SavedModel with half precision."""
    function = graph.function(None)
    tf.saved_model.save(graph.owner, str(path), signatures={"serving_default": function})
    make_folder((path / DESCRIPTION).parent)
    write_json(path / DESCRIPTION, description)


def opened(path: Path) -> MeanOverViews:
    """See `Converter`."""
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]

    def run(images: Any) -> Any:
        found = function(images=tf.convert_to_tensor(images))
        presence = found.get(PRESENCE)
        return found[PROBABILITIES].numpy(), None if presence is None else presence.numpy()

    run.loaded = loaded  # type: ignore[attr-defined] # the variables live as long as this
    return run
