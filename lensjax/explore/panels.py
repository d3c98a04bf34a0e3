"""The pictures of tab "Explore", and the loop that draws the newest scene and no older one."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from nicegui import background_tasks, events, ui

from lensjax.errors import BadInput
from lensjax.explore import pictures
from lensjax.explore.render import Frame, draw_exact, with_roulette
from lensjax.explore.state import Scene

DRAWING = ThreadPoolExecutor(2, thread_name_prefix="draw")
"""The threads that draw, for all visitors: while one waits for a compiler, another draws."""
_SLOW = 0.4  # s, after which the page says that it compiles
_FULL = 96.0  # grey levels of the darkest colour of a difference
_LEGEND = (
    ("critical curve", pictures.CRITICAL, "solid"),
    ("caustic", pictures.CAUSTIC, "solid"),
    ("cut", pictures.CUT, "dotted"),
    ("region where the roulette converges", pictures.REGION, "dashed"),
)


class Panels:
    """Image, source plane, the other method, and the difference."""

    def __init__(self, dragged: Callable[[str, str, float, float], None]) -> None:
        self._dragged = dragged
        self._wanted: tuple[Scene, bool] | None = None
        self._drawing = False
        with ui.element("div").classes("pictures first"):
            self.image, self.image_title = _panel("Image", "drag a lens", "image")
            self.source, _ = _panel("Source plane", "drag the source", "source plane")
        with ui.element("div").classes("legend"):
            for name, colour, style in _LEGEND:
                with ui.element("span").classes("legend-item"):
                    ui.element("span").classes("legend-line").style(f"border-top: 3px {style} {colour}").props("aria-hidden=true")
                    ui.label(name)
        with ui.element("div").classes("pictures second") as self.second:
            self.other, self.other_title = _panel("Roulette", "", "image by the other method")
            self.difference, _ = _panel("Exact − roulette", "red above, blue below", "difference of the two")
        with ui.row().classes("items-center gap-2"):
            self.said = ui.label("").classes("drawn").props('role="status"')
            self.spinner = ui.spinner(size="1.2em").props('aria-label="compiling"')
            self.spinner.set_visibility(False)
        for panel, name in ((self.image, "image"), (self.source, "source")):
            panel.on("mouse", lambda event, name=name: self._mouse(name, event), throttle=0.025)

    def show(self, scene: Scene, *, compare: bool) -> None:
        """Draws a scene as soon as the one before is done; of several that wait, the newest."""
        self.second.set_visibility(compare)
        self._wanted = scene, compare
        if not self._drawing:
            self._drawing = True
            background_tasks.create(self._draw())

    async def _draw(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._wanted is not None and not self.said.is_deleted:
                (scene, compare), self._wanted = self._wanted, None
                begin = time.perf_counter()
                try:
                    frame = await loop.run_in_executor(DRAWING, draw_exact, scene)
                except BadInput as error:
                    self.said.set_text(str(error))
                    continue
                if self.said.is_deleted:  # the visitor has left
                    return
                if compare or scene.method == "roulette":
                    work = loop.run_in_executor(DRAWING, with_roulette, frame, scene)
                    done, _ = await asyncio.wait([work], timeout=_SLOW)
                    if not done:
                        self.spinner.set_visibility(True)
                        self.said.set_text("compiling the roulette of a new kind of lens, or of another order")
                        self._put(scene, *await loop.run_in_executor(DRAWING, _encoded, frame, scene, compare))
                    frame = await work
                if self.said.is_deleted:
                    return
                self.spinner.set_visibility(False)
                self._put(scene, *await loop.run_in_executor(DRAWING, _encoded, frame, scene, compare))
                self.said.set_text(f"drawn in {1e3 * (time.perf_counter() - begin):.0f} ms")
        finally:
            self._drawing = False

    def _put(self, scene: Scene, urls: dict[str, str], lines: dict[str, str]) -> None:
        panels = {"image": self.image, "source": self.source, "other": self.other, "difference": self.difference}
        for name, panel in panels.items():
            if name in urls:
                panel.set_content(lines[name])
                panel.set_source(urls[name])
        exact = scene.method == "exact"
        self.image_title.set_text(f"Image: {'exact' if exact else f'roulette, {scene.terms} terms'}")
        self.other_title.set_text(f"Roulette, {scene.terms} terms" if exact else "Exact")

    def _mouse(self, name: str, event: events.GenericEventArguments) -> None:
        at = event.args
        pressed = int(at.get("buttons", 0)) & 1
        x, y = pictures.place_of(float(at.get("image_x", 0.0)), float(at.get("image_y", 0.0)))
        self._dragged(name, "drag" if pressed else "end", x, y)


def _encoded(frame: Frame, scene: Scene, compare: bool) -> tuple[dict[str, str], dict[str, str]]:
    """A frame's pictures as data URLs, and the SVG on them."""
    exact = scene.method == "exact"
    first, other = (frame.exact, frame.series) if exact else (frame.series, frame.exact)
    urls = {"image": pictures.url(first), "source": pictures.url(frame.source)}
    lines = {"image": pictures.image_lines(frame, scene), "source": pictures.source_lines(frame, scene)}
    if compare:
        urls |= {"other": pictures.url(other), "difference": pictures.difference_url(frame.difference, largest=_FULL)}
        lines |= {"other": pictures.region_lines(frame), "difference": pictures.region_lines(frame)}
    return urls, lines


def _panel(title: str, hint: str, words: str) -> tuple[ui.interactive_image, ui.label]:
    with ui.element("figure").classes("panel"):
        picture = ui.interactive_image(size=(400, 400), events=["mousedown", "mousemove", "mouseup"], sanitize=False)
        picture.props(f'role="img" aria-label="{words}"').classes("picture")
        with ui.element("figcaption"):
            heading = ui.label(title).classes("panel-title")
            if hint:
                ui.label(hint).classes("panel-hint")
    return picture, heading
