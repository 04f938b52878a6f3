"""Draw methods.svg: the regret of each method minus that of ASHA-GP-TIME, from the table in methods-measured.md.

python docs/images/make_methods.py
"""

import re
import runpy
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

HERE = Path(__file__).parent
ROW = re.compile(r"^\| `([\w-]+)`[^|]*\|(.*)\|$")
VALUE = re.compile(r"([+-]\.\d+) \[([+-]\.\d+), ([+-]\.\d+)\]")
WORKERS = (1, 4, 8)


def read_table(page: str) -> dict[str, list[tuple[float, float, float]]]:
    """Return, for each method, (mean, lower, upper) early and late for each number of workers."""
    section = page.split("## All methods compared to ASHA-GP-TIME")[1].split("\n## ")[0]
    rows = [match for line in section.splitlines() if (match := ROW.match(line))]
    return {row[1]: [tuple(map(float, value)) for value in VALUE.findall(row[2])] for row in rows}  # type: ignore[misc]


def draw(table: dict[str, list[tuple[float, float, float]]]) -> Figure:
    """Draw a panel for each number of workers, methods from the best to the worst with four."""
    table = {name: values for name, values in table.items() if len(values) == 2 * len(WORKERS)}
    names = sorted(table, key=lambda name: -table[name][2][0])
    figure, panels = plt.subplots(1, len(WORKERS), figsize=(9, 5), sharey=True, layout="constrained")
    for panel, workers, column in zip(panels, WORKERS, range(0, 2 * len(WORKERS), 2), strict=True):
        for late, (shift, colour, label) in enumerate(((0.15, "#3b6fb6", "early"), (-0.15, "#d1702f", "late"))):
            values = [table[name][column + late] for name in names]
            means = [mean for mean, _, _ in values]
            ends = [[mean - low for mean, low, _ in values], [high - mean for mean, _, high in values]]
            places = [place + shift for place in range(len(names))]
            panel.errorbar(means, places, xerr=ends, fmt="o", ms=3, lw=1.2, color=colour, label=label)
        panel.axvline(0, color="#888888", lw=0.8)
        panel.set_title(f"{workers} worker{'s' if workers > 1 else ''}", fontsize=10)
        panel.set_yticks(range(len(names)), names, fontsize=8)
        panel.grid(axis="x", lw=0.3)
    panels[0].legend(fontsize=8, loc="upper right")
    figure.supxlabel("regret minus that of ASHA-GP-TIME (right of 0: worse)", fontsize=9)
    return figure


if __name__ == "__main__":
    plt.rcParams |= {"svg.hashsalt": "hpo", "svg.fonttype": "none", "font.family": "sans-serif"}
    table = read_table((HERE.parent / "methods-measured.md").read_text())
    path = HERE / "methods.svg"
    draw(table).savefig(path, metadata={"Date": None, "Creator": None}, facecolor="white")
    path.write_text(runpy.run_path(str(HERE / "make_figures.py"))["small"](path.read_text()))
