"""Which cells the tables and claims of the gradient-flow paper rest on: what accuracies, curves or kept filters decide.

Claims are called as in results/published/claims.csv, where each is stated with its check. A table has a name per model
and data set, as in ``table1_vgg13_cifar10``: its base run belongs to it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from bench.cell import BASE, DYNAMICS, UNPRUNED, Cell
from bench.queue import Question
from bench.suites.gradient_flow import MODELS, ROUNDS, SUITE, TABLE1, TABLE2, TABLE3_ONLY

_BOTH = ("cifar10", "cifar100")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """The cells a claim compares, in every seed there is: all combinations; base cells, if wanted, have no rounds."""

    claim: str
    scores: tuple[str, ...]
    rounds: tuple[int, ...] = ROUNDS
    models: tuple[str, ...] = MODELS
    datasets: tuple[str, ...] = _BOTH

    def question(self, seed: int) -> Question:
        """As the queue calls it."""
        name = self.claim
        return Question(
            name, None if "_std_bound" in name else seed, kind="table" if name.startswith("table") else "claim"
        )

    def include(self, cell: Cell) -> bool:
        """Whether ``cell`` is one of them."""
        return (
            cell.suite == SUITE
            and cell.score in self.scores
            and (cell.rounds in self.rounds or cell.score in UNPRUNED)
            and cell.model in self.models
            and cell.dataset in self.datasets
        )


def _parameters() -> Iterator[Needs]:
    names = {"vgg13": "vgg13", "mobilenet_v1": "mobilenetv1", "resnet56": "resnet56"}
    for model, name in names.items():
        for dataset in _BOTH:
            claim = f"gf_params_{name}_{dataset}"
            yield Needs(claim=claim, scores=(*TABLE1, *TABLE2), models=(model,), datasets=(dataset,))


def _tables() -> Iterator[Needs]:
    columns = {"table1": TABLE1, "table2": TABLE2, "table3": (*TABLE1, *TABLE2, *TABLE3_ONLY)}
    for table, scores in columns.items():
        for model in MODELS:
            for dataset in _LAST if table == "table3" else _BOTH:
                name = f"{table}_{model}_{dataset}"
                yield Needs(claim=name, scores=(BASE, *scores), models=(model,), datasets=(dataset,))


_RESNET = ("resnet56",)
_LAST = ("cifar100",)
_TINY = ("tiny_imagenet",)
_DYNAMICS = (
    "gf_l2_vs_dist_init_correlation",
    "gf_obs2_loss_removes_slowest_params",
    "gf_fig2_mask_distance_falls",
    "gf_fig2_corr_rises_as_mask_distance_falls",
    "gf_fig31_unstructured_corr_rises",
    "gf_hg_g_highly_correlated_filters",
    "gf_hg_g_highly_correlated_weights",
    "gf_obs4_grasp_increases_loss",
    "gf_obs5_abs_grasp_preserves_gradnorm",
    "gf_grad_norm_higher_in_early_layers",
    "gf_grad_norm_no_order_after_lr_drop",
)

CLAIMS: tuple[Needs, ...] = (
    *_tables(),
    Needs(claim="gf_magnitude_gt_loss", scores=("magnitude", "loss")),
    Needs(claim="gf_proposed_gt_loss", scores=("proposed", "loss")),
    Needs(claim="gf_proposed_gt_magnitude_25", scores=("proposed", "magnitude"), rounds=(25,)),
    Needs(claim="gf_proposed_often_gt_magnitude", scores=("proposed", "magnitude")),
    Needs(claim="gf_mean_gap_magnitude_loss", scores=("magnitude", "loss")),
    Needs(claim="gf_mean_gap_proposed_loss", scores=("proposed", "loss")),
    Needs(claim="gf_table1_std_bound", scores=TABLE1),
    Needs(claim="gf_table2_std_bound", scores=("grasp_t200", "abs_grasp")),
    Needs(claim="gf_table2_std_bound", scores=("grasp_t1",), rounds=(1,)),
    Needs(claim="gf_table2_std_bound_grasp_t1", scores=("grasp_t1",), rounds=(5, 25)),
    Needs(claim="gf_obs1_kept_magnitude_speeds_loss", scores=("magnitude", "loss")),
    Needs(claim="gf_magnitude_converges_faster_than_loss", scores=("magnitude", "loss")),
    Needs(claim="gf_fig1_convergence_order_resnet56_25", scores=TABLE1, models=_RESNET, rounds=(25,)),
    Needs(claim="gf_proposed_converges_faster_than_loss", scores=TABLE1),
    Needs(claim="gf_abs_grasp_best", scores=TABLE2),
    Needs(claim="gf_grasp_t1_collapses_with_rounds", scores=("grasp_t1",)),
    Needs(claim="gf_grasp_t200_declines_with_rounds", scores=("grasp_t200",)),
    Needs(claim="gf_t200_more_robust_than_t1", scores=("grasp_t200", "grasp_t1"), rounds=(5, 25)),
    Needs(claim="gf_one_round_temperature_independent", scores=("grasp_t200", "grasp_t1"), rounds=(1,)),
    Needs(claim="gf_abs_grasp_stable_over_rounds", scores=("abs_grasp",)),
    Needs(
        claim="gf_grasp_t1_chance_resnet56_cifar10",
        scores=("grasp_t1",),
        datasets=("cifar10",),
        models=_RESNET,
        rounds=(25,),
    ),
    Needs(
        claim="gf_grasp_t1_chance_resnet56_cifar100", scores=("grasp_t1",), datasets=_LAST, models=_RESNET, rounds=(25,)
    ),
    Needs(claim="gf_t200_not_faster_than_abs_grasp", scores=("grasp_t200", "abs_grasp")),
    Needs(
        claim="gf_random_uniform_worse_than_measures",
        scores=(*TABLE3_ONLY, *TABLE1, "abs_grasp"),
        datasets=_LAST,
    ),
    Needs(claim="gf_random_worse_than_magnitude", scores=("random", "magnitude"), datasets=_LAST),
    Needs(claim="gf_uniform_vs_random", scores=TABLE3_ONLY, datasets=_LAST),
    Needs(
        claim="gf_resnet56_random_uniform_degrade_with_rounds",
        scores=TABLE3_ONLY,
        models=_RESNET,
        datasets=_LAST,
    ),
    Needs(claim="gf_resnet56_uniform_25_chance", scores=("uniform",), datasets=_LAST, models=_RESNET, rounds=(25,)),
    Needs(
        claim="gf_vgg_mobilenet_random_uniform_no_round_penalty",
        scores=TABLE3_ONLY,
        rounds=(1, 25),
        models=("vgg13", "mobilenet_v1"),
        datasets=_LAST,
    ),
    *_parameters(),
    Needs(claim="gf_params_pct_exceeds_filters_pct", scores=(*TABLE1, *TABLE2)),
    Needs(claim="gf_deeper_layers_pruned_more", scores=TABLE1),
    Needs(
        claim="gf_grasp_t1_prunes_early_layers",
        scores=("grasp_t1", "abs_grasp"),
        rounds=(5, 25),
        models=("vgg13", "mobilenet_v1"),
        datasets=_LAST,
    ),
    Needs(
        claim="gf_grasp_prunes_layer1_of_modules",
        scores=("grasp_t1",),
        rounds=(5, 25),
        models=_RESNET,
        datasets=_LAST,
    ),
    Needs(
        claim="gf_grasp_t1_earlier_blocks_more",
        scores=("grasp_t1",),
        rounds=(5, 25),
        models=_RESNET,
        datasets=_LAST,
    ),
    Needs(
        claim="gf_grasp_only_slight_bias_at_init",
        scores=("grasp_t1", "grasp_t200"),
        models=_RESNET,
        datasets=_LAST,
    ),
    Needs(
        claim="gf_grasp_t200_prunes_early_layers",
        scores=("grasp_t200",),
        rounds=(5, 25),
        models=_RESNET,
        datasets=_LAST,
    ),
    Needs(
        claim="gf_grasp_t200_prunes_early_layers",
        scores=("grasp_t200",),
        rounds=(25,),
        models=("mobilenet_v1",),
        datasets=_LAST,
    ),
    *(Needs(claim=claim, scores=(DYNAMICS,), datasets=_LAST) for claim in _DYNAMICS),
    *(
        Needs(claim=claim, scores=(DYNAMICS,), datasets=_LAST, models=_RESNET)
        for claim in (
            "gf_corr_fig15a_resnet56_init",
            "gf_corr_fig15b_resnet56_e40",
            "gf_corr_fig34a_resnet56_init_weights",
        )
    ),
    *(
        Needs(claim=f"gf_corr_fig37{panel}", scores=(DYNAMICS,), datasets=_TINY, models=("mobilenet_v1",))
        for panel in ("a_mobilenet_tin_init", "b_mobilenet_tin_e40", "c_mobilenet_tin_e160")
    ),
    *(
        Needs(claim=f"gf_corr_fig38{panel}", scores=(DYNAMICS,), datasets=_TINY, models=_RESNET)
        for panel in ("a_resnet56_tin_init", "b_resnet56_tin_e40")
    ),
    Needs(claim="gf_fig35_tinyimagenet_corr_rises", scores=(DYNAMICS,), datasets=_TINY),
    Needs(claim="gf_hg_g_highly_correlated_tinyimagenet", scores=(DYNAMICS,), datasets=_TINY),
    Needs(claim="gf_abs_grasp_avoids_early_layer_pruning", scores=TABLE2, rounds=(5, 25), datasets=_LAST),
)


def questions(cell: Cell, without: Collection[str] = ()) -> tuple[Question, ...]:
    """What ``cell`` takes part in answering; not what needs a score that is named in ``without``.

    A claim about standard deviations takes all seeds; the others have an answer in each.
    """
    found = (needs for needs in CLAIMS if needs.include(cell) and not {*needs.scores} & {*without})
    return tuple(dict.fromkeys(needs.question(cell.seed) for needs in found))
