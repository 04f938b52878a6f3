"""Draw rungs.svg, workers.svg and front.svg: figures of hpo, of experiments that are simulated, and therefore always the same.

python docs/images/make_figures.py
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl

import hpo
from hpo.analysis import figures
from hpo.figures.matplotlib_drawing import styled

HERE = Path(__file__).parent
DARK = "<style>@media (prefers-color-scheme: dark) {svg {filter: invert(1) hue-rotate(180deg)}}</style>"
"""Colours for dark pages: lightness turned, hues kept."""
SINGLE = {"backend": {"name": "simulated"}, "max_num_trials": 30, "n_workers": 4, "experiment_tag": "pictures"}
SEVERAL = {"max_num_trials": 40, "experiment_tag": "pictures"}


def small(picture: str) -> str:
    """Return matplotlib's SVG with coordinates of two decimals, and colours for dark pages."""
    lines = picture.replace("<defs>", f"{DARK}\n <defs>", 1).splitlines()
    return "\n".join(
        (line if "<text" in line else re.sub(r"(\d+\.\d\d)\d+", r"\1", line)).rstrip() for line in lines
    ) + "\n"


def simulate(folder: Path, benchmark: str, method: str, limits: dict[str, Any]) -> hpo.Experiment:
    """Run one simulated experiment."""
    config = hpo.load_config(benchmark, method, seed=0, random_seed=1, **limits)
    return hpo.load_experiment(hpo.run_experiment(config, folder / benchmark, show=False).directory)


def draw(folder: Path) -> dict[str, str]:
    """Return the text of each picture by its file name."""
    single = simulate(folder, "mlp_digits_grid", "ASHA", SINGLE)
    several = simulate(folder, "nasbench201_cifar100_objectives", "MO-ASHA", SEVERAL)
    found = {}
    with styled():
        for name, drawn in (
            ("rungs", figures.rungs(single).figure),
            ("workers", figures.workers(single).figure),
            ("front", figures.front(several)),
        ):
            path = folder / f"{name}.svg"
            drawn.savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
            found[path.name] = small(path.read_text())
    return found


if __name__ == "__main__":
    mpl.use("svg")
    with tempfile.TemporaryDirectory() as temporary:
        for name, text in draw(Path(temporary)).items():
            (HERE / name).write_text(text)
