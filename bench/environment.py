"""Where a cell ran: the facts of machine and code that a record keeps, and those that change bits."""

import hashlib
import os
import platform
import subprocess
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch

import pruning
from pruning import freed
from results.record import Environment

_ROOT = Path(__file__).resolve().parent.parent
_SOURCE = ("bench", "pruning", "reports", "results/*.py", "pyproject.toml")


@cache
def environment(device: str) -> Environment:
    """What a record says about this process; asked once, since the code that runs is that of its start."""
    top = _git("rev-parse", "--show-toplevel")  # an installed package may lie in somebody else's repository
    commit = _git("rev-parse", "HEAD") if top and Path(top).resolve() == _ROOT else None
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", *_SOURCE)
    return Environment(
        device=device,
        device_name=_device_name(device),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=str(torch.__version__),
        cuda=torch.version.cuda if device.startswith("cuda") else None,
        platform=f"{platform.system()} {platform.machine()}",
        commit=commit,
        dirty=None if commit is None or changes is None else bool(changes),
    )


def surroundings(device: str, stacked: int = 1) -> dict[str, Any]:
    """What changes the bits of a state: a stage is continued only where all of it is the same.

    On the CPU the number of threads decides the order of sums, and so does it anywhere how many networks are trained as
    one. The source of the library is part of it too, so that an edit without a new version number never continues from
    a state that the old code made.
    """
    version = str(torch.__version__)
    facts: dict[str, Any] = {"device": _device_name(device), "torch": version, "source": _source_digest()}
    if device == "cpu":
        facts["threads"] = torch.get_num_threads()
    if stacked > 1:
        facts["stacked"] = stacked
    return facts


def settle(precision: str = "fp32", device: str = "cpu") -> None:
    """Make this process repeat itself: the same cell on the same machine gives the same bits, on a GPU too.

    TF32 products are on where ``precision`` is tf32 and off everywhere else, so that fp32 means fp32. Raises ValueError
    for tf32 on a device that has none.
    """
    if precision == "tf32" and not device.startswith("cuda"):
        raise ValueError("precision tf32 exists on NVIDIA GPUs only; use the profile as it is, which is in fp32")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    # The older switches: where the newer, finer ones say "ieee", PyTorch refuses to read these, and libraries do.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some releases advise against them
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    freed.keep(_KEPT)


_KEPT = 1 << 26
"""Bytes of the largest tensors whose memory is kept when they are freed: the activations of batches that train.

ResNet-56 trains 1.35 times as fast on the CPU so (dense, batch 128).
"""


_DECIDING = ("environment", "experiment", "filter_pruning", "plan", "probing", "run_state", "trial", "weight_pruning")
"""Modules of this room that decide the numbers of a stage."""


@cache
def _source_digest() -> str:
    digest = hashlib.sha256()
    here = Path(__file__).parent
    own = [here / f"{name}.py" for name in _DECIDING]
    for path in [*sorted(Path(pruning.__file__).parent.rglob("*.py")), *own]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git(*arguments: str) -> str | None:
    elsewhere = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_ROOT, env=elsewhere, capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
