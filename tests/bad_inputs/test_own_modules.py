"""Own modules that end the program, close its output or change how it works; and verbs that never run them."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.bad_inputs.conftest import DOCUMENTED
from tests.small_competition import CONFIG, finish, run, write_labels
from toolkit.errors import ConfigError
from toolkit.files.code.plugin_loading import load_plugins

# What plugins.py does when it is imported, and words of the message.
BODIES = [
    ("raise SystemExit(3)", "SystemExit"),
    ("import sys; sys.exit()", "SystemExit"),
    ("exit()", "SystemExit"),
    ("raise GeneratorExit", "GeneratorExit"),
    ("class Stop(KeyboardInterrupt): pass\nraise Stop('enough')", "Stop: enough"),
    ("class Stop(BaseException): pass\nraise Stop('enough')", "Stop: enough"),
    ("raise BaseException('bare')", "BaseException: bare"),
    ("raise ValueError('wrong')", "ValueError: wrong"),
    ("raise MemoryError", "MemoryError"),
    ("def f(): f()\nf()", "RecursionError"),
    ("import nowhere", "nowhere"),
    ("from toolkit import nowhere", "nowhere"),
    ("def f(:", "plugins.py:1"),
    ("\0", "plugins.py"),
    ("é = 'a' 3", "plugins.py:1"),
    ("import sys; sys.stdout.close()", "closes sys.stdout"),
    ("import sys; sys.stderr.close()", "closes sys.stderr"),
]


@pytest.mark.parametrize(("body", "words"), BODIES)
def test_code_that_ends_the_program_is_named(body: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = Path("experiments/new/plugins.py")
    path.write_text(body)
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = open("out", "w"), open("err", "w")  # noqa: SIM115, PTH123
    try:
        with pytest.raises(ConfigError) as caught:
            load_plugins(path)
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.close()
        sys.stdout, sys.stderr = kept
    assert words in str(caught.value)
    assert "plugins.py" in str(caught.value)


def test_code_that_switches_to_version_1_of_tensorflow_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    v1 = SimpleNamespace(executing_eagerly_outside_functions=lambda: False)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(compat=SimpleNamespace(v1=v1)))
    path = Path("experiments/new/plugins.py")
    path.write_text("x = 1")
    with pytest.raises(ConfigError, match=r"plugins.py switches TensorFlow to the behaviour of version 1"):
        load_plugins(path)


def test_ctrl_c_in_own_code_stays_ctrl_c() -> None:
    path = Path("experiments/new/plugins.py")
    path.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_plugins(path)


RAN = "from pathlib import Path\nPath({!r}).write_text('ran')\n"
DEFINITIONS = """
def my_loss(target, prediction): return 0
def my_network(shape, classes): return 0
def my_transform(image, labels, generator): return image
class MyCallback: pass
"""
SILENT = [
    *("ls", "ls --verbose", "compare c b", "compare c b --sort-by all", "lb", "lb c.csv 0.7"),
    *("submit c --threshold 0.4", "submit c", "config show c", "config diff c b", "clean c", "check submissions/c.csv"),
]


@pytest.mark.parametrize("command", SILENT)
def test_verbs_that_never_run_own_code(command: str) -> None:
    """Not even if the experiment has a loss, a network, transforms and callbacks of its own."""
    ran = Path("ran").absolute()
    finish("c", loss="my_loss", architecture="my_network", augmentation={"my_transform": None}, callbacks="MyCallback")
    assert run("tune", "c")[0] == 0
    assert run("submit", "c")[0] == 0
    Path("experiments/c/plugins.py").write_text(RAN.format(str(ran)) + DEFINITIONS)
    code, _, err = run(*command.split())
    assert code == 0 or code in DOCUMENTED, err
    assert not ran.exists()


SECRETS = [
    "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\n",
    "token = hunter2\n",
    "hunter2",
    "- hunter2\n",
    "hunter2: hunter2\n",
    "a: *hunter2",
    "a: !hunter2 b",
    "hunter2: 1\nhunter2: 2",
    "{hunter2",
]


@pytest.mark.parametrize("content", SECRETS)
def test_a_file_that_is_no_configuration_is_not_quoted(content: str) -> None:
    secret = Path("secret")
    secret.write_text(content)
    Path("experiments/new/config.yaml").write_text(f"{CONFIG}extends: ../../secret\n")
    for command in ("config show new", "fit new", "new x --extends new"):
        code, out, err = run(*command.split())
        assert code in DOCUMENTED
        assert "secret" in err
        for word in ("hunter2", "root:", "daemon", "/bin/sh"):
            assert word not in out + err


def test_own_code_that_ends_the_program_while_a_verb_runs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object, **__: object) -> None:
        sys.exit(0)

    monkeypatch.setattr("toolkit.commands.tuning.tune.prepare", leave)
    write_labels()
    code, _, err = run("tune", "a")
    assert code == ConfigError.exit_code
    assert "own code tried to end the program" in err
    assert "test_own_modules.py" in err
