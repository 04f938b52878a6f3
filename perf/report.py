"""What a report costs: seconds to write it, its size, and milliseconds until a headless Chromium has drawn all of it.

python -m perf.report

Chromium and its driver are installed with apt-get where they are missing. The first opening has a cold cache and a new
profile; the median is over five more.
"""

import statistics
import tempfile
import time
from pathlib import Path

import hpo
from hpo.figures import save_all
from hpo.reports import write_report
from tests.support.browser import browser, install

METHODS = ("RS", "ASHA", "ASHA-STOP", "HYPERBAND")
OPENINGS = 5


def large(folder: Path) -> Path:
    """An experiment of 1,000 trials."""
    limits = {"n_workers": 8, "max_num_trials": 1000, "max_wallclock_time": 1e9}
    config = hpo.load_config("nasbench201_cifar100", "ASHA", random_seed=1, **limits)
    return hpo.run_experiment(config, folder / "large").directory


def tag(folder: Path) -> Path:
    """4 methods x 10 seeds."""
    for method in METHODS:
        for seed in range(10):
            config = hpo.load_config("nasbench201_cifar100", method, seed=seed, random_seed=1)
            hpo.run_experiment(config, folder / "tag" / method / f"seed_{seed}")
    return folder / "tag"


def main() -> None:
    """Measure both."""
    if reason := install():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, place in (("1,000 trials", large(folder)), ("4 methods x 10 seeds", tag(folder))):
            begin = time.perf_counter()
            page = write_report(place)
            written = time.perf_counter() - begin
            with browser(Path(tempfile.mkdtemp(dir=folder))) as window:
                first = window.open(page)
                later = statistics.median(window.open(page) for _ in range(OPENINGS))
                state = "NOT silent" if window.messages() else "silent"
            begin = time.perf_counter()
            count = len(save_all(place, folder / "figures"))
            drawn = time.perf_counter() - begin
            print(
                f"{what}: written in {written:.2f} s, {page.stat().st_size / 1e6:.2f} MB, ready after {first:.0f} ms the "
                f"first time, then {later:.0f} ms, console {state}; {count} PDFs in {drawn:.1f} s"
            )


if __name__ == "__main__":
    main()
