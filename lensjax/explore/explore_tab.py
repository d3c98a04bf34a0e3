"""Tab "Explore": controls of lens, source and method, and what they show."""

from dataclasses import replace
from math import hypot
from typing import Any, get_args

from nicegui import events, ui

from lensjax.errors import BadInput
from lensjax.explore import state, upload
from lensjax.explore.controls import Dial
from lensjax.explore.panels import Panels
from lensjax.explore.state import LensKind, Member, Scene, SourceKind

_NEAR = 40.0  # px, within which a lens is taken by the mouse


class ExploreTab:
    """The tab of one visitor."""

    def __init__(self, folder: upload.Folder, scene: Scene = Scene()) -> None:  # noqa: B008 (frozen)
        self.scene, self._folder = scene, folder
        self._chosen, self._held = 0, False
        with ui.element("div").classes("explore"):
            with ui.element("div").classes("views"):
                self.panels = Panels(self._dragged)
            with ui.element("div").classes("controls"):
                self._method_controls()
                self._lens_controls()
                self._source_controls()
        self.apply(scene)

    def apply(self, scene: Scene) -> None:
        """Shows a scene, and sets all controls to it."""
        self.scene = scene
        self._chosen = min(self._chosen, len(scene.members) - 1)
        member, source = scene.members[self._chosen], scene.source
        self.member.set_options({k: f"{k + 1}: {m.kind}" for k, m in enumerate(scene.members)}, value=self._chosen)
        self.lens_kind.set_value(member.kind)
        self.source_kind.set_value(source.kind)
        self.method.set_value(scene.method)
        self.terms.show(scene.terms)
        for name, dial in self.lens_dials.items():
            dial.show(getattr(member, name))
            dial.visible(name in state.LENS_USES[member.kind])
        for name, dial in self.source_dials.items():
            dial.show(getattr(source, name))
            dial.visible(name in state.SOURCE_USES[source.kind])
        self.picture.set_visibility(source.kind == "picture")
        self.remove.set_enabled(len(scene.members) > 1)
        self.add.set_enabled(len(scene.members) < state.MOST_MEMBERS)
        self._draw()

    def _draw(self) -> None:
        self.panels.show(self.scene, compare=bool(self.compare.value))

    def _method_controls(self) -> None:
        with ui.element("fieldset").classes("group"):
            ui.element("legend").classes("group-name").props('innerHTML="Method"')
            known = {"exact": "exact ray tracing", "roulette": "roulette"}
            self.method = ui.radio(known, value=self.scene.method, on_change=lambda event: self._set(method=event.value))
            self.method.props('inline dense aria-label="Method"')
            self.terms = Dial(state.TERMS, self.scene.terms, self._set_terms)
            self.compare = ui.switch("compare exact and roulette", value=True, on_change=lambda _: self._draw())

    def _lens_controls(self) -> None:
        with ui.element("fieldset").classes("group"):
            ui.element("legend").classes("group-name").props('innerHTML="Lens"')
            with ui.element("div").classes("two"):
                self.member = ui.select({0: "1"}, value=0, label="Lens", on_change=lambda event: self._choose(event.value))
                self.lens_kind = ui.select(
                    list(get_args(LensKind)), value="SIS", label="Kind of lens", on_change=lambda event: self._set_member(kind=event.value)
                )
            with ui.row().classes("gap-2"):
                self.add = ui.button("Add a lens", on_click=self._add).props("outline dense no-caps")
                self.remove = ui.button("Remove this lens", on_click=self._remove).props("outline dense no-caps")
            self.lens_dials = {name: self._lens_dial(name) for name in state.LENS}

    def _source_controls(self) -> None:
        with ui.element("fieldset").classes("group"):
            ui.element("legend").classes("group-name").props('innerHTML="Source"')
            self.source_kind = ui.select(
                list(get_args(SourceKind)), value="Gaussian", label="Kind of source", on_change=lambda event: self._set_kind(event.value)
            )
            self.picture = ui.upload(
                label="Picture of the source (PNG, JPEG, FITS, …)", auto_upload=True, max_files=1,
                max_file_size=upload.LARGEST_FILE, on_upload=self._upload, on_rejected=lambda: ui.notify(too_large(), type="negative"),
            ).props("flat bordered").classes("uploader")  # fmt: skip
            self.source_dials = {name: self._source_dial(name) for name in state.SOURCE}

    def _lens_dial(self, name: str) -> Dial:
        return Dial(state.LENS[name], getattr(self.scene.members[0], name), lambda value: self._set_member(**{name: value}))

    def _source_dial(self, name: str) -> Dial:
        return Dial(state.SOURCE[name], getattr(self.scene.source, name), lambda value: self._set_source(**{name: value}))

    def _set(self, **changes: Any) -> None:
        changed = replace(self.scene, **changes)
        if changed != self.scene:
            self.scene = changed
            self._draw()

    def _set_terms(self, value: float) -> None:
        order = state.order_near(value)
        self.terms.show(order)
        self._set(terms=order)

    def _set_member(self, **changes: Any) -> None:
        members = list(self.scene.members)
        changed = replace(members[self._chosen], **changes)
        if changed != members[self._chosen]:
            members[self._chosen] = changed
            new_kind = "kind" in changes
            self.scene = replace(self.scene, members=tuple(members))
            self.apply(self.scene) if new_kind else self._draw()

    def _set_source(self, **changes: Any) -> None:
        self._set(source=replace(self.scene.source, **changes))

    def _set_kind(self, kind: SourceKind) -> None:
        if kind != self.scene.source.kind:
            self.apply(replace(self.scene, source=replace(self.scene.source, kind=kind)))

    def _choose(self, index: int | None) -> None:
        if index is not None and index != self._chosen:
            self._chosen = index
            self.apply(self.scene)

    def _add(self) -> None:
        turn = len(self.scene.members)
        new = Member("SIS", 25.0, x=float((70 * turn) % 240 - 100), y=float((50 * turn) % 180 - 70))
        self._chosen = turn
        self.apply(replace(self.scene, members=(*self.scene.members, new)))

    def _remove(self) -> None:
        members = [member for k, member in enumerate(self.scene.members) if k != self._chosen]
        self._chosen = 0
        self.apply(replace(self.scene, members=tuple(members)))

    def _dragged(self, panel: str, what: str, x: float, y: float) -> None:
        """The mouse at a point of the image or of the source plane, with its button pressed or not."""
        if what == "end":
            self._held = False
            return
        inside = (round(min(max(place, -200.0), 200.0), 1) for place in (x, y))
        x, y = inside
        if panel == "source":
            self._set_source(x=x, y=y)
            places = self.source_dials
        else:
            if not self._held:
                distances = [hypot(member.x - x, member.y - y) for member in self.scene.members]
                nearest = distances.index(min(distances))
                if distances[nearest] > _NEAR:
                    return
                self._held = True
                self._choose(nearest)
                self.member.set_value(nearest)
            self._set_member(x=x, y=y)
            places = self.lens_dials
        places["x"].show(x)
        places["y"].show(y)

    async def _upload(self, event: events.UploadEventArguments) -> None:
        try:
            content = await content_of(event)
            picture = upload.picture(self._folder.keep(event.file.name, content))
        except BadInput as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=10_000)
            self.panels.said.set_text(str(error))
        else:
            self.apply(replace(self.scene, source=replace(self.scene.source, kind="picture", picture=picture, sigma=40.0)))
        finally:
            self.picture.reset()


def too_large() -> str:
    """What is said of a file that the browser does not send."""
    return f"expected one file of at most {upload.LARGEST_FILE >> 20} MB"


async def content_of(event: events.UploadEventArguments) -> bytes:
    """The bytes of an uploaded file.

    Raises:
        BadInput: it is too large; it is not read into memory then.
    """
    if event.file.size() > upload.LARGEST_FILE:
        raise BadInput(path=upload.plain_name(event.file.name), value=event.file.size(), expected=f"at most {upload.LARGEST_FILE} bytes")
    return await event.file.read()
