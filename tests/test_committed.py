"""What is committed agrees with itself: records with the catalogue, the README with the records."""

from fractions import Fraction
from math import floor
from pathlib import Path

import pytest

from bench.cell import Cell
from bench.profiles import get
from bench.protocol import Protocol, key
from reports.curves import figure_data, figures_of, to_csv
from reports.dynamics import pages as dynamics
from reports.dynamics import panels
from reports.evidence import gather
from reports.pages import pages
from reports.readme import update
from reports.weights import evidence as weights
from reports.weights import series
from reports.weights.pages import FOLDER, drawings, shown
from results.registry import Registry, default_root

README = Path(__file__).parents[1] / "README.md"
RENDERED = README.parent / "reports" / "rendered"


@pytest.fixture(scope="module")
def registry():
    return Registry(default_root())


@pytest.fixture(scope="module")
def records(registry):
    found = [record for record in registry.records() if get(record.profile).base != "demo"]
    if not found:
        pytest.skip("no record is committed yet")
    return found


def test_every_record_can_be_read(registry):
    registry.records()
    assert not registry.problems


def test_every_record_resolves_to_its_cell_and_protocol(records):
    for record in records:
        cell, protocol = Cell.from_dict(record.cell), Protocol.from_dict(record.protocol)
        assert key(cell, protocol, record.versions) == record.key
        assert Cell.parse(cell.id) == cell
        assert get(record.profile).name == record.profile


def test_every_record_comes_from_committed_code(records):
    for record in records:
        assert record.environment.commit is not None, record.key
        assert record.environment.dirty is False, record.key


def test_exactly_as_many_filters_or_weights_are_gone_as_the_rule_says(records):
    for record in records:
        metrics = record.metrics
        if metrics is None or record.cell["amount"] is None or record.protocol["total"] != "exact":
            continue
        total, pruned = metrics.filters_total, metrics.filters_pruned
        if record.cell["granularity"] == "weights":
            total, pruned = metrics.weights_total, metrics.weights_pruned
        assert pruned == floor(Fraction(str(record.cell["amount"])) * total + Fraction(1, 2)), record.key


def test_the_rendered_reports_are_those_of_the_registry(registry, records):
    """The pages and the data of the figures; their drawing depends on the version of matplotlib."""
    profiles = {record.profile for record in records}
    assert {path.name for path in RENDERED.iterdir()} == profiles, "a report of a profile without records is of nothing"
    for name in sorted(profiles):
        evidence, folder = gather(get(name), registry.records(name)), RENDERED / name
        how = f"run `python -m reports --profile {name}`"
        for page, text in pages(evidence, registry, folder).items():
            assert (folder / f"{page}.md").read_text(encoding="utf-8") == text, how
        found = [figure_data(spec, evidence) for spec in figures_of(get(name))]
        drawn = {data.spec.name: to_csv(data) for data in found if not data.empty}
        drawn |= {each.name: panels.to_csv(each) for each in dynamics.drawings(evidence, registry) if not each.empty}
        assert {path.stem for path in (folder / "figures").glob("*.svg")} == set(drawn), how
        for stem, data in drawn.items():
            assert (folder / "figures" / f"{stem}.csv").read_text(encoding="utf-8") == data, how
        second = weights.gather(get(name), registry.records(name))
        found = {drawn.stem: series.to_csv(drawn) for drawn in drawings(second) if not drawn.empty}
        beside = {path.stem: path.read_text(encoding="utf-8") for path in (folder / FOLDER).glob("*.csv")}
        assert beside == (found if shown(second) else {}), how


def test_the_table_of_the_readme_is_that_of_the_registry(registry):
    assert not update(README, registry, check=True), "run `python -m reports readme`"
