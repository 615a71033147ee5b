"""How long `import toolkit` and `tk --help` take: the median of several runs, in seconds."""

import statistics
import subprocess
import sys
import time

_RUNS = 11
_COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import toolkit": ("-c", "import toolkit"),
    "tk --help": ("-m", "toolkit", "--help"),
}


def seconds(arguments: tuple[str, ...]) -> float:
    """How long one run of Python takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    for title, arguments in _COMMANDS.items():
        runs = [seconds(arguments) for _ in range(_RUNS)]
        print(f"{title}: median {statistics.median(runs):.3f} s, fastest {min(runs):.3f} s, slowest {max(runs):.3f} s")
