import subprocess
import sys

import pytest

import toolkit


def test_importing_the_package_imports_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import toolkit\n"
        "ours = {name for name in set(sys.modules) - before if name.startswith('toolkit')}\n"
        "assert ours == {'toolkit'}, ours\n"
        "assert not {'numpy', 'pydantic', 'pandas', 'cv2'} & set(sys.modules)\n"
        "from toolkit import Experiment, ToolkitError\n"
        "assert not {'tensorflow', 'tf_keras', 'albumentations', 'matplotlib'} & set(sys.modules)\n"
        "assert issubclass(ToolkitError, Exception) and Experiment.__name__ == 'Experiment'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_only_what_is_public_is_there() -> None:
    assert dir(toolkit) == ["Experiment", "ToolkitError"]
    with pytest.raises(AttributeError, match="no attribute 'experiments'"):
        _ = toolkit.experiments
