"""`python -m release.accessible FOLDER`: pages of the built site under axe, in a headless Chromium: light, dark, narrow."""

import gzip
import http.server
import shutil
import sys
import threading
from functools import partial
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, sync_playwright

PAGES = (
    "index.html",
    "first-experiment.html",
    "configuration.html",
    "reference/commands.html",
    "reference/python.html",
)
LOOKS = (("light", 1366), ("dark", 1366), ("light", 360))
LARGEST = 300e3
"""Bytes of the first page with all that it loads, as a server sends them."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing: requests are counted in the browser."""


def main(folder: Path) -> int:
    """Look at the pages. Returns the exit code."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        size, problems = measure(page, address)
        page.close()
        for scheme, width in LOOKS:
            page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
            for name in PAGES:
                page.goto(address + name, wait_until="load")
                for found in Axe().run(page).response["violations"]:
                    nodes = found["nodes"]
                    problems.append(
                        f"{name} ({scheme}, {width}): {found['id']}, {len(nodes)} times: {nodes[0]['target'][0]}"
                    )
            page.close()
        browser.close()
    server.shutdown()
    for problem in problems:
        print(problem)
    print(
        f"axe: {len(PAGES)} pages, light, dark and narrow: {len(problems)} problem(s); the first loads {size / 1e3:.0f} kB"
    )
    return 1 if problems else 0


def measure(page: Page, address: str) -> tuple[int, list[str]]:
    """How much the first page loads, and what is wrong with that."""
    loaded: dict[str, int] = {}

    def take(response: object) -> None:
        loaded[response.url] = len(gzip.compress(response.body()))  # type: ignore[attr-defined]

    page.on("response", take)
    page.goto(address + PAGES[0], wait_until="networkidle")
    problems = [f"{PAGES[0]} asks for {url}" for url in loaded if not url.startswith((address, "data:"))]
    if (size := sum(loaded.values())) > LARGEST:
        problems.append(f"{PAGES[0]} loads {', '.join(f'{url} {each}' for url, each in loaded.items())}")
    return size, problems


def chromium() -> str | None:
    """The machine's browser, where there is one; else Playwright's own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
