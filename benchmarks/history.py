"""Keeps the figures of a benchmark from commit to commit, and draws them.

    python benchmarks/benchmark_render.py --json --no-peers | python benchmarks/history.py add render
    python benchmarks/history.py add refine rows.jsonl
    python benchmarks/history.py plot render [--figure images_per_s] [--only sie] [--out results/history.png]

`add` reads JSON objects, one a line as the benchmarks' --json writes them, from a file or from its input, and appends each to
benchmarks/history.jsonl with the benchmark's name, the time, the commit ("+" where files were changed) and the machine: processor, cores,
jax and the system. A benchmark on a busy machine says little: add quiet runs. `plot` draws a figure of each row against time, one line
for each row and machine, with the commits on the axis.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HISTORY = Path(__file__).with_name("history.jsonl")
BY = ("name", "batch", "device")
"""Fields that tell the rows of a benchmark apart."""

Record = dict[str, Any]


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--history", type=Path, default=HISTORY, metavar="FILE", help="the figures (benchmarks/history.jsonl)")
    commands = parser.add_subparsers(required=True)
    adds = commands.add_parser("add", help="append a benchmark's rows")
    adds.add_argument("benchmark", help="its name, such as render")
    adds.add_argument("rows", type=Path, nargs="?", metavar="FILE", help="JSON lines (the input)")
    adds.set_defaults(run=lambda options: add(options.history, options.benchmark, lines(options.rows), now=stamp()))
    plots = commands.add_parser("plot", help="draw them")
    plots.add_argument("benchmark", help="its name, such as render")
    plots.add_argument("--figure", default="images_per_s", help="the field to draw (images_per_s)")
    plots.add_argument("--only", default="", metavar="TEXT", help="only the rows whose name contains TEXT")
    plots.add_argument("--out", type=Path, default=Path("results/history.png"), metavar="FILE", help="PNG (results/history.png)")
    plots.set_defaults(run=lambda options: plot(options.history, options.benchmark, options.figure, only=options.only, out=options.out))
    options = parser.parse_args()
    options.run(options)


def lines(path: Path | None) -> list[str]:
    """Those of a file, or of the standard input."""
    return (path.read_text() if path else sys.stdin.read()).splitlines()


def add(history: Path, benchmark: str, rows: Iterable[str], *, now: Record) -> int:
    """Appends the rows with `now`, and returns their number."""
    parsed = [json.loads(line) for line in rows if line.strip()]
    with history.open("a") as file:
        for row in parsed:
            file.write(json.dumps({"benchmark": benchmark, **now, "row": row}) + "\n")
    return len(parsed)


def stamp() -> Record:
    """Time, commit and machine, as fields of a record."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    commit = git("rev-parse", "--short=10", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "jax": metadata.version("jax"),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """The processor's name."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def read(history: Path, benchmark: str) -> list[Record]:
    """The records of a benchmark, the oldest first."""
    records = [json.loads(line) for line in history.read_text().splitlines() if line]
    return sorted((record for record in records if record["benchmark"] == benchmark), key=lambda record: record["time"])


def series(records: Iterable[Record], figure: str, *, only: str = "") -> dict[str, list[tuple[int, float]]]:
    """(index of the run, value) for each row and machine; a run is one time of `add`."""
    lines: dict[str, list[tuple[int, float]]] = {}
    times: list[str] = []
    for record in records:
        row = record["row"]
        if record["time"] not in times:
            times.append(record["time"])
        value = row.get(figure)
        if only not in str(row.get("name", "")) or not isinstance(value, int | float):
            continue
        label = ", ".join(str(row[field]) for field in BY if field in row) + f" ({record['processor']}, {record['cores']} cores)"
        lines.setdefault(label, []).append((times.index(record["time"]), float(value)))
    return lines


def plot(history: Path, benchmark: str, figure: str, *, only: str, out: Path) -> None:
    """Draws the figure of every row."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    records = read(history, benchmark) if history.exists() else []
    lines = series(records, figure, only=only)
    if not lines:
        sys.exit(f"history: no {figure} of {benchmark} in {history}")
    runs = list(dict.fromkeys((record["time"], record["commit"]) for record in records))
    drawing, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    for label, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set_xticks(range(len(runs)), [f"{time[:10]}\n{commit}" for time, commit in runs], fontsize="small")
    axes.set_ylabel(figure)
    axes.set_yscale("log")
    axes.legend(fontsize="x-small")
    out.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(out, dpi=120)
    print(out)


if __name__ == "__main__":
    main()
