"""What a figure of the second suite says below it: seeds, protocol, and which runs it lacks."""

from collections.abc import Iterable, Iterator, Sequence

from bench.profiles import Profile
from bench.protocol import Protocol
from bench.suites.missing_the_mark import Network
from reports.weights import words
from reports.weights.evidence import State
from reports.weights.series import ACCURACY, Chart, Drawing, Run

_SHOWN = {
    "sparsity": "Test accuracy after the last epoch against the percent of weights pruned.",
    "iteration": "Test accuracy after the last epoch against the iteration after which weights are pruned; vertical "
    "lines are drops of the learning rate.",
    "neurons": "Percent of the neurons of which at least so many percent of the incoming weights are pruned.",
    "layers": "Percent of the weights of each layer that is pruned, layers in forward order.",
    "paths": "Weights on a path from an input to a logit: those of the mask shuffled within layers over those of the "
    "unmodified one; at the grey line, 1, they are as many.",
}
_LISTED = 8
"""Curves beyond which they are counted and not named."""


def caption(drawn: Drawing, profile: Profile) -> str:
    """What is drawn, over how many seeds, by which protocol, and what is absent, in a few sentences."""
    parts = [_SHOWN[drawn.figure.axis], _places(drawn), _own(drawn), _seeds(drawn), *_protocols(drawn, profile)]
    return " ".join(part for part in (*parts, lacking(drawn, profile)) if part)


def lacking(drawn: Drawing, profile: Profile) -> str:
    """A sentence for each network that lacks runs; empty where none does."""
    said = {
        network: absent([chart for chart in drawn.charts if chart.network == network], profile)
        for network in drawn.networks
    }
    return " ".join(f"{words.title(network)}: {text}." for network, text in said.items() if text)


def absent(charts: Sequence[Chart], profile: Profile) -> str:
    """What ``charts`` of one network lack, state by state; empty where they lack nothing."""
    curves = [curve for chart in charts for curve in _curves(chart)]
    every = [("unpruned", charts[0].dense_runs), *curves]  # the unpruned runs are the same in all charts
    lacking = [_lacking(every, state) for state in ("missing", "failed", "diverged")]
    return "; ".join(part for part in (*lacking, _unplanned(curves, profile)) if part)


def _curves(chart: Chart) -> list[tuple[str, Sequence[Run]]]:
    """Names and runs of the curves; a panel of which all runs are in one state is named as a whole."""
    if chart.title and len({run.state for run in chart.runs}) == 1:
        return [(chart.title, chart.runs)]
    return [(curve.label.replace(", ", " "), curve.runs) for curve in chart.curves if curve.runs]


def _unplanned(curves: Sequence[tuple[str, Sequence[Run]]], profile: Profile) -> str:
    """``not run in profile demo: GraSP, SNIP (1 of 2 places)``, or ``not run in profile demo`` of everything."""
    found = [
        (name, {run.x for run in runs}, {run.x for run in runs if run.state == "not run"}) for name, runs in curves
    ]
    never = [name for name, places, unplanned in found if unplanned == places]
    partly = {name: f"{len(some)} of {len(places)} places" for name, places, some in found if some and some != places}
    if not never and not partly:
        return ""
    names = [*never, *(f"{name} ({said})" for name, said in partly.items())]
    if len(set(partly.values())) == 1 and len(never) + len(partly) == len(found):
        names = [*never, f"{next(iter(partly.values()))} of every {'other ' if never else ''}curve"]
    which = "" if len(never) == len(found) else f": {_listed(names)}"
    return f"not run in profile {profile.name}{which}"


def _lacking(curves: Iterable[tuple[str, Sequence[Run]]], state: State) -> str:
    """``missing: 6 of 24 runs, SNIP (4 of 12), GraSP (2 of 12)``."""
    known = [(name, [run for run in runs if run.state != "not run"]) for name, runs in curves]
    found = [(name, sum(run.state == state for run in runs), len(runs)) for name, runs in known]
    count, whole = (sum(numbers) for numbers in zip(*((some, all_) for _, some, all_ in found), strict=True))
    if not count:
        return ""
    if count == whole:
        return f"{state}: all {whole} runs"
    names = [f"{name} ({'all' if some == all_ else some} of {all_})" for name, some, all_ in found if some]
    return f"{state}: {count} of {whole} runs, {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_LISTED], *([f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else [])])


def _places(drawn: Drawing) -> str:
    """The sparsity of each network, in figures that look at one."""
    if drawn.figure.axis not in ("iteration", "neurons", "layers"):
        return ""
    found = (f"{words.model(network)} with {_percent(drawn, network):.1f} %" for network in drawn.networks)
    measured = ", ".join(dict.fromkeys(chart.matching for chart in drawn.charts if chart.matching))
    instead = f"which stands in for its highest matching sparsity, as the paper names none; measured here: {measured}"
    why = f", {instead}" if measured else ""
    return f"{', '.join(found)} of its weights pruned{why}."


def _percent(drawn: Drawing, network: Network) -> float:
    _, cell = next(drawn.figure.series(drawn.figure.panels[0].methods[0], network, 0))
    return 100 * float(cell.amount or 0)


def _own(drawn: Drawing) -> str:
    """Which curves are of scores of the user's own."""
    printed = {method for panel in drawn.figure.panels for method in panel.methods}
    curves = (curve for chart in drawn.charts for curve in chart.curves)
    names = dict.fromkeys(curve.label for curve in curves if curve.runs and curve.method not in printed)
    return f"Not in the paper: {', '.join(names)}." if names else ""


def _seeds(drawn: Drawing) -> str:
    """How many seeds are behind a point."""
    charts = [chart for chart in drawn.charts if not chart.empty]
    pruned = {point.n for chart in charts for curve in chart.curves for point in curve.points}
    dense = {chart.dense.n for chart in charts if chart.dense is not None}
    if not pruned:
        return ""
    return f"Seeds: n = {_span(pruned)}{f', unpruned {_span(dense)}' if dense and dense != pruned else ''}."


def _span(counts: Iterable[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def _protocols(drawn: Drawing, profile: Profile) -> Iterator[str]:
    """Networks that share a protocol share a sentence."""
    every = words.networks(profile)
    late = any(method.at for panel in drawn.figure.panels for method in panel.methods)
    said: dict[str, list[str]] = {}
    for network in drawn.networks:
        trained = drawn.figure.axis in ACCURACY or (late and every[network].epochs)
        text = words.described(every[network]) if trained else _masked(every[network])
        said.setdefault(text, []).append(words.model(network))
    for text, names in said.items():
        yield f"{', '.join(names)} in profile {profile.name}: {text}."


def _masked(protocol: Protocol) -> str:
    return f"masks at initialisation, of {protocol.score_samples:,} training images where a score takes any"
