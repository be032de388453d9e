import pytest

from results.registry import Registry

pytest_plugins = ["pytester"]

CELL = "gradient_flow-vgg13-cifar10-base-s0"
TEST = f"""
import pytest

@pytest.mark.parametrize("number", [0, 1])
def test_cell(record_property, number):
    for name, value in (("bench_cell", "{CELL}"), ("bench_profile", "{{profile}}"), ("bench_registry", "{{root}}")):
        record_property(name, value)

def test_other():
    pass
"""


@pytest.fixture
def session(pytester, make_record):
    """Run pytest on two tests that say they ran a cell of a profile."""
    Registry(pytester.path / "runs").put(make_record(CELL, profile="nightly"))

    def run(*options, profile="nightly"):
        pytester.makepyfile(TEST.format(profile=profile, root=pytester.path / "runs"))
        return pytester.runpytest("-p", "reports.plugin", "-p", "no:cacheprovider", *options)

    return run


def test_the_report_is_rendered_once_and_its_place_is_printed(session, pytester):
    result = session()
    index = pytester.path / "rendered" / "nightly" / "index.html"
    assert [line for line in result.outlines if line.startswith("report")] == [f"report: {index}"]
    assert "<br>91.50 (1)" in (index.parent / "table1.md").read_text()


def test_under_xdist_the_controller_renders(session, pytester):
    result = session("-n", "2")
    result.assert_outcomes(passed=3)
    assert [line for line in result.outlines if line.startswith("report")] == [
        f"report: {pytester.path / 'rendered' / 'nightly' / 'index.html'}"
    ]


def test_report_dir(session, pytester):
    session("--report-dir", "elsewhere")
    assert (pytester.path / "elsewhere" / "nightly" / "index.md").is_file()
    assert not (pytester.path / "rendered").exists()


@pytest.mark.parametrize("options", [("--no-report",), ("-k", "other")])
def test_nothing_is_rendered_unasked_or_when_no_cell_ran(session, pytester, options):
    result = session(*options)
    assert not (pytester.path / "rendered").exists()
    assert "report" not in result.stdout.str().replace("--no-report", "")


def test_a_report_that_fails_does_not_take_the_session_down(session):
    result = session(profile="nigthly")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["report of profile nigthly failed, records are kept: ValueError: *did you mean nightly?"]
    )
