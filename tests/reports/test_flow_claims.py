"""The claims of the gradient-flow paper: on its own numbers, and on records made by hand."""

import math
import re
from itertools import product

import msgspec
import numpy as np
import pytest
import torch
from torch import nn

from bench import profiles
from bench.suites import gradient_flow as suite
from pruning.dynamics.laws import laws as theory_of
from reports.claims.finding import Absent, Outcome
from reports.claims.relations import Says, above
from reports.evidence import Setting, gather
from reports.flow import correlated, layers, tables, theory
from reports.flow.catalogue import CHECKS, evaluate
from reports.flow.contrasts import printed
from reports.flow.facts import Facts, Measure, clean, lacking, pattern
from reports.flow.layers import thirds
from reports.flow.pages import pages
from results import published
from results.record import Curve, Law, Layer, Moment

from .test_dynamics import names

PAPER, MINI, DEMO = (profiles.get(name) for name in ("paper", "mini", "demo"))
HOLDS, MIXED, FAILS, UNDECIDED = Outcome.HOLDS, Outcome.MIXED, Outcome.FAILS, Outcome.UNDECIDED


def found(evidence):
    return {each.claim.claim_id: each for each in evaluate(Facts(clean(evidence)[0]))}


def outcomes(evidence):
    return {name: each.finding.outcome for name, each in found(evidence).items()}


def test_every_claim_of_the_paper_has_a_check():
    assert {claim.claim_id for claim in published.claims(suite.SUITE)} == set(CHECKS)


def test_without_records_nothing_is_decided_and_every_claim_says_what_is_missing():
    evidence = gather(PAPER, [])
    for name, each in found(evidence).items():
        assert each.finding.outcome == UNDECIDED, name
        assert each.finding.reason or lacking(each.finding.absent, evidence), name


COUNTED = re.compile(r"^(\d+)/(\d+) published cells(?:; fails: ([^;(]*))?")


def test_the_papers_own_tables_say_what_was_counted_by_hand():
    """results/published was filled by other means: the shares, and which cells contradict a claim."""
    by_name, checked = found(gather(PAPER, [])), 0
    for name, each in by_name.items():
        counted = COUNTED.match(each.claim.published_check)
        if counted is None:
            continue
        on_print = each.finding.on_print
        assert on_print is not None, name
        says = [comparison.says() for comparison in on_print.comparisons]
        assert (says.count(Says.YES), len(says)) == (int(counted[1]), int(counted[2])), name
        contrary = [one.what for one in on_print.comparisons if one.says() is Says.NO]
        named = [place.strip().split("/") for place in (counted[3] or "").split(",") if "/" in place]
        for place, what in zip(sorted(named), sorted(contrary), strict=True):
            assert what.startswith(place[0])
            assert what.endswith(f"{place[-1][1:]} round{'s' if place[-1] != 'r1' else ''}")
        checked += 1
    assert checked == 11


@pytest.mark.parametrize(
    ("claim", "measured"),
    [
        ("gf_mean_gap_magnitude_loss", "+0.54"),
        ("gf_mean_gap_proposed_loss", "+0.70"),
        ("gf_resnet56_uniform_25_chance", "+0.00"),
        ("gf_abs_grasp_stable_over_rounds", "+0.14 to +1.01, mean +0.47"),
    ],
)
def test_printed_numbers_are_those_of_the_claims(claim, measured):
    assert found(gather(PAPER, []))[claim].finding.on_print.measured == measured


def test_changes_of_table_3_are_added_to_its_base():
    assert printed("Table 3")[Setting("resnet56", "cifar100", "uniform", 25)] == 1.0
    assert printed("Table 3")[Setting("vgg13", "cifar100", "random", 1)] == pytest.approx(69.62 - 5.71)


# Tables 1-3.


def as_printed(make_record, shift=None, noise=0.05, **changes):
    """Runs of three seeds around the printed numbers; ``shift`` moves some of them."""
    numbers = {**printed("Table 3"), **printed("Table 1", "Table 2")}
    for setting, seed in product(numbers, range(3)):
        value = numbers[setting] + noise * (seed - 1) + (shift or {}).get(setting, 0.0)
        yield make_record(setting.cell(seed).id, best=value, last=value - 50, **changes)


def test_on_records_as_printed_claims_come_out_as_on_print(make_record):
    by_name = found(gather(PAPER, as_printed(make_record, noise=0.001)))
    checked = 0
    for name, each in by_name.items():
        if name in tables.CHECKS and each.finding.on_print is not None:
            assert each.finding.outcome == each.finding.on_print.outcome, name
            assert each.comparable
            checked += 1
    assert checked == 20


def test_what_three_seeds_cannot_tell_apart_is_not_shown(make_record):
    """The smallest lead of |GraSP| is 0.04: with a spread of 0.3 it is open, and so not all cells show the claim."""
    finding = found(gather(PAPER, as_printed(make_record, noise=0.3)))["gf_abs_grasp_best"].finding
    assert finding.outcome == MIXED
    assert finding.share.endswith("open")
    one = next(each for each in finding.comparisons if each.what == "ResNet-56, CIFAR-100, 5 rounds")
    assert one.estimate.value == pytest.approx(0.04)
    assert one.says() is Says.OPEN


def test_a_claim_fails_where_most_cells_contradict_it(make_record):
    loss = {
        Setting(*place[:2], "loss", place[2]): 3.0
        for place in product(suite.MODELS, ("cifar10", "cifar100"), (1, 5, 25))
    }
    said = outcomes(gather(PAPER, as_printed(make_record, loss)))
    assert said["gf_magnitude_gt_loss"] == said["gf_proposed_gt_loss"] == said["gf_mean_gap_magnitude_loss"] == FAILS
    assert said["gf_grasp_t1_collapses_with_rounds"] == HOLDS


@pytest.mark.parametrize(("noise", "outcome"), [(0.2, HOLDS), (4.0, FAILS)])
def test_the_bound_on_the_spread(make_record, noise, outcome):
    said = outcomes(gather(PAPER, as_printed(make_record, noise=noise)))
    assert said["gf_table1_std_bound"] == said["gf_table2_std_bound"] == outcome
    assert said["gf_table2_std_bound_grasp_t1"] == (HOLDS if noise < 2.1 else UNDECIDED)


def test_the_interval_of_a_standard_deviation():
    """Of three values: chi-squared with two degrees of freedom has the quantiles -2 ln(1 - p)."""
    low, high = tables.Deviation(tables.Spread(0.3, 2)).interval()
    assert low == pytest.approx(0.3 * (2 / (-2 * math.log(0.025))) ** 0.5)
    assert high == pytest.approx(0.3 * (2 / (-2 * math.log(0.975))) ** 0.5)


def test_a_diverged_run_is_not_averaged_away(make_record):
    records = list(as_printed(make_record))
    cell = Setting("vgg13", "cifar10", "magnitude", 1).cell(2)
    broken = [make_record(cell.id, status="diverged") if each.cell == cell.to_dict() else each for each in records]
    finding = found(gather(PAPER, broken))["gf_magnitude_gt_loss"].finding
    assert len(finding.comparisons) == 17
    assert "1 run diverged: VGG-13 on CIFAR-10; Mag.; 1 round" in lacking(finding.absent, gather(PAPER, broken))


def test_one_seed_and_other_profiles_are_named(make_record):
    records = [make_record(Setting("vgg13", "cifar10", "loss", 1).cell(0).id, profile="mini")]
    evidence = gather(MINI, records)
    said = lacking(found(evidence)["gf_magnitude_gt_loss"].finding.absent, evidence)
    assert "not in profile mini: VGG-13, MobileNet-V1, ResNet-56 on CIFAR-10, CIFAR-100; Mag., Loss; 25 rounds" in said
    assert "the profile has one seed, and a comparison needs two" in said


def test_the_l1_norm_is_compared_where_somebody_ran_it(make_record):
    settings = [Setting("vgg13", "cifar10", score, 1) for score in ("magnitude", "magnitude_l1")]
    records = [make_record(s.cell(seed).id, best=90 + 0.1 * seed) for s in settings for seed in range(3)]
    finding = found(gather(PAPER, records))["gf_l1_l2_equally_good"].finding
    assert finding.outcome == HOLDS
    assert finding.share == "1 of 1"
    assert lacking(finding.absent, gather(PAPER, records)).startswith("102 runs missing")
    never = gather(PAPER, [])
    assert "not in profile paper: " in lacking(found(never)["gf_l1_l2_equally_good"].finding.absent, never)


def test_runs_of_uncommitted_source_do_not_count(make_record):
    evidence = gather(PAPER, as_printed(make_record, dirty=True))
    kept, left_out = clean(evidence)
    assert left_out == sum(len(seeds) for seeds in evidence.records.values())
    assert not any(kept.records.values())
    assert f"{left_out} runs are left out" in pages(evidence, nothing)["claims"]


# Curves.


def curve(rounds, before, after, epochs=160):
    """Accuracies ``before`` epoch 81 and ``after``, ``rounds`` of pruning first; the loss is 100 less the accuracy."""
    level = [before if epoch <= 80 else after for epoch in range(1, epochs + 1)]
    return Curve(
        epoch=list(range(1, epochs + 1)),
        round=[epoch if epoch <= rounds else None for epoch in range(1, epochs + 1)],
        train_accuracy=[0.0] * rounds + level[rounds:],
        test_accuracy=[0.0] * rounds + [value - 5 for value in level[rounds:]],
        train_loss=[100.0] * rounds + [100 - value for value in level[rounds:]],
    )


def learning(make_record, before, after=(90.0,) * 6):
    """Runs of every score whose curves lie at ``before`` until the rate drops, and at ``after`` from then on."""
    scores = (*suite.TABLE1, *suite.TABLE2)
    for (score, low, high), model, data, n, seed in product(
        zip(scores, before, after, strict=True), suite.MODELS, ("cifar10", "cifar100"), suite.ROUNDS, range(2)
    ):
        cell = Setting(model, data, score, n).cell(seed)
        yield make_record(cell.id, curve=curve(n, low + 0.01 * seed, high + 0.01 * seed))


def test_convergence_is_looked_at_between_the_last_round_and_the_first_drop(make_record):
    """Magnitude, proposed, loss in this order before the drop, and turned round after it."""
    said = outcomes(gather(PAPER, learning(make_record, (80, 75, 79.5, 70, 70, 70), (85, 95, 90, 90, 90, 90))))
    assert said["gf_magnitude_converges_faster_than_loss"] == HOLDS
    assert said["gf_fig1_convergence_order_resnet56_25"] == HOLDS
    assert said["gf_proposed_converges_faster_than_loss"] == HOLDS
    assert said["gf_t200_not_faster_than_abs_grasp"] == HOLDS


def test_the_loss_is_looked_at_until_the_end(make_record):
    faster = outcomes(gather(PAPER, learning(make_record, (80, 75, 80, 70, 70, 70))))
    assert faster["gf_obs1_kept_magnitude_speeds_loss"] == HOLDS
    turned = outcomes(gather(PAPER, learning(make_record, (80, 79, 80, 75, 70, 70), (80, 95, 90, 90, 90, 90))))
    assert turned["gf_obs1_kept_magnitude_speeds_loss"] == FAILS
    assert turned["gf_t200_not_faster_than_abs_grasp"] == FAILS


def test_a_curve_that_lacks_an_epoch_has_no_mean(make_record):
    short = msgspec.structs.replace(curve(1, 80, 90), epoch=list(range(3, 163)))
    cells = [Setting("vgg13", "cifar10", score, 1).cell(seed) for score in ("magnitude", "loss") for seed in range(2)]
    finding = found(gather(PAPER, [make_record(cell.id, curve=short) for cell in cells]))
    assert finding["gf_magnitude_converges_faster_than_loss"].finding.comparisons == ()


# Layers.


def layered(make_record, score, rounds, share, model="resnet56", data="cifar100", params=10):
    """Runs of two seeds in which ``share(name, place)`` of a layer's 100 filters is gone."""
    for seed in range(2):
        record = make_record(Setting(model, data, score, rounds).cell(seed).id)
        layers = [
            Layer(name=name, kept=100 - round(100 * share(name, place / len(names(model)))) - seed, total=101)
            for place, name in enumerate(names(model))
        ]
        metrics = msgspec.structs.replace(record.metrics, params=params, params_dense=100)
        yield msgspec.structs.replace(record, layers=layers, metrics=metrics)


def test_thirds_of_layers():
    assert thirds("abcdefgh") == ("ab", "gh")
    with pytest.raises(ValueError, match=r"^2 values have no thirds$"):
        thirds("ab")


def test_the_stem_of_resnet_is_in_no_third(make_record):
    """It is never pruned: of the 56 others, 18 in each third, all lose half."""

    def share(name, _place):
        return 0.0 if name.startswith("stem") else 0.5

    (record, _) = layered(make_record, "grasp_t1", 5, share)
    assert layers.LEAD.of(record) == pytest.approx(0)
    (record, _) = layered(make_record, "grasp_t1", 5, share, "mobilenet_v1")
    assert layers.LEAD.of(record) < -10  # of the four first layers of MobileNet it is one


def test_parameters_as_wide_as_what_is_kept(make_record):
    """Before pruning they are the network's own, 855,770 with ten classes; and of a tiny one by hand."""
    whole = [Layer(name=name, kept=0, total=width) for name, width in zip(names("resnet56"), _widths(), strict=True)]
    assert layers.as_wide_as_kept(whole, 10, whole=True) == 855_770
    tiny = [
        Layer(name="stem.conv", kept=4, total=4),
        Layer(name="stages.0.0.conv1", kept=2, total=4),
        Layer(name="stages.0.0.conv2", kept=3, total=4),
        Layer(name="stages.0.0.shortcut", kept=1, total=4),
    ]
    stem, first, second, across, head = 3 * 9 * 4 + 8, 9 * 4 * 2 + 4, 9 * 2 * 3 + 6, 4 * 1 + 2, 3 * 5 + 5
    assert layers.as_wide_as_kept(tiny, 5) == stem + first + second + across + head


def _widths():
    return [16, *(16 * 2 ** int(name.split(".")[1]) for name in names("resnet56")[1:])]


def test_residual_modules_by_block(make_record):
    """First convolutions lose 0.9, 0.7 and 0.5 by block, second ones 0.2."""

    def share(name, _place):
        block = int(name.split(".")[1]) if name.startswith("stages") else 0
        return 0.9 - 0.2 * block if name.endswith("conv1") else 0.2

    records = [each for n in (5, 25) for each in layered(make_record, "grasp_t1", n, share)]
    by_name = found(gather(PAPER, records))
    first = by_name["gf_grasp_prunes_layer1_of_modules"].finding
    assert (first.outcome, first.share) == (HOLDS, "6 of 6")
    assert [round(each.estimate.value) for each in first.comparisons] == [69, 50, 30, 69, 50, 30]
    blocks = by_name["gf_grasp_t1_earlier_blocks_more"].finding
    assert (blocks.outcome, blocks.share) == (HOLDS, "4 of 4")
    assert all(each.estimate.value == pytest.approx(20, abs=0.5) for each in blocks.comparisons)


def test_early_and_late_layers(make_record):
    def early(by):
        return lambda _name, place: 0.5 + by * (0.5 - place)

    records = []
    for model in suite.MODELS:
        for n, by in ((1, 0.05), (5, 0.4), (25, 0.6)):
            for score in ("grasp_t1", "grasp_t200"):
                records += layered(make_record, score, n, early(by), model)
            records += layered(make_record, "abs_grasp", n, early(-0.2), model)
            for data, score in product(("cifar10", "cifar100"), suite.TABLE1):
                records += layered(make_record, score, n, early(-0.3), model, data)
    said = outcomes(gather(PAPER, records))
    for name in (
        "gf_deeper_layers_pruned_more",
        "gf_grasp_t1_prunes_early_layers",
        "gf_grasp_only_slight_bias_at_init",
        "gf_grasp_t200_prunes_early_layers",
        "gf_abs_grasp_avoids_early_layer_pruning",
    ):
        assert said[name] == HOLDS, name
    even = [each for n in (5, 25) for each in layered(make_record, "grasp_t1", n, early(-0.1), "vgg13")]
    assert outcomes(gather(PAPER, even))["gf_grasp_t1_prunes_early_layers"] == FAILS


@pytest.mark.parametrize(("params", "outcome"), [(6, HOLDS), (12, FAILS)])
def test_shares_of_parameters(make_record, params, outcome):
    """75 % of VGG-13's filters are printed to be 94 % of its parameters."""
    records = [
        each
        for score, n in product((*suite.TABLE1, *suite.TABLE2), suite.ROUNDS)
        for each in layered(make_record, score, n, lambda *_: 0.5, "vgg13", "cifar10", params)
    ]
    by_name = found(gather(PAPER, records))
    assert by_name["gf_params_vgg13_cifar10"].finding.outcome == outcome
    assert by_name["gf_params_vgg13_cifar10"].finding.comparisons[0].estimate.value == pytest.approx(100 - params - 94)
    assert by_name["gf_params_pct_exceeds_filters_pct"].finding.outcome == HOLDS
    assert by_name["gf_params_vgg13_cifar100"].finding.outcome == UNDECIDED


# Networks that are measured while they train.

PROBED = tuple(range(0, 161, 10))
QUANTITIES = (
    "sigma_dsigma, taylor",
    "sigma_dsigma, loss",
    "sigma_dsigma, sigma_g",
    "norm, distance",
    "taylor, next norm change",
)


def moment(model, epoch, r=0.9, *, effects=None, distance=None, early=2.0, laws=(), recalibrated=False):
    """Correlations of ``r`` with Spearman's 0.1 less; gradients ``early`` times as long in first thirds."""
    layer_names = names(model)
    inner = [name for name in layer_names if not name.startswith("stem") and not name.endswith("shortcut")]
    blocks = [[name for name in inner if name.startswith(f"stages.{k}.")] for k in range(3)]
    first = [name for part in (blocks if model == "resnet56" else [inner]) for name in part[: len(part) // 3]]
    lengths = dict.fromkeys(layer_names, 1.0) | dict.fromkeys(first, early)
    pairs = ("theta_g, theta_hg", *(QUANTITIES if epoch else ()))
    correlations = {f"filters: {name}": (r, r - 0.1, 100) for name in pairs}
    correlations |= {f"weights: {name}": (r, r, 1000) for name in ("theta_g, theta_hg", "theta_dtheta, loss")}
    away = distance if distance is not None else 0.5 / max(epoch, 1)
    there = {"filters": away, "weights": away, "filters: norm, distance": 0.02} if epoch else {}
    return Moment(
        epoch=epoch,
        recalibrated=recalibrated,
        correlations=correlations,
        distances=there,
        gradient_norms=lengths,
        effects=(effects or {}) if epoch else {},
        laws=list(laws),
    )


def dynamics(make_record, of, models=suite.MODELS, data=("cifar100", "tiny_imagenet"), seeds=3, profile="paper"):
    """Measured runs; ``of(model, epoch, seed)`` makes a moment."""
    probes = profiles.get(profile).dynamics.probes
    for model, name, seed in product(models, data, range(seeds)):
        record = make_record(f"gradient_flow-{model}-{name}-dynamics-s{seed}", profile=profile)
        start = [of(model, 0, seed), msgspec.structs.replace(of(model, 0, seed), recalibrated=True)]
        layers = [Layer(name=each, kept=4, total=4) for each in names(model)]
        found = [*start, *(of(model, epoch, seed) for epoch in probes[1:])]
        yield msgspec.structs.replace(record, dynamics=found, layers=layers)


def steady(r, by=0.002):
    """Moments of correlations ``r``, a little more in every seed."""
    return lambda model, epoch, seed: moment(model, epoch, r + by * (seed - 1))


def test_correlations_are_held_against_printed_ones_by_fishers_z(make_record):
    """0.85 is 0.85 and 0.847; 0.88, whose z is 0.12 more, it is not, and neither 0.986 nor 0.745."""
    by_name = found(gather(PAPER, dynamics(make_record, steady(0.85))))
    said = {name: each.finding.outcome for name, each in by_name.items()}
    assert said["gf_corr_fig15a_resnet56_init"] == said["gf_corr_fig37c_mobilenet_tin_e160"] == HOLDS
    assert said["gf_corr_fig15b_resnet56_e40"] == FAILS
    assert said["gf_corr_fig38a_resnet56_tin_init"] == said["gf_corr_fig34a_resnet56_init_weights"] == FAILS
    high = ("filters", "weights", "tinyimagenet")
    assert all(said[f"gf_hg_g_highly_correlated_{kind}"] == HOLDS for kind in high)
    quoted = by_name["gf_corr_fig15b_resnet56_e40"].finding
    one, by_rank = quoted.comparisons
    assert quoted.measured == "Pearson: +0.85; Spearman: +0.75"
    assert by_rank.estimate.value == pytest.approx(math.atanh(0.75) - math.atanh(0.88), abs=1e-4)
    assert one.sides == ("ResNet-56, CIFAR-100 0.85 ± 0.00 (3)",)
    both = "Pearson: +0.85 to +0.85, mean +0.85; Spearman: +0.85 to +0.85, mean +0.85"
    assert by_name["gf_hg_g_highly_correlated_weights"].finding.measured == both
    spread = (math.atanh(0.852) - math.atanh(0.848)) / 2
    assert one.estimate.value == pytest.approx(math.atanh(0.85) - math.atanh(0.88), abs=1e-4)
    assert one.estimate.error == pytest.approx(spread * (2 / 3) ** 0.5, rel=1e-3)  # both are means of three


def test_low_correlations_are_not_high(make_record):
    assert outcomes(gather(PAPER, dynamics(make_record, steady(0.4))))["gf_hg_g_highly_correlated_filters"] == FAILS


def test_what_is_high_in_one_of_two_readings_says_in_which(make_record):
    """Outliers can make Pearson's correlation: here it is 0.58, and that of ranks 0.48."""
    finding = found(gather(PAPER, dynamics(make_record, steady(0.58))))["gf_hg_g_highly_correlated_filters"].finding
    assert finding.outcome == HOLDS
    said = "in 1 of 2 readings (Pearson: HOLDS 9 of 9; Spearman: FAILS 0 of 9, 9 contrary)"
    assert finding.share == said


@pytest.mark.parametrize(
    ("claim", "model", "dataset", "epoch", "kind"),
    [
        ("gf_corr_fig34a_resnet56_init_weights", "resnet56", "cifar100", 0, "weights"),
        ("gf_corr_fig15b_resnet56_e40", "resnet56", "cifar100", 40, "filters"),
        ("gf_corr_fig15a_resnet56_init", "resnet56", "cifar100", 0, "filters"),
        ("gf_corr_fig37a_mobilenet_tin_init", "mobilenet_v1", "tiny_imagenet", 0, "filters"),
        ("gf_corr_fig37b_mobilenet_tin_e40", "mobilenet_v1", "tiny_imagenet", 40, "filters"),
        ("gf_corr_fig37c_mobilenet_tin_e160", "mobilenet_v1", "tiny_imagenet", 160, "filters"),
        ("gf_corr_fig38a_resnet56_tin_init", "resnet56", "tiny_imagenet", 0, "filters"),
        ("gf_corr_fig38b_resnet56_tin_e40", "resnet56", "tiny_imagenet", 40, "filters"),
    ],
)
def test_a_printed_correlation_is_of_one_network_and_moment(make_record, claim, model, dataset, epoch, kind):
    records = list(dynamics(make_record, lambda name, when, seed: moment(name, when, 0.1 + 0.001 * seed)))
    where = "filters: theta_g, theta_hg" if kind == "filters" else "weights: theta_g, theta_hg"
    for record in records:
        for each in record.dynamics:
            here = (record.cell["model"], record.cell["dataset"], each.epoch) == (model, dataset, epoch)
            if here and (each.recalibrated or epoch > 0):
                each.correlations[where] = (0.7 + 0.001 * record.cell["seed"], 0.5, 100)
    one, by_rank = found(gather(PAPER, records))[claim].finding.comparisons
    printed_value = next(each.value for each in published.claims(suite.SUITE) if each.claim_id == claim)
    assert one.estimate.value == pytest.approx(math.atanh(0.701) - math.atanh(printed_value), abs=1e-4)
    assert by_rank.estimate.value == pytest.approx(math.atanh(0.5) - math.atanh(printed_value), abs=1e-4)


def test_masks_settle_while_correlations_rise(make_record):
    """Correlations rise with the epoch, or fall with it; distances fall as 1 / epoch."""
    rising = dynamics(make_record, lambda model, epoch, seed: moment(model, epoch, 0.1 + epoch / 200 + seed / 1e4))
    said = outcomes(gather(PAPER, rising))
    names_ = ("gf_fig2_corr_rises_as_mask_distance_falls", "gf_fig31_unstructured_corr_rises")
    assert said["gf_fig2_mask_distance_falls"] == said["gf_fig35_tinyimagenet_corr_rises"] == HOLDS
    assert all(said[name] == HOLDS for name in names_)
    falling = dynamics(make_record, lambda model, epoch, seed: moment(model, epoch, 0.9 - epoch / 200 - seed / 1e4))
    said = outcomes(gather(PAPER, falling))
    assert all(said[name] == FAILS for name in names_)


@pytest.mark.parametrize(("epochs", "says"), [(4, Says.OPEN), (7, Says.YES)])
def test_a_few_epochs_that_agree_in_every_seed_show_nothing(make_record, epochs, says):
    """Ranks that follow each other but for one exchange: -0.8 of four epochs by chance in a sixth of all runs."""
    shown = PROBED[1 : epochs + 1]
    places = {epoch: place for place, epoch in enumerate((shown[1], shown[0], *shown[2:]))}
    records = list(dynamics(make_record, lambda model, epoch, seed: moment(model, epoch, places.get(epoch, 0) / 20)))
    for record in records:
        for each in record.dynamics:
            if each.epoch not in shown:
                each.distances.clear()
    finding = found(gather(PAPER, records))["gf_fig31_unstructured_corr_rises"].finding
    assert {each.says() for each in finding.comparisons} == {says}
    assert finding.comparisons[0].sides[0].endswith("± 0.00 (3)")


def test_one_reading_of_loss_preservation_is_enough_and_none_is_not(make_record):
    """Only |theta . g| rises; the others fall. Then it falls, too."""
    records = list(dynamics(make_record, lambda model, epoch, seed: moment(model, epoch, 0.9 - epoch / 200)))
    for record in records:
        for each in record.dynamics:
            if each.epoch:
                each.correlations["filters: sigma_dsigma, taylor"] = (0.1 + each.epoch / 200, 0.0, 100)
    finding = found(gather(PAPER, records))["gf_fig2_corr_rises_as_mask_distance_falls"].finding
    assert finding.outcome == HOLDS
    assert finding.share.startswith(
        "in 1 of 3 readings (|θ·g|: HOLDS 3 of 3; Σ|θ g|: FAILS 0 of 3, 3 contrary; |σ g_σ|"
    )
    fall = dynamics(make_record, lambda model, epoch, seed: moment(model, epoch, 0.9 - epoch / 200))
    assert outcomes(gather(PAPER, fall))["gf_fig2_corr_rises_as_mask_distance_falls"] == FAILS


def test_norm_and_distance(make_record):
    """0.994 by Fisher's z; masks that differ in 2 % of 40 filters, 27 of which are pruned, share 98 %."""
    by_name = found(gather(PAPER, dynamics(make_record, steady(0.994, 1e-5), ("vgg13",))))
    norms = by_name["gf_l2_vs_dist_init_correlation"].finding
    assert (norms.outcome, norms.measured) == (HOLDS, "Pearson: +0.994; Spearman: +0.894")
    assert "Pearson: HOLDS 1 of 1; Spearman: FAILS 0 of 1, 1 contrary" in norms.share
    assert norms.comparisons[0].sides == ("VGG-13, CIFAR-100 0.994 ± 0.000 (3)",)
    same = by_name["gf_l2_and_dist_init_prune_same"].finding
    assert same.outcome == HOLDS
    # 65 % of 40 filters: place 26 of the ascending order, so that 27 are pruned; 0.8 places differ.
    assert same.comparisons[0].estimate.value == pytest.approx(1 - 0.8 / 54)
    lower = found(gather(PAPER, dynamics(make_record, steady(0.95, 1e-4), ("vgg13",))))
    assert lower["gf_l2_vs_dist_init_correlation"].finding.outcome == FAILS


def test_loss_preservation_removes_the_slowest_by_rank(make_record):
    """Spearman's correlation, which these moments have 0.1 lower than Pearson's, is what has to be high."""
    for r, outcome in ((0.65, HOLDS), (0.55, FAILS)):
        said = outcomes(gather(PAPER, dynamics(make_record, steady(r))))
        assert said["gf_obs2_loss_removes_slowest_params"] == outcome


def after(make_record, grasp, abs_grasp, others):
    """Loss and gradient norm, 1 before pruning, right after it by GraSP, by |GraSP|, and by loss and magnitude."""

    def of(model, epoch, seed):
        found_ = {"grasp_t1": grasp, "abs_grasp": abs_grasp, "magnitude": others, "loss": others}
        near = {name: (loss * 1.001**seed, norm * 1.001**seed) for name, (loss, norm) in found_.items()}
        return moment(model, epoch, effects={"none": (1.0, 1.0), **near})

    return found(gather(PAPER, dynamics(make_record, of)))


def test_grasp_has_to_raise_the_loss_above_every_other(make_record):
    """Above all of them it holds; above |GraSP| alone only that part does."""
    above_all = after(make_record, (9.0, 5.0), (2.0, 1.2), (3.0, 1.5))["gf_obs4_grasp_increases_loss"].finding
    assert (above_all.outcome, len(above_all.comparisons)) == (HOLDS, 18)  # 3 networks, 2 data sets, 3 others
    assert above_all.comparisons[0].estimate.value == pytest.approx(math.log10(4.5), abs=1e-3)
    one = after(make_record, (2.5, 5.0), (2.0, 1.2), (3.0, 1.5))["gf_obs4_grasp_increases_loss"].finding
    assert one.outcome == MIXED
    assert one.share.startswith("1 of 3 parts")


@pytest.mark.parametrize(
    ("grasp", "abs_grasp", "outcome"),
    [(5.0, 1.2, HOLDS), (0.2, 1.1, MIXED), (1.05, 1.5, MIXED), (0.9, 1.5, FAILS)],
)
def test_grasp_has_to_raise_the_gradient_norm_and_abs_grasp_to_keep_it(make_record, grasp, abs_grasp, outcome):
    """Raised and the other kept; lowered, but further than the other; raised, but less far; neither."""
    said = after(make_record, (2.0, grasp), (2.0, abs_grasp), (2.0, 1.2))
    assert said["gf_obs5_abs_grasp_preserves_gradnorm"].finding.outcome == outcome


def test_gradients_by_depth(make_record):
    """Three times as long in early layers until the rate drops at epoch 80, and alike from then on."""

    def of(model, epoch, seed):
        return moment(model, epoch, early=(3.0 if epoch <= 80 else 1.1) + 0.01 * seed)

    by_name = found(gather(PAPER, dynamics(make_record, of)))
    higher = by_name["gf_grad_norm_higher_in_early_layers"].finding
    assert higher.outcome == HOLDS
    assert all(each.estimate.value == pytest.approx(0.4786, abs=1e-3) for each in higher.comparisons)  # log10 3.01
    assert by_name["gf_grad_norm_no_order_after_lr_drop"].finding.outcome == HOLDS


def test_an_order_that_turns_at_every_moment_is_an_order(make_record):
    """Ten times as long in early layers or a tenth by turns after the drop, twice before it."""

    def of(model, epoch, seed):
        early = 2.0 if epoch <= 80 else 10.0 if epoch % 20 else 0.1
        return moment(model, epoch, early=early * 1.001**seed)

    said = outcomes(gather(PAPER, dynamics(make_record, of)))
    assert said["gf_grad_norm_no_order_after_lr_drop"] == FAILS


# Laws.


def laws(name, smooth, numbers):
    return [Law(name=name, smooth=smooth, step=step, numbers=each) for step, each in numbers.items()]


def identity(name, smooth, *errors):
    numbers = {10.0**-k: {"ratio": 1 + error, "error": error} for k, error in enumerate(errors, start=1)}
    return laws(name, smooth, numbers)


def bound(smooth, most, end):
    numbers = {s: {"most": m, "end": e} for s, m, e in zip((0.2, 0.1), most, end, strict=True)}
    return laws("distance_bound", smooth, numbers)


def lawful(make_record, *found_laws, seeds=1, profile="demo", data=("digits",)):
    def of(model, epoch, _seed):
        return moment(model, epoch, laws=[law for each in found_laws for law in each] if epoch == 8 else ())

    return list(dynamics(make_record, of, seeds=seeds, profile=profile, data=data))


IDENTITIES = {
    "norm_change": "gf_obs2_norm_derivative_identity",
    "expected_norm_change": "gf_sgd_expected_norm_change",
    "norm_acceleration": "gf_second_derivative_identity",
    "expected_norm_acceleration": "gf_second_derivative_identity",
}


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ((0.4, 0.04, 0.004, 0.0004), HOLDS),
        ((0.4, 0.04, 0.004, 0.07), HOLDS),  # where digits run out
        ((0.4, 0.4, 0.4, 0.4), FAILS),
        ((0.8, 0.2, 0.05, 0.02), FAILS),
    ],
)
def test_the_error_of_an_identity_has_to_vanish(make_record, errors, outcome):
    records = lawful(make_record, *(identity(name, smooth, *errors) for name in IDENTITIES for smooth in (False, True)))
    by_name = found(gather(DEMO, records))
    for claim in IDENTITIES.values():
        finding = by_name[claim].finding
        number = 6 * list(IDENTITIES.values()).count(claim)
        assert (finding.outcome, len(finding.comparisons)) == (outcome, number), claim
        assert finding.comparisons[0].estimate.value == min(errors)
    said = by_name["gf_sgd_expected_norm_change"].finding.comparisons[0].sides[0]
    assert said.endswith(f"factor {-2 * (1 + min(errors)):.5g}")


def test_a_law_that_only_the_smooth_network_follows_is_mixed(make_record):
    flow, sgd = (
        [identity(name, False, 0.3, 0.3, 0.3), identity(name, True, 0.1, 0.01, 0.001)]
        for name in ("norm_acceleration", "expected_norm_acceleration")
    )
    finding = found(gather(DEMO, lawful(make_record, *flow, *sgd)))["gf_second_derivative_identity"].finding
    assert finding.outcome == MIXED
    half = "MIXED 1 of 2 parts (as it is: FAILS 0 of 3, 3 contrary; without kinks: HOLDS 3 of 3)"
    assert finding.share == f"0 of 2 parts (gradient flow: {half}; SGD, in the mean: {half})"
    older = [*flow, identity("norm_change", False, 0.1, 0.01, 0.001)]
    evidence = gather(DEMO, lawful(make_record, *older))
    finding = found(evidence)["gf_second_derivative_identity"].finding
    assert lacking(finding.absent, evidence) == "networks: the records are older than this law's check"


@pytest.mark.parametrize(
    ("most", "end", "outcome"),
    [
        ((0.4, 0.2), (0.05, -0.03), HOLDS),
        ((0.4, 0.2), (0.2, 0.09), UNDECIDED),  # beyond, perhaps by what steps that vanish do not have
        ((-0.1, -0.1), (-0.2, -0.2), HOLDS),
        ((0.4, 0.2), (-0.3, -0.1), UNDECIDED),  # within, and on its way out
        ((0.4, 0.2), (7.272, 1.156), UNDECIDED),  # a line through both ends at -5, and no excess is below -1
        ((0.4, 0.4), (0.3, 0.2), FAILS),
        ((11.0, 11.0), (11.0, 11.0), FAILS),  # the loss rises
        ((0.4, 0.2), (0.3, 0.3), MIXED),
        ((-0.1, 0.1), (-0.3, -0.3), MIXED),
    ],
)
def test_the_bound_has_to_hold_in_the_limit(make_record, most, end, outcome):
    records = lawful(make_record, bound(False, most, end), bound(True, most, end))
    finding = found(gather(DEMO, records))["gf_dist_init_bounds_loss_drop"].finding
    assert finding.outcome == outcome
    assert "as it is, at the end" in finding.share


def test_the_laws_of_a_network_come_out_as_theory_says(make_record):
    """Those that ``pruning`` measures of a smooth one, through the record's eyes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Tanh(), nn.Flatten(), nn.Linear(108, 4)).eval()
    batches = [(torch.randn(4, 1, 8, 8), torch.arange(4)) for _ in range(2)]
    found_ = theory_of(net, batches)
    measured = [Law(name=law.name, smooth=law.smooth, step=law.step, numbers=law.numbers) for law in found_]
    said = outcomes(gather(DEMO, lawful(make_record, measured)))
    assert all(said[name] == HOLDS for name in (*IDENTITIES.values(), "gf_dist_init_bounds_loss_drop"))


# Pages.


def nothing(_record):
    """The vectors of a record whose side file is lost."""
    return {}


def test_a_demonstration_shows_no_printed_number(make_record):
    """Not with records of everything, and two seeds of each."""
    smooth = [identity("norm_change", which, 0.1, 0.001) for which in (False, True)]
    records = [*lawful(make_record, *smooth, seeds=2), *digits(make_record)]
    text = "".join(pages(gather(DEMO, records), nothing).values())
    assert "gf_obs2_norm_derivative_identity" in text
    assert "gf_hg_g_highly_correlated_filters" in text
    assert "gf_magnitude_gt_loss" in text
    assert "printed:" not in text
    assert "the printed numbers" not in text
    assert not re.search(r"gf_corr_fig|gf_l2_vs|gf_params_vgg|std_bound", text)


def digits(make_record):
    for score, model, seed in product(suite.TABLE1, suite.MODELS, range(2)):
        yield make_record(Setting(model, "digits", score, 1).cell(seed).id, profile="demo", best=90 + seed / 10)


def test_profiles_of_another_protocol_are_marked(make_record):
    records = dynamics(make_record, steady(0.85), profile="mini", data=("cifar100",))
    text = pages(gather(MINI, records), nothing)["claims"]
    row = next(line for line in text.splitlines() if line.startswith("| [`gf_corr_fig15a_resnet56_init`]"))
    assert "NOT COMPARABLE<br>here: **HOLDS**" in row
    assert "the printed numbers: MIXED 17 of 18, 1 contrary" in text


def test_the_theory_page_shows_every_law_and_observation(make_record):
    kinked = identity("norm_acceleration", False, 0.3, 0.2, 0.25)
    smooth = identity("norm_acceleration", True, 0.1, 0.01, 0.001)
    numbers = {f"{a} {b}": 0.0321 for a in ("median", "largest") for b in ("first", "second")}
    invariance = laws("scale_invariance", False, {1e-5: numbers})
    records = lawful(make_record, kinked, smooth, bound(False, (0.4, 0.2), (0.1, 0.0)), invariance)
    vectors = {f"{place}.filters.norm": np.array([3.0, 4.0]) for place in (1, 2, 3)}
    vectors |= {f"{place}.filters.distance": np.array([1.0, 2.0]) * by for place, by in ((1, 0), (2, 1), (3, 2))}
    text = pages(gather(DEMO, records), lambda _: vectors)["theory"]
    assert "|  | epoch 2 | epoch 8 |" in text
    assert "| VGG-13 | 0.2 | 0.8 |" in text, "(1 + 4) / (9 + 16) and (4 + 16) / (9 + 16)"
    assert "| VGG-13 | as it is | 0.3 | 0.2 | 0.25 |" in text
    assert "| VGG-13 | without kinks | 0.1 | 0.01 | 0.001 |" in text
    assert "| most on the way; step |  | 0.2 | 0.1 |" in text
    assert "| ResNet-56 | 1e-05 | 0.032 | 0.032 | 0.032 | 0.032 |" in text
    assert [f"## Observation {n}" in text for n in range(1, 6)] == [True] * 5
    claims = {claim for group in theory.OBSERVATIONS.values() for claim in group}
    assert claims <= set(CHECKS)


def test_the_theory_page_says_where_nothing_was_measured():
    text = pages(gather(PAPER, []), nothing)["theory"]
    networks = "VGG-13, MobileNet-V1, ResNet-56 on CIFAR-100, Tiny-ImageNet"
    said = f"Nothing has been measured yet (18 runs missing: {networks}; measured while they train)."
    assert text.count(said) == text.count("Nothing has been measured yet") == 8


def test_the_theory_page_says_where_records_are_older_than_a_law(make_record):
    older = lawful(make_record, identity("norm_change", False, 0.1, 0.01, 0.001))
    text = pages(gather(DEMO, older), nothing)["theory"]
    eq22 = text.partition("## Eq. 22")[2].partition("##")[0]
    assert "(networks: the records are older than this law's check)" in eq22


def test_all_cells_of_a_comparison_are_lacking():
    evidence = gather(PAPER, [])
    said = lacking(found(evidence)["gf_abs_grasp_best"].finding.absent, evidence)
    assert said.startswith("162 runs missing")
    assert "|GraSP|" in said
    said = lacking(found(evidence)["gf_random_uniform_worse_than_measures"].finding.absent, evidence)
    assert "Random, Uniform" in said


def test_the_spread_is_pooled_over_the_papers_own_methods(make_record):
    """A base run that is measured is the same run once more, and a user's score may vary as it likes."""
    settings = {name: Setting("vgg13", "cifar100", name, None if name in ("base", "dynamics") else 1) for name in
                ("base", "dynamics", "loss", "mine")}  # fmt: skip
    spread = {"base": 0.1, "dynamics": 0.1, "loss": 0.2, "mine": 5.0}
    records = [
        make_record(setting.cell(seed).id, best=90 + spread[name] * (seed - 1))
        for name, setting in settings.items()
        for seed in range(3)
    ]
    facts = Facts(gather(PAPER, records))
    samples = {name: facts.sample(setting, facts.accuracy) for name, setting in settings.items()}
    assert (samples["loss"].spread.df, samples["loss"].spread.sd) == (
        4,
        pytest.approx((0.1**2 / 2 + 0.2**2 / 2) ** 0.5),
    )
    assert (samples["mine"].spread.df, samples["dynamics"].spread.df) == (2, 2)


def test_measures_of_one_name_are_told_apart(make_record):
    setting = Setting("vgg13", "cifar10")
    facts = Facts(gather(PAPER, [make_record(setting.cell(seed).id) for seed in range(2)]))
    one, two = (Measure("number", lambda _record, value=value: value) for value in (1.0, 2.0))
    assert [facts.sample(setting, each).mean for each in (one, two)] == [1.0, 2.0]
    assert facts.sample(setting, Measure("nothing", lambda _record: None)) is None
    assert isinstance(facts.compare("x", [(1.0, setting, Measure("none", lambda _record: None))], above()), Absent)


def test_patterns_name_what_occurs():
    found_ = [Setting("vgg13", "cifar10", "loss", 5), Setting("vgg13", "cifar100", "magnitude", 25)]
    assert pattern(found_) == "VGG-13 on CIFAR-10; Loss; 5 rounds, and VGG-13 on CIFAR-100; Mag.; 25 rounds"
    grid = [Setting(model, "cifar10", score, n) for model in suite.MODELS for score in ("loss", "magnitude") for n in
            (1, 5) if (score, n) != ("magnitude", 1)]  # fmt: skip
    networks = "VGG-13, MobileNet-V1, ResNet-56 on CIFAR-10"
    assert pattern(grid) == f"{networks}; Loss; 1, 5 rounds, and {networks}; Mag.; 5 rounds"
    assert pattern([Setting("resnet56", "cifar100", "uniform", 1)]) == "ResNet-56 on CIFAR-100; Uniform; 1 round"
    assert correlated.MODELS.keys() == {"vgg13", "mobilenet", "resnet56"}
