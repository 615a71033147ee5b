"""What tk simulate costs: milliseconds of processor time to draw an image, and to draw and write it."""

import tempfile
import time
from pathlib import Path

from toolkit.files.simulated import KINDS, Simulation, write_simulation
from toolkit.messages import Silent

COUNT = 100


def main() -> None:
    print(f"{'kind':8}{'size':>10}{'drawn':>10}{'written':>10}")
    for name, kind in KINDS.items():
        height, width = kind.size
        start = time.process_time()
        for index in range(COUNT):
            kind.draw(index, seed=0, size=kind.size)
        drawn = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            write_simulation(Path(folder) / name, Simulation(name, 0, COUNT, COUNT // 4, kind.size), Silent())
        written = time.process_time()
        times = (1000 * (drawn - start) / COUNT, 1000 * (written - drawn) / (COUNT + COUNT // 4))
        print(f"{name:8}{f'{height}×{width}':>10}{times[0]:7.1f} ms{times[1]:7.1f} ms")


if __name__ == "__main__":
    main()
