"""The page: three tabs, one state for each visitor, and the server."""

import logging
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from nicegui import app, ui
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lensjax.explore import upload
from lensjax.explore.estimate_tab import EstimateTab
from lensjax.explore.explore_tab import ExploreTab
from lensjax.explore.limit import LimitBody
from lensjax.explore.panels import DRAWING
from lensjax.explore.render import draw
from lensjax.explore.state import FIELD, Scene
from lensjax.explore.tour import STEPS

_STYLE, _SCRIPT = Path(__file__).with_name("page.css"), Path(__file__).with_name("page.js")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")


def serve(*, host: str, port: int, browser: bool) -> None:
    """Serves the page until it is interrupted.

    Args:
        host: address to listen at.
        port: port to listen at.
        browser: whether to open a browser.
    """
    app.on_startup(_compile_early)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    if host in _LOOPBACK:  # no other site may speak to the page by a name of its own
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*_LOOPBACK, host])
    app.add_middleware(LimitBody, largest=upload.LARGEST_FILE + (1 << 16))
    with tempfile.TemporaryDirectory(prefix="lensjax-explore-", ignore_cleanup_errors=True) as root:
        app.on_shutdown(partial(shutil.rmtree, root, ignore_errors=True))  # where a signal ends the process, the block does not
        ui.page("/", title="LensJAX", language="en-GB")(partial(visit, Path(root)))
        ui.run(
            host=host, port=port, show=browser, reload=False, title="LensJAX", favicon="🔭", show_welcome_message=False,
            reconnect_timeout=10.0, uvicorn_logging_level="warning",
        )  # fmt: skip


def _compile_early() -> None:
    """Draws the tour's scenes once in the background, so that nobody waits for their programs: one by one, which leaves a thread free."""
    left = iter((Scene(), *(step.scene for step in STEPS)))

    def draw_next() -> None:
        scene = next(left, None)
        if scene is not None:
            draw(scene)
            DRAWING.submit(draw_next)

    DRAWING.submit(draw_next)


def visit(root: Path) -> None:
    """Builds the page of one visitor, with a folder in `root`. Nothing of it is shared with others."""
    folder = upload.Folder(root)
    ui.context.client.on_delete(folder.remove)
    ui.colors(primary="#1b5a9e", negative="#b3261e")
    ui.add_css(_STYLE.read_text(encoding="utf-8"))
    ui.add_body_html(f"<script>{_SCRIPT.read_text(encoding='utf-8')}</script>")
    with ui.element("div").classes("page"):
        ui.html("<h1>LensJAX</h1>", sanitize=False)
        with ui.tabs().props('no-caps align=left aria-label="Parts of the page"') as tabs:
            for name in ("Explore", "Estimate", "Tour"):
                ui.tab(name)
        with ui.tab_panels(tabs, value="Explore", animated=False, keep_alive=True).classes("tabs"):
            with ui.tab_panel("Explore"):
                explore = ExploreTab(folder)
            with ui.tab_panel("Estimate"):
                EstimateTab(folder, lambda: scene_image(explore.scene))
            with ui.tab_panel("Tour"):
                _tour(explore, tabs)


def _tour(explore: ExploreTab, tabs: ui.tabs) -> None:
    for number, step in enumerate(STEPS, start=1):
        with ui.element("section").classes("step"):
            ui.html(f"<h2>{number}. {step.title}</h2>", sanitize=False)
            ui.label(step.text)
            ui.label(step.tries).classes("tries")

            def show(scene: Scene = step.scene) -> None:
                explore.apply(scene)
                tabs.set_value("Explore")

            ui.button("Show it", on_click=show).props(f'no-caps outline dense aria-label="Show step {number}, {step.title}"')


def scene_image(scene: Scene) -> np.ndarray | None:
    """The image of a scene (n, n) uint8 with its light in the middle, as images of the thesis are; None of colours."""
    frame = draw(scene)
    shown = frame.exact if scene.method == "exact" else frame.series
    if shown.ndim != 2 or not shown.any():
        return shown if shown.ndim == 2 else None
    total = shown.sum(dtype=np.float64)
    row, column = (int(np.rint((np.arange(FIELD) * shown.sum(axis=axis, dtype=np.float64)).sum() / total)) for axis in (1, 0))
    moved = np.zeros((2 * FIELD, 2 * FIELD), np.uint8)
    moved[FIELD // 2 : FIELD // 2 + FIELD, FIELD // 2 : FIELD // 2 + FIELD] = shown
    return moved[row : row + FIELD, column : column + FIELD]
