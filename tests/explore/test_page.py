"""The page in a browser, from outside: a slider, an upload, a broken file, two visitors."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest

from lensjax import problems
from lensjax.files import images

pytest.importorskip("nicegui")
webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

# NiceGUI does not serve where it sees pytest; the rest is for quick compilers of tests.
QUICK = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "JAX_DISABLE_MOST_OPTIMIZATIONS", "XLA_FLAGS")
CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.computes,
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "lensjax", "explore", "--no-browser", "--port", str(port)]
    plain = {name: value for name, value in os.environ.items() if name not in QUICK}
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env={**plain, "TMPDIR": str(log.parent)}) as server:
        try:
            wait_for(lambda: _answers(port), 60.0)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait(30)
    assert "Traceback" not in log.read_text()
    assert not list(log.parent.glob("lensjax-explore-*"))  # uploads went with the server


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(found, seconds):
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"nothing after {seconds} s"
        time.sleep(0.1)
    return value


@contextmanager
def visitor(address):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1000"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        browser.get(address)
        wait_for(lambda: picture(browser), 60.0)
        yield browser
        assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    finally:
        browser.quit()


def picture(browser, name="image"):
    return browser.execute_script(f"return document.querySelector('[aria-label=\"{name}\"] img')?.getAttribute('src') || ''")


def tab(browser, name):
    next(tab for tab in browser.find_elements(By.CSS_SELECTOR, "[role=tab]") if tab.text.strip() == name).click()
    time.sleep(0.5)


def field(browser, name):
    return browser.find_element(By.CSS_SELECTOR, f'input[aria-label="{name}"]')


def said(browser):
    return browser.find_element(By.CSS_SELECTOR, ".said").text


def upload(browser, path):
    browser.find_element(By.CSS_SELECTOR, ".estimate input[type=file]").send_keys(str(path))


def test_slider_field_and_two_visitors(address):
    with visitor(address) as one, visitor(address) as two:
        before, others = picture(one), picture(two)
        slider = one.find_element(By.CSS_SELECTOR, '[role=slider][aria-label="Source x [px], slider"]')
        assert slider.get_attribute("tabindex") == "0"  # reached by the keyboard
        slider.send_keys(Keys.ARROW_RIGHT * 8)
        wait_for(lambda: field(one, "Source x [px]").get_attribute("value") == "33", 10.0)
        wait_for(lambda: picture(one) != before, 10.0)
        before = picture(one)
        field(one, "Einstein radius [px]").send_keys(Keys.CONTROL + "a" + Keys.NULL, "90")
        wait_for(lambda: picture(one) != before, 10.0)
        time.sleep(1.0)
        assert picture(two) == others and field(two, "Source x [px]").get_attribute("value") == "25"
        external = "return performance.getEntriesByType('resource').map(e => e.name).filter(n => /^http/.test(n))"
        assert all(name.startswith(address) for name in one.execute_script(external))


def test_lenses_are_added_and_dragged(address):
    with visitor(address) as browser:
        next(button for button in browser.find_elements(By.TAG_NAME, "button") if button.text.strip() == "Add a lens").click()
        wait_for(lambda: field(browser, "Lens x [px]").get_attribute("value") == "-30", 10.0)
        image = browser.find_element(By.CSS_SELECTOR, '[aria-label="image"] img')
        wide = image.size["width"] / 400.0  # of a pixel; the first lens is in the middle
        mouse = webdriver.ActionChains(browser).move_to_element(image).click_and_hold()
        mouse.move_by_offset(round(30 * wide), 0).move_by_offset(round(30 * wide), round(-40 * wide)).release().perform()
        wait_for(lambda: abs(float(field(browser, "Lens x [px]").get_attribute("value")) - 60.0) < 2.0, 10.0)
        assert abs(float(field(browser, "Lens y [px]").get_attribute("value")) - 40.0) < 2.0
        assert field(browser, "Einstein radius [px]").get_attribute("value") == "60"  # the first is the one that moved


def test_a_finger_drags_the_source(address):
    with visitor(address) as browser:
        image = browser.find_element(By.CSS_SELECTOR, '[aria-label="source plane"] img')
        box = browser.execute_script("const r = arguments[0].getBoundingClientRect(); return [r.left, r.top, r.width]", image)
        middle, wide = (box[0] + box[2] / 2, box[1] + box[2] / 2), box[2] / 400.0
        for kind, step in (("touchStart", 0), ("touchMove", 20), ("touchMove", 40)):
            at = {"x": middle[0] + step * wide, "y": middle[1]}
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
            time.sleep(0.1)
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wait_for(lambda: abs(float(field(browser, "Source x [px]").get_attribute("value")) - 40.0) < 3.0, 10.0)


def test_maps_are_kept_for_the_next_fits_file(address, tmp_path):
    fits = pytest.importorskip("astropy.io.fits")
    fits.PrimaryHDU(np.ones((5, 5), np.float32)).writeto(tmp_path / "psf.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =")
    with visitor(address) as browser:
        tab(browser, "Estimate")
        browser.find_element(By.CSS_SELECTOR, ".psf input[type=file]").send_keys(str(tmp_path / "psf.fits"))
        kept = browser.find_elements(By.CSS_SELECTOR, ".map .drawn")
        wait_for(lambda: kept[0].text.startswith("psf.fits") and kept[1].text == "no file", 20.0)
        browser.find_element(By.CSS_SELECTOR, ".noise input[type=file]").send_keys(str(tmp_path / "broken.fits"))
        assert "broken.fits: " in wait_for(lambda: said(browser) if "broken" in said(browser) else "", 20.0)
        browser.find_element(By.CSS_SELECTOR, '[aria-label="Remove the psf file"]').click()
        wait_for(lambda: kept[0].text == "no file", 10.0)


def test_every_control_has_a_name(address):
    with visitor(address) as browser:
        for name in ("Explore", "Estimate", "Tour"):
            tab(browser, name)
        tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = ("slider", "spinbutton", "combobox", "button", "radio", "switch", "checkbox", "tab", "image", "img")
        nameless = [
            node["role"]["value"]
            for node in tree
            if node.get("role", {}).get("value") in roles and not node.get("ignored") and not node.get("name", {}).get("value")
        ]
        assert not nameless


def test_nothing_is_wider_than_a_phone(address):
    with visitor(address) as browser:
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True})
        for name in ("Explore", "Estimate", "Tour"):
            tab(browser, name)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 390


def test_an_upload_gives_parameters_and_a_broken_file_a_message(address, tmp_path):
    problem = problems.get("sis2023")
    truth = np.float32([-25.8, 48.6, 21.0, 10.0, 6.0, 5.0])
    images.write_png(tmp_path / "lens.png", np.asarray(problem.render(truth)))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(60))
    with visitor(address) as browser:
        tab(browser, "Estimate")
        upload(browser, tmp_path / "broken.png")
        assert "broken.png: " in wait_for(lambda: said(browser) if "broken" in said(browser) else "", 20.0)
        upload(browser, tmp_path / "lens.png")
        assert wait_for(lambda: said(browser) if "onverged" in said(browser) else "", 200.0) == "Success: converged."
        rows = [row.text.split() for row in browser.find_elements(By.CSS_SELECTOR, ".numbers tbody tr")]
        estimate = {row[0]: float(row[3]) for row in rows}
        assert abs(estimate["einsteinR"] - 21.0) < 0.1 and abs(estimate["sigma2"] - 6.0) < 0.05
        assert "lensjax estimate lens.png --out results.csv" in browser.find_element(By.CSS_SELECTOR, ".estimate").text
        assert picture(browser, "model") and picture(browser, "image − model") and picture(browser, "source")
