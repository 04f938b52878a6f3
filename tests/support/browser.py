"""A headless Chromium, without a network unless it is wanted, for what only a browser can tell."""

import base64
import functools
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import debian

PROGRAMS = ("chromium", "chromedriver")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


def install() -> str | None:
    """Have Chromium and its driver installed. Returns why they cannot be had, None when they are there."""
    return debian.install(PROGRAMS, ("chromium", "chromium-driver"))


PICTURES = Path(os.environ.get("HPO_SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
SHOWN = [(width, scheme) for width in (1366, 360) for scheme in ("light", "dark")]
"""Widths and schemes that pages are looked at with."""
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
"""Rules by which pages are checked."""
AXE = """
const done = arguments[arguments.length - 1];
const told = (v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))}`;
axe.run(document, { runOnly: arguments[0] }).then(found => done(found.violations.map(told)), error => done([`${error}`]));"""


@functools.cache
def axe() -> str:
    """axe-core, as the package that is installed for it brings it along; nothing else of that package is used."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None, "pip install axe-playwright-python, for axe.min.js"
    return (Path(str(found.origin)).parent / "axe.min.js").read_text()


class Browser:
    """One window. `open` waits until a report says that it is ready."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, seconds: float = 60.0) -> float:
        """Open a report; returns the milliseconds that its page took until everything was drawn."""
        self.messages()
        return self.visit(path.resolve().as_uri(), seconds)

    def visit(self, address: str, seconds: float = 60.0) -> float:
        """The same for an address."""
        self.driver.get(address)
        deadline = time.monotonic() + seconds
        while (ready := self.run("return document.documentElement.dataset.ready")) is None:
            assert time.monotonic() < deadline, f"not ready after {seconds} s: {self.messages()}"
            time.sleep(0.02)
        return float(ready)

    def run(self, script: str, *arguments: Any) -> Any:
        """The result of JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def violations(self) -> list[str]:
        """What axe-core finds wrong with the page for people who cannot see it, or use a keyboard alone."""
        self.run(axe())  # by the driver, past the page's own policy
        return self.driver.execute_async_script(AXE, list(AXE_TAGS))

    def show(self, width: int = 1366, scheme: str = "light", motion: str = "no-preference") -> None:
        """How wide the window is from now on, whether people want it dark, and whether they want to `reduce` motion."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": motion}
        features = {"features": [{"name": name, "value": value} for name, value in wishes.items()]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", features)

    def picture(self, name: str) -> tuple[int, int]:
        """Keep a picture of the whole page, in the folder that HPO_SCREENSHOTS names. Returns its width and height."""
        size = self.run("const e = document.documentElement; return [innerWidth, Math.min(e.scrollHeight, 8000)]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1}
        wanted = {"captureBeyondViewport": True, "clip": clip}
        content = base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", wanted)["data"])
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(content)
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")

    def messages(self) -> list[str]:
        """What the console has shown since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """Addresses that pages have asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]


@contextmanager
def browser(
    profile: Path, size: str = "1366,900", *, network: bool = False, further: Sequence[str] = ()
) -> Iterator[Browser]:
    """A Chromium of its own with an empty profile and further options; it is gone at the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for option in (*OPTIONS, *further, f"--window-size={size}", f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        if not network:
            driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        yield Browser(driver)
    finally:
        driver.quit()
