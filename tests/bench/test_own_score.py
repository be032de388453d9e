"""A new score in ten lines: from a file to cells, records and a column in the report, by the command of the README."""

import subprocess
import sys
import textwrap
from pathlib import Path

import matplotlib
import pytest

from results.registry import Registry

CHECKOUT = Path(__file__).parents[2]
SCORE = """
from pruning import scores


@scores.register("spread", sampling="none")
def spread(model, batches, *, layers):
    return {name: layer.weight.flatten(1).std(1) for name, layer in layers.items()}
"""


@pytest.fixture
def ran(tmp_path):
    (tmp_path / "my_scores.py").write_text(textwrap.dedent(SCORE))
    command = [sys.executable, "-m", "pytest", "-m", "benchmark", "--score=my_scores:spread", "--score=magnitude"]
    where = [f"--registry={tmp_path / 'runs'}", f"--cache-root={tmp_path / 'stages'}", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *where, f"--report-dir={tmp_path / 'report'}", "--model=vgg13", "--rounds=1"],
        cwd=CHECKOUT,
        env={
            "PYTHONPATH": str(tmp_path),
            "PATH": "",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "MPLCONFIGDIR": matplotlib.get_cachedir(),  # finding out about fonts anew takes a while
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path, done.stdout


def test_a_new_score_appears_as_cells_and_in_the_report(ran):
    folder, output = ran
    records = {record.cell["score"]: record for record in Registry(folder / "runs").records("demo")}
    assert set(records) == {"base", "magnitude", "spread"}
    assert str(records["spread"].versions["score"]).startswith("my_scores:spread@")
    assert records["spread"].metrics is not None
    assert records["spread"].metrics.filters_pruned == 552  # three quarters of 736
    assert "gradient_flow-vgg13-digits-spread-filters75-r1-s0" in output
    (table,) = (folder / "report").rglob("table1.md")
    text = table.read_text()
    assert "spread" in text
    assert "not in the paper" in text
    assert f"{records['spread'].metrics.test_accuracy_last:.2f}" in text
