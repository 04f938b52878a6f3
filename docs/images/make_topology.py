"""Draw topology-*.svg: which processes run where, on this machine, on Slurm, on Ray and on SageMaker.

python docs/images/make_topology.py
"""

from pathlib import Path

HERE = Path(__file__).parent
STYLE = """<style>
text {font: 13px sans-serif; fill: #24292f; text-anchor: middle}
.place {fill: #f4f6f8; stroke: #8c959f} .process {fill: #dbe9fb; stroke: #3b6fb6} .files {fill: #fdeedd; stroke: #d1702f}
.name {font-weight: bold} .arrow {stroke: #57606a; fill: none; marker-end: url(#end)} #end path {fill: #57606a}
@media (prefers-color-scheme: dark) {
text {fill: #e6edf3} .place {fill: #1c2128} .process {fill: #1d3a5f} .files {fill: #4a2f1a} .arrow {stroke: #adbac7}
#end path {fill: #adbac7}}
</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0L8 4L0 8z"/></marker></defs>"""
Part = tuple[str, int, int, int, int, str]
"""A box: what it is (place, process or files), x, y, width, height, and its lines of text."""
Arrow = tuple[int, int, int, int, str]
"""An arrow from one point to another, and what is said along it."""

TOPOLOGIES: dict[str, tuple[str, list[Part], list[Arrow]]] = {
    "local": (
        "On this machine: hpo decides, a trial host starts the trials, and everything is stored in outputs/",
        [
            ("place", 10, 10, 560, 200, "this machine"),
            ("process", 30, 70, 120, 60, "hpo\ntuner and method"),
            ("process", 220, 70, 110, 60, "trial host"),
            ("process", 410, 40, 140, 34, "trial 0 (GPU 0)"),
            ("process", 410, 84, 140, 34, "trial 1 (GPU 1)"),
            ("process", 410, 128, 140, 34, "trial 2 (GPU 2)"),
            ("files", 30, 160, 300, 36, "outputs/TAG/… events.db, checkpoints"),
        ],
        [
            (150, 100, 220, 100, "start, stop"),
            (330, 90, 410, 57, ""),
            (330, 100, 410, 101, ""),
            (330, 110, 410, 145, ""),
            (90, 130, 90, 160, ""),
            (410, 158, 330, 178, "reports"),
        ],
    ),
    "slurm": (
        "On Slurm: each experiment is one job with its own tuner; all write to the shared directory",
        [
            ("place", 10, 10, 150, 200, "login node"),
            ("process", 25, 80, 120, 50, "hpo\nlauncher=slurm"),
            ("place", 250, 10, 320, 90, "node: job of seed 0"),
            ("process", 265, 45, 120, 40, "tuner"),
            ("process", 435, 45, 120, 40, "trials"),
            ("place", 250, 110, 320, 90, "node: job of seed 1"),
            ("process", 265, 145, 120, 40, "tuner"),
            ("process", 435, 145, 120, 40, "trials"),
            ("files", 250, 210, 320, 34, "shared directory: outputs/TAG/…"),
        ],
        [
            (145, 95, 265, 65, "sbatch"),
            (145, 115, 265, 165, ""),
            (385, 65, 435, 65, ""),
            (385, 165, 435, 165, ""),
            (410, 200, 410, 210, ""),
        ],
    ),
    "ray": (
        "On Ray: one tuner sends the trials of one experiment to slots on all nodes of a cluster",
        [
            ("place", 10, 10, 180, 200, "head node"),
            ("process", 30, 60, 140, 50, "hpo\nbackend=ray"),
            ("place", 290, 10, 280, 90, "node"),
            ("process", 305, 45, 115, 40, "slot: trial 0"),
            ("process", 440, 45, 115, 40, "slot: trial 1"),
            ("place", 290, 110, 280, 90, "node"),
            ("process", 305, 145, 115, 40, "slot: trial 2"),
            ("process", 440, 145, 115, 40, "slot: trial 3"),
            ("files", 30, 216, 540, 34, "shared directory, or backend.storage for checkpoints"),
        ],
        [
            (170, 75, 305, 65, "trials"),
            (170, 95, 305, 165, ""),
            (430, 200, 430, 216, "checkpoints"),
            (100, 110, 100, 216, "events.db"),
        ],
    ),
    "sagemaker": (
        "On SageMaker: each experiment is one training job; its results go to S3, and hpo sync brings them here",
        [
            ("place", 10, 10, 170, 200, "your machine"),
            ("process", 25, 45, 140, 50, "hpo\nlauncher=sagemaker"),
            ("files", 25, 150, 140, 40, "outputs/TAG/…"),
            ("place", 290, 10, 280, 60, "training job of seed 0"),
            ("process", 305, 36, 250, 26, "tuner and trials"),
            ("place", 290, 80, 280, 60, "training job of seed 1"),
            ("process", 305, 106, 250, 26, "tuner and trials"),
            ("files", 290, 160, 280, 36, "S3 bucket"),
        ],
        [
            (165, 65, 290, 45, "request"),
            (165, 75, 290, 110, ""),
            (430, 140, 430, 160, ""),
            (290, 178, 165, 170, "hpo sync"),
        ],
    ),
}


def draw(name: str) -> str:
    """Return a topology as SVG."""
    title, parts, arrows = TOPOLOGIES[name]
    height = max(y + high for _, _, y, _, high, _ in parts) + 10
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 {height}" role="img">', f"<title>{title}</title>"]
    lines.append(STYLE)
    for kind, x, y, wide, high, text in parts:
        lines.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}" rx="6"/>')
        rows = text.split("\n")
        first = y + 20 if kind == "place" else y + high / 2 + 5 - 9 * (len(rows) - 1)
        attribute = ' class="name"' if kind == "place" else ""
        for number, row in enumerate(rows):
            lines.append(f'<text{attribute} x="{x + wide / 2:g}" y="{first + 18 * number:g}">{row}</text>')
    for x, y, to_x, to_y, text in arrows:
        lines.append(f'<path class="arrow" d="M{x} {y}L{to_x} {to_y}"/>')
        if text:
            aside = 42 if x == to_x else 0
            lines.append(f'<text x="{(x + to_x) / 2 + aside:g}" y="{(y + to_y) / 2 - (4 if not aside else -4):g}">{text}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    for topology in TOPOLOGIES:
        (HERE / f"topology-{topology}.svg").write_text(draw(topology))
