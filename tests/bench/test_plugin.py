import json
import os
import re
import sys
import time
from unittest.mock import ANY

import pytest

BASE = "gradient_flow-vgg13-digits-base-s0"
LOSS = "gradient_flow-vgg13-digits-loss-filters75-r1-s0"
ONE = ("-m", "benchmark", "--model=vgg13", "--score=base")  # one cell
TWO = ("-m", "benchmark", "--model=vgg13", "--score=loss", "--rounds=1")  # BASE and LOSS


def ids(output):
    return re.findall(r"test_cell\[([^\]]+)\]", output)


def test_the_paper_profile_has_414_cells_listed_quickly_and_without_torch(lab):
    seconds = []
    while not seconds or (min(seconds) >= 3 and len(seconds) < 4):  # beside other tests, one may have to wait its turn
        start = time.perf_counter()
        result = lab.pytest("--collect-only", "-q", "-m", "benchmark", "--profile=paper", "--seeds=0,1,2")
        seconds.append(time.perf_counter() - start)
    lines = result.stdout.strip().splitlines()
    assert result.returncode == 0, result.stdout
    assert len(ids(result.stdout)) == len(set(ids(result.stdout))) == 414
    assert len(lines) == 416
    assert re.fullmatch(r"414 tests collected in .*", lines[-1])
    assert result.stderr == ""
    assert "torch" not in lab.modules()
    assert min(seconds) < 3


def test_without_a_path_the_tests_are_not_even_collected(lab):
    result = lab.pytest("--collect-only", "-m", "benchmark", "--model=vgg13", "--score=base")
    assert "collected 1 item\n" in result.stdout
    assert {name for name in lab.modules() if name.startswith("tests")} <= {"tests", "tests.conftest"}


def test_marks_narrow_down(lab):
    result = lab.pytest("--collect-only", "-q", "-m", 'benchmark and cell(score="loss", rounds=3)')
    assert len(ids(result.stdout)) == 3


def test_a_plain_run_has_no_cells(lab):
    result = lab.pytest("--collect-only", "-q", "bench", options=False)
    assert ids(result.stdout) == []
    assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_benchmarks_can_be_excluded(lab):
    result = lab.pytest("--collect-only", "-q", "-m", "not benchmark", "tests/bench/test_plugin.py", options=False)
    assert ids(result.stdout) == []
    assert "tests/bench/test_plugin.py" in result.stdout


def test_a_mark_that_has_nothing_to_do_with_cells_collects_none(lab):
    result = lab.pytest("--collect-only", "-q", "-m", "not gpu", "tests/bench/test_width.py", options=False)
    assert ids(result.stdout) == []
    assert "tests/bench/test_width.py" in result.stdout


def test_cells_run_once_and_are_cached(lab):
    first = lab.pytest(*TWO)
    assert first.returncode == 0, first.stdout
    assert lab.ran() == [BASE, LOSS]
    assert re.search(rf"{LOSS} +ran +90.25 +91.50 +10/40 +1.5", first.stdout)
    assert "Computing stats" not in first.stdout
    assert "OPS" not in first.stdout
    second = lab.pytest(*TWO, "--device=auto")
    assert second.returncode == 0
    assert lab.ran() == []
    assert re.search(rf"{LOSS} +cached", second.stdout)
    assert "torch" not in lab.modules()
    assert lab.pytest(*TWO, "--rerun").returncode == 0
    assert lab.ran() == [BASE, LOSS]


def test_reports_carry_the_cell(lab):
    (lab.folder / "listener.py").write_text(
        "def pytest_runtest_logreport(report):\n"
        "    if report.when == 'call':\n"
        "        print('REPORT', dict(report.user_properties))\n"
    )
    result = lab.pytest(*ONE, "-s", "-p", "listener")
    said = eval(result.stdout.partition("REPORT ")[2].splitlines()[0])
    assert said["bench_cell"] == BASE
    assert said["bench_profile"] == "demo"
    assert said["bench_registry"] == str(lab.registry)
    outcome = json.loads(said["bench_outcome"])
    assert outcome["key"].startswith(f"{BASE}-")
    assert outcome["status"] == "done"
    assert outcome["test_accuracy_last"] == 90.25


@pytest.mark.parametrize(
    ("behaviour", "status"), [("error", "error"), ("memory", "out_of_memory"), ("slow", "timeout")]
)
def test_a_failure_is_recorded_fails_the_test_and_is_tried_again(lab, behaviour, status):
    lab.plan = {"base": behaviour}
    result = lab.pytest(*ONE, "--cell-timeout=0.01")
    (record,) = lab.records()
    assert result.returncode == pytest.ExitCode.TESTS_FAILED
    assert f"CellFailed: {status}: " in result.stdout
    assert (record["status"], record["profile"], record["key"].startswith(BASE)) == (status, "demo", True)
    assert "Traceback" in record["error"]
    assert f"{status} 1 cell: {record['error'].splitlines()[0]}" in result.stdout
    assert len(lab.ran()) == 1
    lab.plan = {}
    assert lab.pytest(*ONE).returncode == 0
    assert len(lab.ran()) == 1


def test_a_failed_rerun_leaves_the_answer_in_place(lab):
    assert lab.pytest(*ONE).returncode == 0
    lab.plan = {"base": "error"}
    assert lab.pytest(*ONE, "--rerun").returncode == pytest.ExitCode.TESTS_FAILED
    lab.ran()
    assert lab.pytest(*ONE).returncode == 0
    assert lab.ran() == []


def test_a_diverged_run_is_an_answer(lab):
    lab.plan = {"base": "diverged"}
    assert lab.pytest(*ONE).returncode == 0
    assert re.search(rf"{BASE} +diverged \(cached\)", lab.pytest(*ONE).stdout)


def test_missing_data_is_a_skip_without_a_record(lab):
    lab.plan = {"base": "missing"}
    result = lab.pytest(*ONE, "-rs", "--profile=mini", "--dataset=cifar10")
    assert result.returncode == 0
    assert "no cifar10 here; download it" in result.stdout
    assert lab.records() == []
    assert re.search(r"cifar10-base-s0 +skipped", result.stdout)


def test_a_run_that_does_nothing_fails_where_asked(lab):
    lab.plan = {"base": "missing"}
    said = "--require-run: no cell ran or was found in the registry, so this run fails"
    asked = lab.pytest(*ONE, "--profile=mini", "--require-run")
    assert (asked.returncode, said in asked.stdout) == (1, True)
    ini = lab.pytest(*ONE, "--profile=mini", "-o", "bench_require_run=true")
    assert (ini.returncode, said in ini.stdout) == (1, True)


def test_missing_runs_what_is_missing_and_nothing_missing_is_a_success(lab):
    assert lab.pytest(*ONE).returncode == 0
    assert lab.pytest(*TWO, "--missing").returncode == 0
    assert lab.ran() == [BASE, LOSS]
    done = lab.pytest(*TWO, "--missing")
    assert done.returncode == 0
    assert "no cell is missing: all 2 have a final record" in done.stdout


def test_an_interrupt_keeps_what_is_finished(lab):
    lab.plan = {"loss": "interrupt"}
    result = lab.pytest(*TWO)
    assert result.returncode == pytest.ExitCode.INTERRUPTED
    assert "interrupted: what is finished is kept" in result.stdout
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert sorted(record["status"] for record in lab.records()) == ["done", "interrupted"]


def test_a_score_of_ones_own_reruns_when_its_file_changes(lab):
    module = lab.folder / "my_scores.py"
    module.write_text("raise RuntimeError('imported')\ndef Squared(): ...\n")
    own = (*TWO[:3], "--rounds=1", "--score=loss,my_scores:Squared")
    assert lab.pytest(*own).returncode == 0
    assert lab.ran() == [BASE, LOSS, LOSS.replace("loss", "squared")]
    assert lab.pytest(*own).returncode == 0
    assert lab.ran() == []
    module.write_text("def Squared(): return 2\n")
    assert lab.pytest(*own).returncode == 0
    assert lab.ran() == [LOSS.replace("loss", "squared")]


def test_xdist_runs_the_same_cells_and_only_the_controller_speaks(lab):
    result = lab.pytest("-m", "benchmark", "--model=vgg13", "--rounds=1", "-n", "2")
    assert result.returncode == 0, result.stdout
    share = str(max(1, len(os.sched_getaffinity(0)) // 2)) if hasattr(os, "sched_getaffinity") else ANY
    assert lab.workers() == {("gw0", share), ("gw1", share)}
    assert len(lab.ran()) == len(lab.records()) == 9
    assert result.stdout.count(f"{LOSS} ") == 1
    assert "Warning" not in result.stdout + result.stderr


ALONE, SHARED = {("alone", "all")}, {("gw0", "1"), ("gw1", "1")}
NINE = ("-m", "benchmark", "--model=vgg13", "--rounds=1")


@pytest.fixture
def two_cores(lab):
    """A plugin that makes the machine look like one with two processors."""
    (lab.folder / "two_cores.py").write_text(
        "import bench.sharing\nbench.sharing.processors = lambda: 2\nbench.sharing._memory = lambda: 24 * 2**30\n"
    )
    return "-p", "two_cores"


LOSSES = ("-m", 'benchmark and cell(score="loss")', "--model=vgg13")  # two cells


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (NINE, SHARED),
        ((*NINE, "-n", "0"), ALONE),
        (ONE, ALONE),
        ((*ONE, "-n", "auto"), ALONE),
        (LOSSES, ALONE),
        ((*NINE, "-k", "loss"), ALONE),
        ((*NINE, f"bench/test_cells.py::test_cell[{BASE}]"), ALONE),
        ((*NINE, "bench/test_cells.py"), SHARED),
    ],
)
def test_on_a_cpu_cells_are_shared_out_where_there_are_enough(lab, two_cores, options, where):
    result = lab.pytest(*two_cores, *options)
    assert result.returncode == 0, result.stdout
    assert lab.workers() == where


def test_how_cells_are_shared_out_does_not_depend_on_what_is_done_already(lab, two_cores):
    """Or a cell that was stopped would not find its checkpoint, which is of so many threads."""
    lab.plan = {"-loss-": "interrupt"}
    assert lab.pytest(*two_cores, *NINE).returncode == pytest.ExitCode.INTERRUPTED
    lab.ran()
    lab.plan = {}
    assert lab.pytest(*two_cores, *NINE, "-k", "not loss").returncode == 0
    lab.ran()
    assert lab.pytest(*two_cores, *NINE).returncode == 0
    assert {threads for _, threads in lab.workers()} == {"1"}
    assert lab.ran() == [LOSS]
    assert "[gw0]" not in lab.pytest(*two_cores, *NINE, "-v").stdout, "nothing is left to share out"


@pytest.mark.parametrize("option", ["-s", "--pdb", "--at-once=1", "--collect-only"])
def test_what_is_for_one_process_stays_in_one(lab, two_cores, option):
    result = lab.pytest(*two_cores, *NINE, option)
    assert result.returncode == 0, result.stdout + result.stderr
    assert option == "--collect-only" or lab.workers() == ALONE
    assert "workers" not in result.stdout


def test_a_gpu_is_used_by_one_process(lab, two_cores):
    result = lab.pytest(*two_cores, *NINE, "--device=cuda", "-v")
    assert "torch finds no NVIDIA GPU" in result.stdout or lab.workers() == ALONE
    assert "[gw0]" not in result.stdout


def test_workers_take_what_is_long_first(lab):
    """In the order that the controller says; at most two cells ahead of each other."""
    cells = ("-m", "benchmark", "--suite=gradient_flow", "--score=magnitude,grasp_t1", "--rounds=1,3")
    result = lab.pytest(*cells, "-n", "2")
    assert result.returncode == 0, result.stdout
    ran = lab.ran()
    assert len(ran) == 15
    assert min(ran.index(name) for name in ran if "-vgg13-" in name and "-base-" not in name) >= 7
    assert "-vgg13-" in ran[-1]
    assert lab.pytest(*cells, "-n", "0", "--rerun").returncode == 0
    assert all("-resnet56-" in name for name in lab.ran()[-4:]), "one process takes them as they are listed"


def test_workers_say_how_far_they_are(lab):
    (lab.folder / "chatty.py").write_text("import bench.line\nbench.line._EVERY = 0\n")
    result = lab.pytest(*NINE, "-n", "2", "-p", "chatty")
    own = [line for line in result.stderr.splitlines() if line.startswith(BASE)]  # two processes write in any order
    assert own[0] == f"{BASE}: epoch 1/2, loss 1.000, test 50.00 %, 1 s left"
    assert own[1].startswith(f"{BASE}: epoch 2/2")
    assert result.stderr.count("epoch 1/2") == 9
    assert lab.pytest(*NINE, "-n", "2", "-p", "chatty", "-qq", "--rerun").stderr == ""


def test_an_interrupt_in_a_worker_keeps_what_is_finished(lab):
    lab.plan = {"loss": "interrupt"}
    result = lab.pytest(*NINE, "-n", "2")
    assert result.returncode == pytest.ExitCode.INTERRUPTED, result.stdout
    assert "interrupted: what is finished is kept" in result.stdout
    assert "INTERNALERROR" not in result.stdout + result.stderr
    assert {"done", "interrupted"} == {record["status"] for record in lab.records()}


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--profile=papr", "no profile is called 'papr'; did you mean paper?"),
        ("--model=vgg31", "no model of profile demo is called 'vgg31'; did you mean vgg13?"),
        ("--seeds=a", "--seeds holds 'a'; expected whole numbers from 0 on, separated by commas"),
        ("--cell-timeout=0", "--cell-timeout is '0'; expected a number of seconds above 0"),
        ("--device=gpu", "--device is 'gpu'; expected auto, cpu, cuda"),
    ],
)
def test_a_bad_option_is_one_sentence(lab, option, sentence):
    result = lab.pytest("-m", "benchmark", option)
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.strip() == f"ERROR: {sentence}"


def test_workers_run_what_the_controller_says_is_missing(lab):
    """A worker that is started late finds less missing, and xdist cannot have that."""
    (lab.folder / "late.py").write_text(
        "import os, shutil\n"
        "if os.environ.get('PYTEST_XDIST_WORKER') == 'gw1':\n"
        "    shutil.copytree(os.environ['EARLIER'], os.environ['LATER'], dirs_exist_ok=True)\n"
    )
    assert lab.pytest(*TWO).returncode == 0
    earlier = lab.folder / "earlier"
    lab.registry.rename(earlier)
    lab.ran()
    options = ("--missing", "-n", "2", "-p", "late", "--model=vgg13", "--rounds=1")
    result = lab.pytest("-m", "benchmark", *options, EARLIER=str(earlier), LATER=str(lab.registry))
    assert result.returncode == 0, result.stdout
    assert "INTERNALERROR" not in result.stdout


@pytest.mark.parametrize("expression", ["benchmark", "benchmark and not gpu", "not gpu and (slow or benchmark)"])
def test_expressions_that_ask_for_cells(lab, expression):
    # The tests, which an "or" keeps, would be collected too: for as long as all other tests here take.
    result = lab.pytest("--collect-only", "-q", "-m", expression, *ONE[2:], "-o", "testpaths=tests/results")
    assert ids(result.stdout) == [BASE]


def test_expressions_that_do_not(lab):
    result = lab.pytest(
        "--collect-only", "-q", "-m", "not (gpu or benchmark)", "tests/bench/test_cell.py", options=False
    )
    assert ids(result.stdout) == []
    assert "tests/bench/test_cell.py" in result.stdout


def test_the_ini_file_can_say_it_too(lab):
    result = lab.pytest("--collect-only", "-q", "-m", "benchmark", "-o", "bench_profile=mini", "-o", "bench_score=loss")
    assert len(ids(result.stdout)) == 18
    assert all("-loss-" in name or "-base-" in name for name in ids(result.stdout))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_progress_is_one_line_that_goes_away(lab):
    import pty

    arguments = [sys.executable, "-m", "pytest", *lab.alone, *ONE]
    shown = _spawn(pty, [*arguments, f"--registry={lab.registry}", "--device=cpu"], lab._environment({}))
    assert f"{BASE}: epoch 1/2, loss 1.000, test 50.00 %, 1 s left\r\x1b[2K{BASE}: epoch 2/2" in shown
    assert re.search(r"\r\x1b\[2K\x1b\[1A\x1b\[\d+G", shown)


def _spawn(pty, arguments, environment):
    import os

    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(arguments[0], arguments, {**environment, "TERM": "xterm", "COLUMNS": "120"})
    chunks = []
    try:
        while chunk := os.read(terminal, 4096):
            chunks.append(chunk)
    except OSError:
        pass
    os.waitpid(child, 0)
    return b"".join(chunks).decode()
