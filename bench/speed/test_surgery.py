"""Seconds from scores to a smaller network, against concatenate, sort, threshold and copy."""

import pytest
import torch

from bench.speed.networks import amount, network, protected
from bench.speed.race import Race
from bench.speed.sizes import Size
from bench.speed.textbook_surgery import rebuilt, threshold_mask
from bench.suites.gradient_flow import MODELS
from pruning import amounts, masks, scores, surgery
from pruning.rounds import FLOOR

pytestmark = [pytest.mark.speed, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("model", MODELS)
def test_mask_and_surgery(model: str, race: Race, size: Size) -> None:
    """Time both for the same number of filters."""
    net = network(model, "dense", size.width).to(race.device)
    found, stays = scores.filter_scores("magnitude", net, []), protected(net)
    total = sum(len(score) for score in found.values())
    number = amounts.count(amount(model), total)

    def ours() -> torch.nn.Module:
        return surgery.shrink(net, masks.global_mask(found, amount(model), floor=FLOOR, protected=stays))

    race.run(
        {"textbook": lambda: rebuilt(net, threshold_mask(found, number, stays, float(FLOOR)))},
        ("global_mask + shrink", ours),
        rounds=size.quick_rounds,
        group="Mask and surgery",
        setup={"model": model, "filters": f"{total - number} of {total} left"},
    )
