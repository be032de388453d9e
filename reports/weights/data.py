"""Which networks are on other data than the paper's, and what of them may not be held against printed numbers."""

from collections.abc import Iterator

from bench.cell import Cell
from bench.profiles import PROFILES
from bench.suites.missing_the_mark import Network
from reports.verdicts import Verdict
from reports.weights import words
from reports.weights.evidence import Evidence

OTHER_IMAGES = "scored on other images than the paper's"
_PARTS = {"tiny_imagenet_subset": " (50 of the 500 training images of each class)"}


def swapped(network: Network) -> bool:
    """Whether a profile's ``network`` is on another data set than in the paper."""
    paper = words.own(PROFILES["paper"], network)
    return paper is not None and paper.dataset != network.dataset


def on_other_images(evidence: Evidence, cell: Cell) -> bool:
    """Whether the masks of ``cell`` were scored on images that the paper's were not: another quantity than printed."""
    if not swapped(Network(model=cell.model, dataset=cell.dataset)):
        return False
    facts = (record.data for record in evidence.seeds(cell).values())
    return any(data is not None and data.score_images for data in facts)


def other_data(evidence: Evidence) -> Iterator[str]:
    """A paragraph on the networks on other data, and on what that does to their masks."""
    if found := [each for each in words.networks(evidence.profile) if swapped(each)]:
        names = ", ".join(f"{words.title(each)}{_PARTS.get(each.dataset, '')}" for each in found)
        yield (
            f"On other data than the paper's: {names}. Masks by magnitude, SynFlow and random scores depend on no "
            "image, so theirs are of the paper's kind. Those by SNIP and GraSP are scored on other images: they are "
            f"{Verdict.NOT_COMPARABLE} with the printed numbers, beside which the differences stand for information. "
            "Claims about several networks count them with the others."
        )
