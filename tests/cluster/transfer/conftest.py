from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.cluster.transfer.needed_files import Sending
from toolkit.cluster.transfer.node_files import NodeFiles
from toolkit.cluster.transfer.packs import digests_of, packs
from toolkit.messages import Silent


@pytest.fixture
def send(tmp_path: Path) -> Callable[[Sending, Path], None]:
    """Lays what is sent out below a root, by way of packs and the files of a node."""

    def send(sending: Sending, root: Path) -> None:
        digests = digests_of(sending.files, Silent(), "reading")
        sources = {digests[target]: path for target, path in sending.files.items()}
        node = NodeFiles(tmp_path / "node")
        with node.holding(digests.values()):
            for pack in packs({digest: sources[digest] for digest in node.missing(digests.values())}, 5_000):
                node.store(pack)
            node.lay_out(digests, root, sending.folders)

    return send
