"""Figures 16-20: the share of each layer's filters that the gradient-norm measures prune."""

from collections.abc import Iterator

from bench.profiles import Profile
from bench.suites import gradient_flow as suite
from reports.curves import GRADIENT_NORM, rounds_in, stand_in, without_rounds
from reports.dynamics.panels import Drawing, Line, Panel, line
from reports.evidence import Evidence, Setting
from reports.tables import percent, rounds_text
from results.record import Record

DATASET = "cifar100"
"""Where the paper looks at layers."""

_RESIDUAL = "resnet56"
_NETWORKS = {16: "vgg13", 17: "mobilenet_v1"}
_BLOCKS = {18: 1, 19: 5, 20: 25}  # figures of ResNet-56 and their rounds


def dataset(evidence: Evidence, model: str) -> str:
    """The data set of a network's figures: the paper's, or, where nothing is compared, that of the most finished runs.

    Of as many runs, the paper's.
    """
    found = sorted(evidence.profile.datasets, key=lambda name: name != DATASET)

    def runs(name: str) -> int:
        settings = (Setting(model, name, score, n) for score in GRADIENT_NORM for n in evidence.profile.rounds)
        return sum(record.status == "done" for setting in settings for record in evidence.seeds(setting).values())

    return found[0] if evidence.profile.comparable else max(found, key=runs)


def drawings(evidence: Evidence) -> Iterator[Drawing]:
    """Figures 16-20; those of one number of rounds only where the profile prunes in so many."""
    profile = evidence.profile
    for number, model in _NETWORKS.items():
        data = dataset(evidence, model)
        panels = tuple(_panel(evidence, model, data, n, rounds_text(n), "") for n in profile.rounds)
        title = f"{suite.PRINTED_NAMES[model]} on {suite.PRINTED_NAMES[data]}"
        yield _drawing(number, title, "layer", panels, (*_remarks(model, data), _without(profile)))
    data = dataset(evidence, _RESIDUAL)
    for number, wanted in _BLOCKS.items():
        n = rounds_in(profile, wanted)
        if n is not None:
            stages = tuple(_panel(evidence, _RESIDUAL, data, n, f"Block {k + 1}", f"stages.{k}.") for k in range(3))
            title = f"ResNet-56 on {suite.PRINTED_NAMES[data]}, {rounds_text(n)}"
            instead = stand_in(n, None if n == wanted else wanted)
            remarks = (instead, *_remarks(_RESIDUAL, data), _INDEX)
            yield _drawing(number, title, "layer within the block", stages, remarks)


def _without(profile: Profile) -> str:
    """What became of the paper's panels of other numbers of rounds."""
    lacking = " and ".join(str(n) for n in suite.ROUNDS if n not in profile.rounds)
    if not lacking:
        return ""
    if not profile.shows_published:
        return f"{rounds_text(max(profile.rounds)).capitalize()} stand in for {lacking}."
    return f"The paper's panel of {lacking} rounds is left out."


def _remarks(model: str, data: str) -> tuple[str, ...]:
    instead = "" if data == DATASET else f"On {suite.PRINTED_NAMES[data]} instead of {suite.PRINTED_NAMES[DATASET]}."
    gone = (
        f"Of the network's filters {percent(model, data)} are pruned; shown is the share of the layer's that are gone "
        "after the last round, mean over seeds; a band is one standard deviation."
    )
    return instead, gone


def left_out(evidence: Evidence) -> Iterator[str]:
    """A sentence for each figure that the profile has no rounds for."""
    return without_rounds(_BLOCKS, evidence.profile)


_COLOURS = {"grasp_t200": 3, "abs_grasp": 0, "grasp_t1": 4}
"""Those of the accuracy curves, by their place in the palette."""

_INDEX = (
    "In block 1 even layers are the first convolutions of their modules, odd ones the second; in blocks 2 and 3 the "
    "shortcut of the first module is layer 2, so that first convolutions are odd from there on."
)


def _drawing(number: int, title: str, x: str, panels: tuple[Panel, ...], remarks: tuple[str, ...]) -> Drawing:
    whole = f"Pruned by layer: {title}"
    return Drawing(
        number=number, title=whole, x=x, y="share of filters pruned", panels=panels, remarks=remarks, limits=(0, 1)
    )


def _panel(evidence: Evidence, model: str, data: str, rounds: int, title: str, within: str) -> Panel:
    lines: list[Line] = []
    absent: list[str] = []
    for score, label in GRADIENT_NORM.items():
        setting = Setting(model, data, score, rounds)
        found = _done(evidence, setting)
        if found:
            lines.append(_line(label, found, within, _COLOURS[score]))
        absent += evidence.absent(setting, label)
    return Panel(title=title, lines=tuple(lines), absent=tuple(absent))


def _done(evidence: Evidence, setting: Setting) -> list[Record]:
    records = evidence.seeds(setting).values()
    return [record for record in records if record.status == "done" and record.layers]


def _line(label: str, records: list[Record], within: str, colour: int) -> Line:
    values: dict[float, list[float]] = {}
    for record in records:
        layers = [layer for layer in record.layers if layer.name.startswith(within)]
        for place, layer in enumerate(layers):
            values.setdefault(place, []).append(1 - layer.kept / layer.total)
    return line(label, values, colour)
