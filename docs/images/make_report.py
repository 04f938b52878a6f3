"""Makes report.png: the top of the report of a real run of mlp_digits, as a headless Chromium shows it.

python docs/images/make_report.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

import hpo
from hpo.reports import write_report

SIZE = "1200,1264"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
MORE = ("--disable-background-networking", "--disable-component-update", "--hide-scrollbars")


def picture(page: Path, target: Path, size: str = SIZE) -> None:
    """The top of a page, as a browser shows it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile:
        wanted = (f"--screenshot={target}", f"--window-size={size}", f"--user-data-dir={profile}")
        subprocess.run([chromium, *OPTIONS, *MORE, *wanted, page.as_uri()], check=True, capture_output=True, timeout=120)


def main() -> None:
    """Run, report, and take the picture."""
    limits = {"max_num_trials": 80, "n_workers": 2, "experiment_tag": "quickstart"}
    config = hpo.load_config("mlp_digits", "ASHA", random_seed=1, **limits)
    with tempfile.TemporaryDirectory() as folder:
        directory = hpo.run_experiment(config, Path(folder) / "experiment").directory
        target = Path(__file__).with_name("report.png")
        picture(write_report(directory), target)
    with Image.open(target) as taken:  # it is on the first page of the site, which is to load quickly
        few = taken.convert("RGB").quantize(48, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


if __name__ == "__main__":
    main()
