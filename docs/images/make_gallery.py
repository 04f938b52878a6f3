"""Runs what docs/gallery.md shows, takes the pictures of the reports, and prints the figures.

python docs/images/make_gallery.py [NAME ...]
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from make_report import picture

SIZE = "1200,900"


def commands() -> dict[str, str]:
    """Of the gallery, by the name of its picture."""
    text = (Path(__file__).parents[1] / "gallery.md").read_text()
    found = re.findall(r"```text\n((?:.*\n)+?)```\n(?:.*\n)*?!\[[^\]]*\]\(images/gallery-([\w-]+)\.png\)", text)
    return {name: command.replace("\\\n", " ").strip() for command, name in found}


def main(names: list[str]) -> None:
    """Run them one after the other."""
    for name, command in commands().items():
        if names and name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            told = subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True, text=True).stdout
            minutes = (time.monotonic() - began) / 60
            tag = re.search(r"experiment_tag=(\S+)", command)[1]
            subprocess.run(["hpo", "report", tag], cwd=folder, check=True, capture_output=True)
            places = sorted((Path(folder) / "outputs" / tag).rglob("report.html"))
            if not places:
                raise SystemExit(f"{command}: no report")
            picture(places[0], Path(__file__).with_name(f"gallery-{name}.png"), SIZE)
            print(f"{name}: {minutes:.1f} min\n{told[-1500:]}")


if __name__ == "__main__":
    main(sys.argv[1:])
