"""Progress in a log and on a terminal."""

import io

import pytest

from lensjax._internal.progress import Progress


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_says_what_is_done_with_a_long_item() -> None:
    out = io.StringIO()
    with Progress(3, "image", out=out, every=0.0) as progress:
        progress.note("lens light")
        progress.update()
        progress.note("source of shapelets")
    lines = out.getvalue().splitlines()
    assert lines[0] == "image 1 of 3: lens light" and lines[-1] == "image 2 of 3: source of shapelets"


def test_a_log_says_nothing_of_short_items() -> None:
    out = io.StringIO()
    with Progress(None, "image", out=out) as progress:
        progress.note("lens light")
    assert out.getvalue() == ""


@pytest.mark.parametrize("total", [2, None])
def test_a_terminal_has_the_words_behind_the_bar(total: int | None) -> None:
    out = Terminal()
    with Progress(total, "image", out=out) as progress:
        progress.note("source of shapelets")
        progress.update(2)
    assert "source of shapelets" in out.getvalue()
