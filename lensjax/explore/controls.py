"""A number as a slider and a field, both with a name that screen readers say."""

import math
from collections.abc import Callable

from nicegui import events, ui

from lensjax.explore.state import Control

_OFTEN = 0.025  # s between two values of a slider that moves


class Dial:
    """A slider and a number field of one value. Values that the user sets are passed on; those out of range are marked instead."""

    def __init__(self, control: Control, value: float, changed: Callable[[float], None]) -> None:
        self.control, self.value, self._changed = control, float(value), changed
        name = f"{control.label} [{control.unit}]" if control.unit else control.label
        with ui.element("div").classes("dial") as self.row:
            ui.label(name).classes("dial-name").props("aria-hidden=true")
            self.slider = ui.slider(min=control.low, max=control.high, step=control.step, value=value).props(f'aria-label="{name}, slider"')
            self.field = ui.number(value=value, min=control.low, max=control.high, step=control.step, validation=self._against)
            self.field.props(f'dense outlined hide-bottom-space aria-label="{name}"').classes("dial-field")
        # The slider's own event comes only every 50 ms.
        self.slider.on("update:model-value", self._moved, [None], throttle=_OFTEN)
        self.field.on_value_change(lambda event: self._entered(event.value))

    def show(self, value: float) -> None:
        """Shows a value, without passing it on."""
        self.value = float(value)
        self.slider.set_value(self.value)
        self.field.set_value(_rounded(self.value))

    def visible(self, shown: bool) -> None:
        """Shows or hides it."""
        self.row.set_visibility(shown)

    def _against(self, value: float | None) -> str | None:
        low, high = self.control.low, self.control.high
        return None if value is not None and math.isfinite(value) and low <= value <= high else f"expected {low:g} to {high:g}"

    def _moved(self, event: events.GenericEventArguments) -> None:
        value = event.args[0] if isinstance(event.args, list) else event.args
        self._entered(value)

    def _entered(self, value: object) -> None:
        if not isinstance(value, int | float) or self._against(value) is not None or _rounded(value) == _rounded(self.value):
            return
        self.value = float(value)
        self.slider.set_value(self.value)
        self.field.set_value(_rounded(self.value))
        self._changed(self.value)


def _rounded(value: float) -> float:
    return round(float(value), 2)
