"""A headless Chromium without a network, for what only a browser can tell."""

import json
import shutil
import time
from collections.abc import Iterator
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


class Browser:
    """One window. `open` waits until a report says that it is ready."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, seconds: float = 60.0) -> float:
        """Open a report; returns the milliseconds that its page took until everything was drawn."""
        self.messages()
        self.driver.get(path.resolve().as_uri())
        deadline = time.monotonic() + seconds
        while (ready := self.run("return document.documentElement.dataset.ready")) is None:
            assert time.monotonic() < deadline, f"not ready after {seconds} s: {self.messages()}"
            time.sleep(0.02)
        return float(ready)

    def run(self, script: str, *arguments: Any) -> Any:
        """The result of JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def messages(self) -> list[str]:
        """What the console has shown since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requested(self) -> list[str]:
        """Addresses that pages have asked for since the last call."""
        entries = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]


@contextmanager
def browser(profile: Path, size: str = "1366,900") -> Iterator[Browser]:
    """A Chromium of its own with an empty profile; it is gone at the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for option in (*OPTIONS, f"--window-size={size}", f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.binary_location = str(shutil.which("chromium"))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        yield Browser(driver)
    finally:
        driver.quit()
