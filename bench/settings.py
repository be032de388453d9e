"""Where and with what cells are run: execution facts that never enter a key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One session's execution facts.

    ``score_references`` maps the name of a user's score to where it lives, ``module:function``.
    ``stacked`` networks at most are trained as one, which changes the last bits of a run.
    A checkpoint is written at the first epoch end more than ``checkpoint_seconds`` after the last one.
    """

    data_root: Path
    cache_root: Path
    device: str = "cpu"
    stacked: int = 1
    score_references: Mapping[str, str] = field(default_factory=dict)
    checkpoint_seconds: float = 30.0
    cell_timeout: float | None = None  # seconds
    resume: bool = True  # go on from stored stages; off computes everything anew
