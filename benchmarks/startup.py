"""How long `tk --help` takes: the median of several runs, in seconds."""

import statistics
import subprocess
import sys
import time


def seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "toolkit", "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    runs = [seconds() for _ in range(11)]
    print(f"tk --help: median {statistics.median(runs):.3f} s, fastest {min(runs):.3f} s, slowest {max(runs):.3f} s")
