import pytest

from reports.readme import BEGIN, END, block, replaced, update


def test_the_block_has_a_line_per_setting(make_record, registry):
    for seed in (0, 1, 2):
        registry.put(make_record(f"gradient_flow-vgg13-cifar10-loss-filters75-r5-s{seed}", best=91.3 + 0.1 * seed))
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s0", status="diverged"))
    lines = block(registry).splitlines()
    title = "**[paper](reports/rendered/paper/index.md)**: the protocol the paper describes. "
    assert lines[0].startswith(f"{title}Test accuracy in percent, best test epoch")
    assert "| model | data | rounds | base | Loss |" in lines
    page = "reports/rendered/paper/table1.md#gradient_flow-vgg13-cifar10"
    base = f"[**NOT COMPARABLE**<br>diverged]({page}-base-s0)"
    loss = f"[91.40 ± 0.10 (3)<br>**EQUIVALENT** -0.03]({page}-loss-filters75-r5-s0)"
    assert f"| VGG-13 | CIFAR-10 | 5 | {base} | {loss} |" in lines
    assert f"| VGG-13 | CIFAR-10 | 25 | {base} | missing |" in lines


def test_random_pruning_is_judged_by_table_3(make_record, registry):
    for seed in (0, 1, 2):
        registry.put(make_record(f"gradient_flow-vgg13-cifar100-base-s{seed}", best=69.0 + seed))
        run = f"gradient_flow-vgg13-cifar100-random-filters65-r1-s{seed}"
        registry.put(make_record(run, best=69.0 + seed - 5.6 - 0.1 * seed))
    line = next(line for line in block(registry).splitlines() if line.startswith("| VGG-13 | CIFAR-100 | 1 "))
    said = "64.30 ± 0.90 (3)<br>**EQUIVALENT** +0.01"
    cell = "gradient_flow-vgg13-cifar100-random-filters65-r1-s0"
    assert line.endswith(f"| [{said}](reports/rendered/paper/table3.md#{cell}) |")


def test_profiles_that_are_not_comparable_say_so_once(make_record, registry):
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s0", profile="mini", last=60.0))
    text = block(registry)
    assert text.count("NOT COMPARABLE with published numbers: another protocol") == text.count("NOT COMPARABLE") == 1
    assert "| VGG-13 | CIFAR-10 | 1 | [60.00 (1)](reports/rendered/mini/table1.md#" in text


def test_demonstrations_stay_on_the_machine_they_ran_on(make_record, registry):
    registry.put(make_record("gradient_flow-vgg13-digits-base-s0", profile="demo"))
    assert block(registry) == "No cell has been run yet."


def test_update_rewrites_the_block_alone_and_check_nothing(make_record, registry, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert update(readme, registry, check=True)
    assert "old" in readme.read_text()
    assert update(readme, registry)
    assert readme.read_text() == f"before\n{BEGIN}\nNo cell has been run yet.\n{END}\nafter\n"
    assert not update(readme, registry)
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s0"))
    assert update(readme, registry, check=True)


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_the_markers_must_be_there_once(text):
    with pytest.raises(ValueError, match=r"README\.md must hold"):
        replaced(text, "new")
