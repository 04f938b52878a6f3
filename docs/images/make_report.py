"""Makes report.png: the top of the report of a real run of mlp_digits, as a headless Chromium shows it.

python docs/images/make_report.py
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import hpo
from hpo.reports import write_report

SIZE = "1200,1264"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync")
MORE = ("--disable-background-networking", "--disable-component-update", "--hide-scrollbars")


def main() -> None:
    """Run, report, and take the picture."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("chromium is not installed: apt-get install chromium")
    limits = {"max_num_trials": 80, "n_workers": 2, "experiment_tag": "quickstart"}
    config = hpo.load_config("mlp_digits", "ASHA", random_seed=1, **limits)
    with tempfile.TemporaryDirectory() as folder:
        directory = hpo.run_experiment(config, Path(folder) / "experiment").directory
        page = write_report(directory)
        target = Path(__file__).with_name("report.png")
        picture = (f"--screenshot={target}", f"--window-size={SIZE}", f"--user-data-dir={folder}/profile")
        command = [chromium, *OPTIONS, *MORE, *picture, page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main()
