"""Measures the page of `lensjax explore` as a visitor has it, in a headless Chromium.

    python benchmarks/explore_frames.py [--moves 1000] [--json]

Prints the seconds from the command to the first answer, from there to the first picture, the pictures a second while a slider of the
lens moves as fast as the page takes keys, and the server's memory before and after. Needs chromium, chromedriver and selenium (extra dev).
"""

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

SLIDER = '[role=slider][aria-label="Source x [px], slider"]'
COUNT = """
window.arrivals = [];
let last = '';
new MutationObserver(() => {
  const source = document.querySelector('[aria-label="image"] img')?.getAttribute('src') || '';
  if (source && source !== last) { last = source; window.arrivals.push(performance.now()); }
}).observe(document.querySelector('[aria-label="image"]'), {subtree: true, attributes: true, childList: true});
"""

KEYS = """
const [slider, moves, done] = arguments;
slider.focus();
let move = 0;
const timer = setInterval(() => {
  const right = Math.floor(move / 20) % 2 === 0;
  const [key, keyCode] = right ? ['ArrowRight', 39] : ['ArrowLeft', 37];
  for (const kind of ['keydown', 'keyup']) slider.dispatchEvent(new KeyboardEvent(kind, {key, code: key, keyCode, bubbles: true}));
  if (++move === moves) { clearInterval(timer); done(); }
}, 10);
"""


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--moves", type=int, default=1000, help="moves of the slider (1000)")
    parser.add_argument("--json", action="store_true", help="one JSON object, as benchmarks/history.py adds it")
    options = parser.parse_args()
    row = measure(options.moves)
    if options.json:
        print(json.dumps(row))
        return
    print(f"answers after {row['answer_s']:.1f} s, first picture {row['picture_s']:.1f} s later")
    print(f"{row['frames']} pictures of {options.moves} moves: {row['images_per_s']:.1f} a second, {row['frame_ms']:.0f} ms apart (median)")
    print(f"memory of the server: {row['memory_before_MiB']:.0f} MiB before, {row['memory_after_MiB']:.0f} MiB after")


def measure(moves: int) -> dict[str, float | str]:
    """Starts the page, moves a slider and returns the figures."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.monotonic()
    command = [sys.executable, "-m", "lensjax", "explore", "--no-browser", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while not _answers(port):
                if time.monotonic() - began > 120.0:
                    raise SystemExit("the page does not answer after 120 s")
                time.sleep(0.02)
            answer = time.monotonic()
            browser = _browser()
            try:
                opened = time.monotonic()
                browser.get(f"http://127.0.0.1:{port}/")
                while not browser.execute_script("return !!document.querySelector('[aria-label=\"image\"] img')?.getAttribute('src')"):
                    time.sleep(0.02)
                picture = time.monotonic() - opened
                _move(browser, 50)  # all programs are compiled
                time.sleep(1.0)
                before = _memory(server.pid)
                browser.execute_script(COUNT)
                _move(browser, moves)
                time.sleep(1.0)
                arrivals = browser.execute_script("return window.arrivals")
                after = _memory(server.pid)
            finally:
                browser.quit()
        finally:
            server.terminate()
            server.wait(30)
    gaps = [later - sooner for sooner, later in zip(arrivals, arrivals[1:], strict=False)]
    return {
        "name": "explore",
        "answer_s": answer - began,
        "picture_s": picture,
        "frames": len(arrivals),
        "images_per_s": 1000.0 * len(gaps) / (arrivals[-1] - arrivals[0]),
        "frame_ms": statistics.median(gaps),
        "memory_before_MiB": before,
        "memory_after_MiB": after,
    }


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(flag)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or "chromedriver"))


def _move(browser: webdriver.Chrome, moves: int) -> None:
    """Arrow keys on the slider, to the right and back, one each 10 ms or as fast as the page takes them."""
    slider = browser.find_element(By.CSS_SELECTOR, SLIDER)
    browser.set_script_timeout(600)
    browser.execute_async_script(KEYS, slider, moves)


def _memory(process: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return float(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024.0


if __name__ == "__main__":
    main()
