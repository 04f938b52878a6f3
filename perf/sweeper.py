"""What `hydra/sweeper=hpo` adds to the start of every Hydra app in the environment: CPU time of looking for plugins.

    python perf/sweeper.py [--runs 21]

Each figure is the median over fresh interpreters; with the plugin and without it alternate, so that a drifting machine hits
both alike.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

PLACE = Path(__file__).parents[1] / "sweeper"
CODE = """import sys, time
sys.path = [path for path in sys.path if path != {place!r}] + {with_it!r} * [{place!r}]
import hydra.main, hydra._internal.hydra
from hydra.core.plugins import Plugins
begin = time.process_time()
names = Plugins.instance().class_name_to_class
sys.stdout.write(str(time.process_time() - begin))
assert any("hydra_hpo_sweeper" in name for name in names) == {with_it!r}
"""


def milliseconds(*, with_it: bool) -> float:
    """CPU time in which a fresh interpreter finds Hydra's plugins."""
    code = CODE.format(place=str(PLACE), with_it=with_it)
    return 1e3 * float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=21)
    pairs = [(milliseconds(with_it=True), milliseconds(with_it=False)) for _ in range(parser.parse_args().runs)]
    here, gone = (statistics.median(column) for column in zip(*pairs, strict=True))
    added = statistics.median(one - other for one, other in pairs)
    print(f"Hydra looks for plugins in {gone:.1f} ms without the sweeper, {here:.1f} ms with it: {added:.1f} ms more")


if __name__ == "__main__":
    main()
