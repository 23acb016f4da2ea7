"""The picture of the report: CPU time a request on a logarithmic axis, and ratios to stock with their targets."""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from loadtest.markdown import number
from loadtest.records import Checked
from loadtest.results import Results
from loadtest.scenario import Group
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
CAPTIONS = {
    Group.READS: "Reads: entities x features",
    Group.ON_DEMAND: "On-demand features, 4 + 2: entities, mode",
    Group.PUSHES: "Pushes: rows",
}
CAPTION = 0.7  # of the height of a scenario
TOP_INCHES, ROW_INCHES, LEGEND_INCHES, BOTTOM_INCHES = 0.35, 0.52, 0.35, 0.65


class Row(NamedTuple):
    """A scenario and its place, in heights of a scenario from the top."""

    scenario: Checked
    place: float


def draw(results: Results, file: Path) -> bool:
    """Write the picture; False, and no file, when not both servers were measured."""
    rows, captions = layout([checked for checked in results.scenarios if results.ratios(checked.name)])
    if not rows:
        return False
    with rc_context(STYLE):
        bottom = rows[-1].place + 0.5
        height = TOP_INCHES + ROW_INCHES * bottom + BOTTOM_INCHES
        figure = Figure(figsize=(10, height), facecolor="white")
        left, right = figure.subplots(1, 2, sharey=True)
        figure.subplots_adjust(left=0.095, right=0.99, top=1 - TOP_INCHES / height, bottom=BOTTOM_INCHES / height, wspace=0.04)
        _times(left, results, rows)
        _ratios(right, results, rows)
        left.set_yticks([row.place for row in rows], [row.scenario.label or row.scenario.name for row in rows])
        left.set_ylim(bottom, 0)
        for caption, place in captions.items():
            left.text(0, place, caption, transform=left.get_yaxis_transform(), fontweight="bold", va="center")
        for axes in (left, right):
            _legend(axes, bottom)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(length=0)
            axes.grid(axis="x", color=PALE, linewidth=0.6)
            axes.set_axisbelow(True)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=150)
    return True


def layout(scenarios: Iterable[Checked]) -> tuple[list[Row], dict[str, float]]:
    """Return each scenario's place, group by group, and that of each group's caption, which is above them."""
    rows: list[Row] = []
    captions = {}
    end = 0.0
    for group, members in groupby(sorted(scenarios, key=lambda one: list(Group).index(one.group)), key=lambda one: one.group):
        captions[CAPTIONS[group]] = end + CAPTION / 2
        end += CAPTION
        for scenario in members:
            rows.append(Row(scenario, end + 0.5))
            end += 1
    return rows, captions


def _times(axes: Axes, results: Results, rows: list[Row]) -> None:
    stock, ours = (
        [median.cpu_us for row in rows if (median := results.measured(row.scenario.name, kind))]
        for kind in (Kind.STOCK, Kind.OURS)
    )
    places = [row.place for row in rows]
    axes.hlines(places, ours, stock, color=PALE, linewidth=3, zorder=1)
    for times, colour, label, side in ((ours, CPU, "this service", -9), (stock, STOCK, "stock Feast", 9)):
        axes.scatter(times, places, color=colour, s=42, zorder=2, label=label)
        for place, time in zip(places, times, strict=True):
            where = "left" if side > 0 else "right"
            axes.annotate(number(time), (time, place), (side, 0), textcoords="offset points", ha=where, va="center")
    axes.set_xscale("log")
    axes.set_xlim(min(ours) / 4, max(stock) * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("CPU time a request, microseconds (logarithmic axis)", loc="left", fontsize=10)


def _ratios(axes: Axes, results: Results, rows: list[Row]) -> None:
    ratios = [found for row in rows if (found := results.ratios(row.scenario.name))]
    places = [row.place for row in rows]
    for which, colour, label, shift in ((1, CPU, "CPU time", -BAR / 2), (0, REQUESTS, "requests/s", BAR / 2)):
        values = [found[which] for found in ratios]
        axes.barh([place + shift for place in places], values, BAR, color=colour, label=label)
        for place, value in zip(places, values, strict=True):  # in a column, where no bar and no goal can be
            axes.text(1, place + shift, number(value), transform=axes.get_yaxis_transform(), ha="right", va="center")
    wanted = [(row.scenario.target, row.place) for row in rows if row.scenario.target]
    if wanted:
        goals, at = zip(*wanted, strict=True)
        axes.vlines(
            goals, [place - 0.46 for place in at], [place + 0.46 for place in at], color=INK, linewidth=1.6, label="to reach"
        )
    axes.set_xlim(0, 1.15 * max(*(max(found) for found in ratios), *(target for target, _ in wanted), 1))
    axes.set_title("times less CPU, times more requests/s than stock Feast", loc="left", fontsize=10)


def _legend(axes: Axes, heights: float) -> None:
    """Put the legend in one line under the axes, where no value can be."""
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0, -LEGEND_INCHES / (ROW_INCHES * heights)),
        ncols=3,
        frameon=False,
        borderaxespad=0,
    )
