"""How much a mask by magnitude changes from one epoch to the next."""

from torch import Tensor


def mask_distance(before: Tensor, after: Tensor, share: float = 0.2) -> float:
    """Share of places in which the masks of two vectors of magnitudes differ (normalised Hamming distance).

    A mask keeps what is larger than the number at place int(share * n) of the ascending order, counted from 0, as in
    the code of You et al. (2020) that the paper follows (section 4.2, PROTOCOLS A.8): one more than that is pruned.

    Args:
        before: [n], of any sign; magnitudes count.
        after: [n].
        share: what is pruned, 0.2 in the paper's Figure 2.

    Raises:
        ValueError: the vectors are of different lengths, or empty, or the share is not in [0, 1).
    """
    if before.shape != after.shape or not before.numel():
        raise ValueError(f"masks of shapes {list(before.shape)} and {list(after.shape)} have no distance")
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}; it must be at least 0 and below 1")
    return float((_mask(before, share) != _mask(after, share)).double().mean())


def _mask(values: Tensor, share: float) -> Tensor:
    values = values.detach().abs()
    return values > values.sort().values[int(share * values.numel())]
