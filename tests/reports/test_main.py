import subprocess
import sys

from reports.__main__ import main
from reports.readme import BEGIN, END


def test_render_prints_the_page(make_record, registry, tmp_path, capsys):
    registry.put(make_record("gradient_flow-vgg13-cifar10-base-s0", profile="nightly"))
    out = tmp_path / "out"
    assert main(["--profile", "nightly", "--registry", str(registry.root), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'nightly' / 'index.html'}\n"
    assert (out / "nightly" / "table1.md").is_file()


def test_an_unreadable_record_is_named_and_the_pages_are_written_without_it(make_record, registry, tmp_path, capsys):
    written = [
        registry.put(make_record(f"gradient_flow-vgg13-cifar10-base-s{seed}", profile=profile))
        for seed, profile in enumerate(["nightly", "mini", "nightly", "paper"])
    ]
    unreadable = written[:2]  # one beside a good one, one alone in its profile
    for path in unreadable:
        path.write_text("{")
    out, readme = tmp_path / "out", tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    assert main(["--registry", str(registry.root), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out.split() == [str(out / profile / "index.html") for profile in ("nightly", "paper")]
    named = {f"left out: {bad}: it is not valid JSON" for bad in unreadable}
    assert {line[: line.index("JSON") + 4] for line in said.err.splitlines()} == named
    assert main(["--registry", str(registry.root), "--out", str(out), "--profile", "paper"]) == 0
    assert main(["readme", "--registry", str(registry.root), "--file", str(readme)]) == 1
    assert capsys.readouterr().out.endswith("README.md is left as it is\n")
    assert readme.read_text() == f"{BEGIN}\n{END}\n"
    assert [path.read_text() for path in unreadable] == ["{", "{"]


def test_errors_are_one_sentence(registry, tmp_path, capsys):
    registry.root.mkdir()
    assert main(["render", "--profile", "dmo", "--registry", str(registry.root)]) == 2
    assert capsys.readouterr().err == "python -m reports: no profile is called 'dmo'; did you mean demo?\n"
    assert main(["--profile", "demo", "--registry", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.startswith("python -m reports: there is no registry in ")
    assert main(["readme", "--registry", str(registry.root), "--file", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.endswith("none: No such file or directory\n")


def test_readme_check_fails_until_it_is_rewritten(registry, tmp_path, capsys):
    registry.root.mkdir()
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    where = ["--registry", str(registry.root), "--file", str(readme)]
    assert main(["readme", "--check", *where]) == 1
    assert "python -m reports readme" in capsys.readouterr().out
    assert [main(["readme", *where]), main(["readme", "--check", *where])] == [0, 0]


def test_power_prints_the_table(capsys):
    assert main(["power"]) == 0
    assert "% at 0.5" in capsys.readouterr().out


def test_reports_load_without_torch():
    modules = "reports.pages, reports.readme, reports.power, reports.plugin, reports.__main__"
    unwanted = ("torch", "pruning.models", "matplotlib.pyplot")
    code = f"import sys, {modules}; print([m for m in {unwanted} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
