from dataclasses import fields, replace

import pytest

from bench import protocol
from bench.cell import Cell
from bench.profiles import PROFILES, get, measured
from bench.protocol import Protocol, key

CELL = Cell(suite="s", model="m", dataset="d")
VERSIONS = {"model": 1, "training": 1}
OTHER = {
    "width": "0.5", "image_size": 16, "train_limit": 10, "test_limit": 10, "mean": 0.25, "std": 0.25,
    "augmentation": "none", "epochs": 8, "batch_size": 64, "lr": 0.2, "lr_drops": (4,), "momentum": 0.8,
    "weight_decay": 5e-4, "temperature": 1.0, "precision": "bf16", "schedule": "released", "total": "released",
    "floor": "released", "counting": "released", "revival": "released", "score_samples": 640,
    "initialisation": "kaiming_normal", "scoring_batch": 256, "warmup": 5, "probes": (0, 80), "lr_factor": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("name", [field.name for field in fields(Protocol)])
def test_changing_any_field_changes_the_key(name):
    changed = replace(Protocol(), **{name: OTHER[name]})
    assert key(CELL, changed, VERSIONS) != key(CELL, Protocol(), VERSIONS)
    assert Protocol.from_dict(changed.to_dict()) == changed


def test_the_key_is_the_id_and_eight_hex_digits_of_protocol_and_versions():
    name, _, digest = key(CELL, Protocol(), VERSIONS).rpartition("-")
    assert name == CELL.id
    assert len(bytes.fromhex(digest)) == 4
    assert key(CELL, Protocol(), {"training": 1, "model": 1}) == key(CELL, Protocol(), VERSIONS)
    assert key(CELL, Protocol(), {"training": 2, "model": 1}) != key(CELL, Protocol(), VERSIONS)


def test_a_migrated_field_renames_nothing_at_its_old_value(monkeypatch):
    before = key(CELL, Protocol(), VERSIONS)
    with_field = key(CELL, replace(Protocol(), temperature=1.0), VERSIONS)
    monkeypatch.setitem(protocol.MIGRATIONS, "temperature", 5.0)
    assert key(CELL, Protocol(), VERSIONS) != before  # as if the field had not existed
    assert key(CELL, replace(Protocol(), temperature=1.0), VERSIONS) == with_field
    old = {name: value for name, value in Protocol().to_dict().items() if name != "temperature"}
    assert key(CELL, Protocol.from_dict(old), VERSIONS) == key(CELL, Protocol(), VERSIONS)


def test_records_of_before_there_was_a_factor_keep_their_keys():
    old = {name: value for name, value in Protocol().to_dict().items() if name != "lr_factor"}
    assert Protocol.from_dict(old) == Protocol()
    assert key(CELL, Protocol(), VERSIONS) == f"{CELL.id}-83f391e2"


def test_a_field_no_migration_knows_is_an_error():
    values = Protocol().to_dict()
    with pytest.raises(ValueError, match=r"^a protocol has no field colour$"):
        Protocol.from_dict({**values, "colour": 1})
    del values["lr"]
    with pytest.raises(ValueError, match=r"^this protocol lacks lr, and no migration gives a value$"):
        Protocol.from_dict(values)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": "0"}, "width is 0; it must be a multiplier above 0 and at most 4"),
        ({"schedule": "relased"}, "schedule is 'relased'; expected even or released"),
        ({"precision": "fp61"}, "precision is 'fp61'; expected fp32 or tf32 or bf16"),
        ({"epochs": -1}, "epochs must not be negative; batches and score_samples must be at least 1"),
        ({"warmup": -1}, "warmup is -1; it must be some of the 160 epochs"),
        ({"epochs": 4, "warmup": 5}, "warmup is 5; it must be some of the 4 epochs"),
        ({"lr_factor": 0.0}, "lr_factor is 0.0; it must be above 0 and at most 1"),
        ({"lr_factor": 10.0}, "lr_factor is 10.0; it must be above 0 and at most 1"),
        ({"scoring_batch": -1}, "batches and score_samples must be at least 1"),
    ],
)
def test_an_impossible_protocol_says_why(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(Protocol(), **change)


def test_profiles_differ_in_protocol_and_are_found_by_name():
    filters = [profile for profile in PROFILES.values() if "gradient_flow" in profile.suites]
    assert len({key(CELL, profile.protocol, VERSIONS) for profile in filters}) == len(filters) == 5
    assert get("paper") is PROFILES["paper"]
    with pytest.raises(ValueError, match=r"no profile is called 'nigthly'; did you mean nightly\?"):
        get("nigthly")


def test_every_profile_exists_in_other_precisions():
    profile = get("mini-bf16")
    assert profile.protocol == replace(PROFILES["mini"].protocol, precision="bf16")
    assert (profile.name, profile.comparable) == ("mini-bf16", False)
    assert key(CELL, profile.protocol, VERSIONS) != key(CELL, get("mini").protocol, VERSIONS)
    assert (get("paper-tf32").comparable, get("paper").comparable) == (False, True)
    assert (profile.base, get("mini").base) == ("mini", "mini")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("paper-fp32", "profile paper is in fp32 as it is; there is no paper-fp32"),
        ("nightly-bf16", "profile nightly is in bf16 as it is; there is no nightly-bf16"),
        ("paper-fp16", "no profile is called 'paper-fp16'; did you mean paper?"),
        ("bf16", "no profile is called 'bf16'; there are demo, mini"),
    ],
)
def test_a_precision_that_is_none_or_the_profiles_own(name, sentence):
    with pytest.raises(ValueError, match=sentence):
        get(name)


def test_the_profiles_of_records_have_an_order():
    found = measured(["paper", "demo", "mini-bf16", "somebody-elses", "mini", "mini-fp32"])
    assert [profile.name for profile in found] == ["demo", "mini", "paper", "mini-bf16"]
