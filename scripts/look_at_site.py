"""Looks at every page of the site, or at a page that runs, in Chromium at two widths.

    make docs && python scripts/look_at_site.py site/html --shots shots [--axe axe.min.js]
    python scripts/look_at_site.py http://127.0.0.1:8787 --shots shots --axe axe.min.js          # lensjax explore, started before

Prints what is wider than the window, errors of the browser's console, and what axe-core finds (`npm pack axe-core` has axe.min.js), and
writes a picture of each page. Exit code 1 where there is anything. Needs Chromium with its driver.
"""

import argparse
import functools
import http.server
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver

WIDTHS = (1280, 390)
SETTLE = 0.3  # seconds a page has to draw

_WIDER = """
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth <= width) return [];
return [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1)
  .slice(0, 3).map(e => e.tagName + "." + e.className);
"""
_AXE = "const done = arguments[arguments.length - 1]; axe.run().then(r => done(r.violations.map(v => "
_AXE += "[v.impact, v.id, v.nodes.length, v.nodes[0].html.slice(0, 120)])));"


def browser() -> webdriver.Chrome:
    """A Chromium without a window, which keeps its console."""
    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options)


def served(folder: Path) -> str:
    """The address at which a folder is served until the program ends."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def look(driver: webdriver.Chrome, address: str, width: int, shot: Path | None, axe: str | None) -> Iterator[str]:
    """What is wrong with a page at a width."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    driver.get(address)
    time.sleep(SETTLE)
    for wide in driver.execute_script(_WIDER) or []:
        yield f"wider than the window: {wide}"
    for entry in driver.get_log("browser"):
        if entry["level"] == "SEVERE":
            yield f"console: {entry['message'][:160]}"
    if axe is not None:
        driver.execute_script(axe)
        for impact, name, count, first in driver.execute_async_script(_AXE):
            yield f"axe {impact}: {name} ({count}): {first}"
    if shot is not None:
        height = min(driver.execute_script("return document.documentElement.scrollHeight"), 16_000)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.save_screenshot(str(shot))


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", help="folder of the built site, or an address")
    parser.add_argument("--shots", type=Path, metavar="DIR", help="folder for the pictures (none)")
    parser.add_argument("--axe", type=Path, metavar="FILE", help="axe.min.js of axe-core (none)")
    options = parser.parse_args()
    if options.shots is not None:
        options.shots.mkdir(parents=True, exist_ok=True)
    axe = None if options.axe is None else options.axe.read_text()
    pages = {"page": options.site}
    if "://" not in options.site:
        root, address = Path(options.site), served(Path(options.site))
        names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]
        pages = {name.removesuffix(".html").replace("/", "-"): f"{address}/{name}" for name in names}
    found = 0
    driver = browser()
    try:
        for name, address in pages.items():
            for width in WIDTHS:
                shot = None if options.shots is None else options.shots / f"{name}-{width}.png"
                for line in look(driver, address, width, shot, axe):
                    found += 1
                    print(f"{name} at {width} px: {line}", flush=True)
    finally:
        driver.quit()
    print(f"{len(pages)} pages at {' and '.join(map(str, WIDTHS))} px: {found} findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
