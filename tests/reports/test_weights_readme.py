from bench.cell import level_amount
from bench.suites import missing_the_mark as suite
from reports.readme import block
from results.record import MaskFacts

from .weights_records import own, record, unlinked


def test_accuracies_by_method_and_sparsity(registry):
    for seed in (0, 1):
        registry.put(record(suite.base(suite.LENET, seed), 98.2))
        registry.put(record(suite.SNIP.cell(suite.LENET, level_amount(4), seed), 98.0 + 0.1 * seed))
    lines = block(registry).splitlines()
    assert lines[0].startswith("**[paper, second suite](reports/rendered/paper/missing_the_mark.md)**: Test accuracy")
    assert (
        "| LeNet-300-100 on MNIST: percent pruned | 0 | 36.0 % | 59.0 % | 79.0 % | 91.4 % | 96.5 % | 98.2 % |" in lines
    )
    row = next(line for line in lines if line.startswith("| SNIP |"))
    assert unlinked(row).startswith("| SNIP | 98.20 ± 0.00 (2) | missing | 98.05 ± 0.07 (2) | missing |")
    page = "reports/rendered/paper/missing_the_mark_lenet300_100-mnist.md"
    assert f"| [98.05 ± 0.07 (2)]({page}#missing_the_mark-lenet300_100-mnist-snip-k4) |" in row
    assert not any(line.startswith("| GraSP") for line in lines), "nothing of it was run"
    assert "`python -m bench run --profile paper --suite missing_the_mark --missing` runs them." in lines[-1]


def test_a_score_of_ones_own_has_a_row(registry):
    registry.put(record(suite.base(suite.LENET, 0), 98.2))
    registry.put(own(suite.RANDOM.cell(suite.LENET, level_amount(4), 0), "mine", 97.5))
    (row,) = (line for line in block(registry).splitlines() if line.startswith("| mine"))
    assert unlinked(row).startswith("| mine<br>*not in the paper* | 98.20 (1) | missing | 97.50 (1) | missing |")


def test_masks_without_training_show_neurons_beside_the_paper(registry):
    network = suite.RESNET20
    facts = MaskFacts(neurons_pruned=240, neurons_total=784, neuron_curve=[1.0] * 101, effective_weights=1)
    for seed in (0, 1, 2):
        cell = suite.SYNFLOW.cell(network, level_amount(6), seed)
        registry.put(record(cell, None, profile="masks", mask=facts))
    text = block(registry)
    assert "What masks at initialisation do" in text
    assert "30.6 ± 0.0 (3)<br>paper 31<br>**EQUIVALENT** -0.4" in unlinked(text)
