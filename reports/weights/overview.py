"""The first page of the second suite: what was run, the unpruned networks, the sparsity ranges, what is missing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from bench import cost
from bench.cell import Cell, level_amount
from bench.profiles import Profile
from bench.suites.missing_the_mark import AFTER, RANDOM, SUITE, Method, Network, base, training
from reports.markdown import grid, number
from reports.prices import Prices
from reports.provenance import environments
from reports.tables import Linker
from reports.views import Sample
from reports.weights import places, records, words
from reports.weights.evidence import Evidence, best_accuracy
from reports.weights.ranges import TOLERANCE, Ranges, ranges, up_to

_STATES = ("done", "diverged", "failed", "missing")


def page(evidence: Evidence, link: Linker, links: Mapping[str, str]) -> str:
    """The page; ``links`` names the suite's other pages."""
    profile = evidence.profile
    parts = [
        f"# Pruning at initialisation: profile {profile.name}",
        "Frankle, Dziugaite, Roy and Carbin, Pruning Neural Networks at Initialization: Why Are We Missing the Mark? "
        f"(ICLR 2021). Profile {profile.name} runs {len(evidence.planned):,} cells of it.",
        *words.standing(profile),
        "\n".join(f"- [{title}]({target})" for title, target in links.items()),
        _runs(evidence),
        _dense(evidence, link),
        _ranges(evidence),
        _missing(evidence),
        environments(record for seeds in evidence.records.values() for record in seeds.values()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def missing_command(profile: Profile, network: Network | None = None) -> str:
    """What runs the cells of this suite that have no final record, of one network or of all."""
    only = ""
    if network is not None:
        only = f" --model {network.model}"
        if any(each.model == network.model for each in words.networks(profile) if each != network):
            only += f" --dataset {network.dataset}"
    return f"python -m bench run --profile {profile.name} --suite {SUITE}{only} --missing"


def _runs(evidence: Evidence) -> str:
    counts: dict[tuple[str, str, str], Counter[str]] = {}
    for cell in evidence.planned | frozenset(_recorded(evidence)):
        counts.setdefault((cell.model, cell.dataset, training(cell)), Counter())[evidence.state(cell)] += 1
    rows = [
        [
            _linked(evidence, network, name),
            words.described(protocol),
            *_counted(counts.get((network.model, network.dataset, name), Counter())),
        ]
        for network, name, protocol in words.trainings(evidence.profile)
    ]
    rows.append(["all", "", *_counted(sum(counts.values(), Counter()))])
    said = f"{evidence.outdated} records are left out: of another protocol, or of code that computed something else."
    table = grid(["network", "protocol", "cells", *_STATES], rows)
    return "\n\n".join(["## Runs", table, *([said] if evidence.outdated else [])])


def _recorded(evidence: Evidence) -> Iterator[Cell]:
    """Also cells that the profile does not have by itself: other seeds, and scores of the user's own."""
    for seeds in evidence.records.values():
        yield from (Cell.from_dict(record.cell) for record in seeds.values())


def _counted(counts: Mapping[str, int]) -> list[str]:
    return [str(sum(counts.values())), *(str(counts.get(state, 0)) for state in _STATES)]


def _dense(evidence: Evidence, link: Linker) -> str:
    found = [(_linked(evidence, net, name), base(net, 0, name)) for net, name, _ in words.trainings(evidence.profile)]
    rows = [[title, *_accuracy(evidence, cell, link)] for title, cell in found if _has(evidence, cell)]
    if not rows:
        return ""
    said = "Test accuracy in percent after the last epoch, and at the best: mean ± standard deviation (seeds)."
    return f"## Unpruned networks\n\n{said}\n\n{grid(['network', 'last epoch', 'best epoch', 'records'], rows)}"


def _has(evidence: Evidence, cell: Cell) -> bool:
    return cell in evidence.planned or bool(evidence.seeds(cell))


def _accuracy(evidence: Evidence, cell: Cell, link: Linker) -> list[str]:
    last, best = (
        number(Sample(tuple(values.values())))
        for values in (evidence.accuracy(cell), evidence.values(cell, best_accuracy))
    )
    return [last or "missing", best, " ".join(records.runs(evidence, cell, link))]


def _ranges(evidence: Evidence) -> str:
    found = [
        ranges(evidence, network)
        for network, protocol in words.networks(evidence.profile).items()
        if protocol.epochs and all(_runs_anywhere(evidence, network, method) for method in (RANDOM, AFTER))
    ]
    if not found:
        return ""
    rows = [[_linked(evidence, each.network), *_ends(each)] for each in found]
    return f"## Sparsity ranges\n\n{_RANGES}\n\n{grid(['network', 'trivial up to', 'matching up to'], rows)}"


_RANGES = (
    f"Full accuracy is a mean over seeds at most {TOLERANCE} points below that of the unpruned network; the paper does "
    "not say what it takes for full, and this is half of the smallest difference between methods that it speaks of. "
    "Trivial sparsities are those at which random pruning at initialisation keeps full accuracy, matching ones those "
    "at which magnitude pruning after training does. Beyond, a sparsity is extreme (section 3). *Up to* is the highest "
    "of the levels that are run. Figures of one sparsity are drawn at the highest matching one that the paper names, "
    "or at one that stands in where it names none, whatever stands here."
)


def _runs_anywhere(evidence: Evidence, network: Network, method: Method) -> bool:
    return any(_has(evidence, method.cell(network, level_amount(level), 0)) for level in network.levels)


def _linked(evidence: Evidence, network: Network, training: str = "none") -> str:
    """The name of a network, with a link to the page of its records where it has any."""
    name = words.title(network, training)
    return f"[{name}]({places.page(network)}.md)" if network in records.networks(evidence) else name


def _ends(found: Ranges) -> list[str]:
    return [up_to(found.network, found.trivial), up_to(found.network, found.matching)]


def _missing(evidence: Evidence) -> str:
    missing = evidence.missing()
    if not missing:
        return ""
    profile, found = evidence.profile, prices(evidence, missing)
    rows = []
    for network in words.networks(profile):
        if own := [cell for cell in missing if (cell.model, cell.dataset) == (network.model, network.dataset)]:
            seconds = sum(found.seconds(cell) for cell in own)
            command = f"`{missing_command(profile, network)}`"
            rows.append([words.title(network), str(len(own)), cost.duration(seconds), command])
    said = (
        f"What is missing or failed takes about {cost.duration(cost.total(found.estimates).seconds)} "
        f"on {found.device}, one cell after the other: `{missing_command(profile)}`"
    )
    return f"## Missing cells\n\n{said}\n\n{grid(['network', 'cells', 'time', 'command'], rows)}"


def prices(evidence: Evidence, missing: Sequence[Cell]) -> Prices:
    """What ``missing`` cells will take on the device that most of the records come from, on a GPU without any."""
    records = [record for seeds in evidence.records.values() for record in seeds.values()]
    kinds = Counter(record.environment.device.partition(":")[0] for record in records).most_common(1)
    device = kinds[0][0] if kinds else "cuda"
    return Prices(device, cost.estimates(missing, evidence.profile, records, device))
