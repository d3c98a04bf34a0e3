"""Tab "Estimate": an image, the network's estimate, the refinement step by step, and the result."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from nicegui import background_tasks, events, ui

from lensjax.dataset.telescope import Taken
from lensjax.errors import BadInput
from lensjax.explore import fit, pictures, upload
from lensjax.explore.explore_tab import content_of, too_large
from lensjax.explore.fit import Outcome, Stage

_FITTING = ThreadPoolExecutor(1, thread_name_prefix="fit")  # one estimate after another, whoever waits
_EVERY = 0.2  # s between two looks at a fit's stages
_log = logging.getLogger(__name__)

_COLUMNS = [
    {"name": "parameter", "label": "parameter", "field": "parameter", "align": "left"},
    {"name": "network", "label": "network", "field": "network"},
    {"name": "value", "label": "estimate", "field": "value"},
    {"name": "error", "label": "1σ error", "field": "error"},
    {"name": "bounds", "label": "certified bounds", "field": "bounds"},
]


class EstimateTab:
    """The tab of one visitor."""

    def __init__(self, folder: upload.Folder, of_scene: Callable[[], np.ndarray | None]) -> None:
        self._folder, self._of_scene = folder, of_scene
        self._path: Path | None = None
        self._image: np.ndarray | None = None
        self._stages: list[Stage] = []
        self._busy = False
        self._maps: dict[str, str] = {}
        with ui.element("div").classes("estimate"):
            self._inputs()
            self.said = ui.label("No image yet.").classes("said").props('role="status"')
            self.spinner = ui.spinner(size="1.5em").props('aria-label="estimating"')
            self.spinner.set_visibility(False)
            self._views()
            self._results()

    def _inputs(self) -> None:
        with ui.element("div").classes("inputs"):
            self.upload = ui.upload(
                label="Image (PNG, TIFF, JPEG, FITS, NPY): drop it here, or press +", auto_upload=True, max_files=1,
                max_file_size=upload.LARGEST_FILE, on_upload=self._uploaded, on_rejected=lambda: self._refused(too_large()),
            ).props("flat bordered").classes("uploader")  # fmt: skip
            with ui.element("div").classes("options"):
                self.problem = ui.select(fit.KINDS, value="sis2023", label="Kind of system (FITS files: galaxy)")
                self.scale = ui.number("Pixel scale of a FITS file [arcsec] (empty: the file's)", min=1e-4, max=100.0)
                self.lens_light = ui.switch("a FITS file shows the lens galaxy's own light", value=True)
                self.refined = ui.switch("refine the network's estimate", value=True)
                ui.button("Estimate this scene's image", on_click=self._scene).props("no-caps outline")
            self._map("psf", "Before a FITS file: its PSF, with odd sides")
            self._map("noise", "Before a FITS file: its noise map, rms of each pixel")

    def _map(self, name: str, label: str) -> None:
        """An upload of a file that goes with the image; before the image, whose upload starts the estimate."""

        async def kept(event: events.UploadEventArguments) -> None:
            try:
                path = self._folder.keep(event.file.name, await content_of(event))
                upload.read(path, smallest=1)
            except BadInput as error:
                self._refused(str(error))
                return
            finally:
                field.reset()
            self._maps[name] = str(path)
            said.set_text(f"{path.name}, for FITS files from now on")
            away.set_visibility(True)

        def removed() -> None:
            self._maps.pop(name, None)
            said.set_text("no file")
            away.set_visibility(False)

        with ui.element("div").classes("map"):
            field = ui.upload(
                label=label, auto_upload=True, max_files=1, max_file_size=upload.LARGEST_FILE, on_upload=kept,
                on_rejected=lambda: self._refused(too_large()),
            ).props("flat bordered").classes(f"uploader {name}")  # fmt: skip
            with ui.row().classes("items-center gap-2"):
                said = ui.label("no file").props('role="status"').classes("drawn")
                away = ui.button("Remove", on_click=removed).props(f'no-caps flat dense aria-label="Remove the {name} file"')
            away.set_visibility(False)

    def _views(self) -> None:
        with ui.element("div").classes("stage-choice") as self.choice:
            self.stage_name = ui.label("").classes("panel-title")
            self.stage = ui.slider(min=0, max=1, step=1, value=0, on_change=lambda event: self._look(event.value))
            self.stage.props('aria-label="Stage of the refinement" snap markers')
        with ui.element("div").classes("pictures four") as self.pictures:
            self.views = {name: _view(name) for name in ("image", "model", "image − model", "source")}
        self.choice.set_visibility(False)
        self.pictures.set_visibility(False)

    def _results(self) -> None:
        with ui.element("div") as self.result:
            self.table = ui.table(columns=_COLUMNS, rows=[], row_key="parameter").props("dense flat bordered wrap-cells")
            self.table.props('aria-label="Parameters with errors"').classes("numbers")
            with ui.row().classes("gap-2") as self.downloads:
                pass
            ui.label("The same on the command line and in Python").classes("panel-title")
            self.command = ui.code("", language="bash").classes("lines")
            self.python = ui.code("", language="python").classes("lines")
        self.result.set_visibility(False)

    def _refused(self, words: str) -> None:
        self.said.set_text(words)
        ui.notify(words, type="negative", multi_line=True, timeout=10_000)

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        try:
            self._begin(event.file.name, await content_of(event))
        except BadInput as error:
            self._refused(str(error))
        finally:
            self.upload.reset()

    def _scene(self) -> None:
        image = self._of_scene()
        if image is None:
            self._refused("the scene is in colour; expected a grey source")
            return
        try:
            self._begin("scene.png", pictures.png(image))
        except BadInput as error:
            self._refused(str(error))

    def _begin(self, name: str, content: bytes) -> None:
        """Starts the estimate of an image.

        Raises:
            BadInput: it cannot be used, or another one runs.
        """
        if self._busy:
            raise BadInput("an estimate runs", hint="wait until it is done")
        path = self._folder.keep(name, content)
        self._image = fit.image_of(path)
        self._path, self._stages, self._busy = path, [], True
        self.result.set_visibility(False)
        self.choice.set_visibility(False)
        self.pictures.set_visibility(True)
        shown = pictures.grey_levels(self._image, low=0.0 if self._image.min() >= 0 else None)
        for name, view in self.views.items():
            view.set_source(pictures.url(shown) if name == "image" else "")
        self.spinner.set_visibility(True)
        self.said.set_text(f"{path.name}: waits for its turn")
        background_tasks.create(self._run(path))

    async def _run(self, path: Path) -> None:
        heard: deque[Stage] = deque()
        scale = float(self.scale.value) if self.scale.value else None
        work = partial(
            fit.estimate,
            path,
            heard.append,
            problem=self.problem.value,
            taken=Taken(pixel_scale=scale, psf=self._maps.get("psf"), noise=self._maps.get("noise")),
            lens_light=bool(self.lens_light.value),
            refined=bool(self.refined.value),
        )
        task = asyncio.get_running_loop().run_in_executor(_FITTING, work)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=_EVERY)
                while heard and not self.said.is_deleted:
                    self._add(heard.popleft())
            if self.said.is_deleted:  # the visitor has left
                self._folder.remove()
                return
            outcome = task.result()
        except BadInput as error:
            self.said.set_text(str(error))
        except Exception as error:
            _log.exception("an estimate failed")
            self.said.set_text(f"the estimate failed: {type(error).__name__}: {error}")
        else:
            self._show(outcome)
        finally:
            self._busy = False
            if not self.said.is_deleted:
                self.spinner.set_visibility(False)

    def _add(self, stage: Stage) -> None:
        if stage.model is None:
            self.said.set_text(stage.title)
            return
        self._stages.append(stage)
        last = len(self._stages) - 1
        self.choice.set_visibility(last > 0)
        self.stage.props(f"max={max(last, 1)}")
        self.stage.set_value(last)
        self._look(last)

    def _look(self, index: float | None) -> None:
        if index is None or not self._stages or self._image is None:
            return
        stage = self._stages[min(int(index), len(self._stages) - 1)]
        assert stage.model is not None and stage.residual is not None
        high = float(np.nanmax(self._image)) or 1.0
        self.stage_name.set_text(_words(stage))
        self.views["model"].set_source(pictures.url(pictures.grey_levels(stage.model, low=0.0, high=high)))
        residual = np.nan_to_num(stage.residual)
        self.views["image − model"].set_source(pictures.difference_url(residual, largest=max(float(np.abs(residual).max()), 1e-12)))
        if stage.source is not None:
            self.views["source"].set_source(pictures.url(pictures.grey_levels(stage.source, low=0.0)))

    def _show(self, outcome: Outcome) -> None:
        solution = outcome.solution
        good = bool(solution.success[0])
        words = solution.status[0]
        alone = "the network alone" in words
        self.said.set_text(words if alone else f"{'Success' if good else 'Not to be trusted'}: {words}.")
        rows = _rows(outcome)
        self.table.columns = [column for column in _COLUMNS if any(row[column["field"]] for row in rows)]
        self.table.rows = rows
        self.command.set_content(outcome.command)
        self.python.set_content(outcome.python)
        self.downloads.clear()
        with self.downloads:
            for name, path in outcome.files.items():
                ui.button(name, on_click=lambda name=name, path=path: ui.download.content(path.read_bytes(), name)).props(
                    f'no-caps outline dense icon=download aria-label="Download {name}"'
                )
        self.result.set_visibility(True)


def _words(stage: Stage) -> str:
    assert stage.residual is not None
    rms = float(np.sqrt(np.nanmean(np.square(stage.residual))))
    return f"{stage.title}: rms of image − model {rms:.3g}"


def _rows(outcome: Outcome) -> list[dict[str, str]]:
    solution, rows = outcome.solution, []
    for k, (name, unit) in enumerate(zip(solution.names, outcome.units, strict=True)):
        low, high = solution.lowest[0, k], solution.highest[0, k]
        error = solution.errors[0, k]
        rows.append(
            {
                "parameter": f"{name} [{unit}]" if unit else name,
                "network": "" if outcome.network is None else f"{outcome.network[k]:.5g}",
                "value": _number(solution.params[0, k]),
                "error": "not identified" if np.isinf(error) else "" if np.isnan(error) else f"{error:.2g}",
                "bounds": f"{low:.5g} … {high:.5g}" if np.isfinite([low, high]).all() else "",
            }
        )
    return rows


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _view(name: str) -> ui.interactive_image:
    with ui.element("figure").classes("panel"):
        picture = ui.interactive_image(size=(400, 400), sanitize=False).props(f'role="img" aria-label="{name}"').classes("picture")
        with ui.element("figcaption"):
            ui.label(name).classes("panel-title")
    return picture
