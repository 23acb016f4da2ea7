"""The picture of the report: CPU time a request on a logarithmic axis, and ratios to stock with their targets."""

from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from loadtest.report import number
from loadtest.results import Results
from loadtest.servers import Kind

# Okabe and Ito's palette: told apart with any kind of colour vision, and in grey by their brightness.
STOCK, CPU, REQUESTS, INK, PALE = "#E69F00", "#0072B2", "#56B4E9", "#333333", "#DDDDDD"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.hashsalt": "loadtest",  # the same results give the same file
}
BAR = 0.36  # of the height of a scenario
TOP_INCHES, ROW_INCHES, LEGEND_INCHES, BOTTOM_INCHES = 0.35, 0.52, 0.35, 0.65


def draw(results: Results, file: Path) -> bool:
    """Write the picture; False, and no file, when not both servers were measured."""
    names = [checked.name for checked in results.scenarios if results.ratios(checked.name)]
    if not names:
        return False
    with rc_context(STYLE):
        height = TOP_INCHES + ROW_INCHES * len(names) + BOTTOM_INCHES
        figure = Figure(figsize=(10, height), facecolor="white")
        left, right = figure.subplots(1, 2, sharey=True)
        top, bottom = 1 - TOP_INCHES / height, BOTTOM_INCHES / height
        figure.subplots_adjust(left=0.085, right=0.99, top=top, bottom=bottom, wspace=0.04)
        _times(left, results, names)
        _ratios(right, results, names)
        left.set_yticks(range(len(names)), [name.replace("x", " x ") for name in names])
        left.set_ylabel("entities x features")
        left.invert_yaxis()
        for axes in (left, right):
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(length=0)
            axes.grid(axis="x", color=PALE, linewidth=0.6)
            axes.set_axisbelow(True)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=150)
    return True


def _times(axes: Axes, results: Results, names: list[str]) -> None:
    stock, ours = (
        [median.cpu_us for name in names if (median := results.measured(name, kind))] for kind in (Kind.STOCK, Kind.OURS)
    )
    rows = range(len(names))
    axes.hlines(rows, ours, stock, color=PALE, linewidth=3, zorder=1)
    for times, colour, label, side in ((ours, CPU, "this service", -9), (stock, STOCK, "stock Feast", 9)):
        axes.scatter(times, rows, color=colour, s=42, zorder=2, label=label)
        for row, time in enumerate(times):
            where = "left" if side > 0 else "right"
            axes.annotate(number(time), (time, row), (side, 0), textcoords="offset points", ha=where, va="center")
    axes.set_xscale("log")
    axes.set_xlim(min(ours) / 4, max(stock) * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("CPU time a request, microseconds (logarithmic axis)", loc="left", fontsize=10)
    _legend(axes, len(names))


def _ratios(axes: Axes, results: Results, names: list[str]) -> None:
    ratios = [found for name in names if (found := results.ratios(name))]
    targets = {checked.name: checked.target for checked in results.scenarios}
    for which, colour, label, shift in ((1, CPU, "CPU time", -BAR / 2), (0, REQUESTS, "requests/s", BAR / 2)):
        values = [found[which] for found in ratios]
        axes.barh([row + shift for row in range(len(names))], values, BAR, color=colour, label=label)
        for row, value in enumerate(values):  # in a column, where no bar and no goal can be
            axes.text(1, row + shift, number(value), transform=axes.get_yaxis_transform(), ha="right", va="center")
    wanted = [(target, row) for row, name in enumerate(names) if (target := targets[name])]
    if wanted:
        goals, rows = zip(*wanted, strict=True)
        axes.vlines(
            goals,
            [row - 0.46 for row in rows],
            [row + 0.46 for row in rows],
            color=INK,
            linewidth=1.6,
            label="to reach",
        )
    axes.set_xlim(0, 1.15 * max(*(max(found) for found in ratios), *(target for target, _ in wanted), 1))
    axes.set_title("times less CPU, times more requests/s than stock Feast", loc="left", fontsize=10)
    _legend(axes, len(names))


def _legend(axes: Axes, rows: int) -> None:
    """Put the legend in one line under the axes, where no value can be."""
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -LEGEND_INCHES / (ROW_INCHES * rows)),
        ncols=3,
        frameon=False,
        borderaxespad=0,
    )
