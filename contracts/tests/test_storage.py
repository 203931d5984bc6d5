"""EternalStorage: names protocol, "Contracts", "Storage"."""
import pytest
from eth_utils import keccak

from service import slot_of
from world import EMPTY, ZERO, Reverted, account

OWNER, LOGIC, STRANGER = account("storage owner"), account("storage logic"), account("stranger")
KEY, OTHER_KEY = keccak(text="a key"), keccak(text="another key")

VALUES = [
    ("Bool", 1, True, False),
    ("Uint", 2, 2**256 - 1, 0),
    ("Int", 3, -(2**255), 0),
    ("Address", 4, account("value"), ZERO),
    ("Bytes32", 5, keccak(text="value"), EMPTY),
    ("Bytes", 6, bytes(range(256)) * 4, b""),
    ("String", 7, "ü" * 128, ""),
]


@pytest.fixture
def store(world):
    return world.deploy("EternalStorage", LOGIC, by=OWNER)


def test_the_deployer_owns_it_and_the_logic_is_the_argument(store):
    assert (store.owner(), store.logic()) == (OWNER, LOGIC)


def test_only_the_owner_chooses_the_logic(store):
    for other in (LOGIC, STRANGER, ZERO):
        with pytest.raises(Reverted, match="^not owner$"):
            store.setLogic(other, by=other)
    changed = store.setLogic(STRANGER, by=OWNER).event("LogicChanged")
    assert changed == {"previous": LOGIC, "current": STRANGER}
    assert store.logic() == STRANGER


@pytest.mark.parametrize("kind, mapping, value, empty", VALUES)
def test_only_the_logic_writes(store, kind, mapping, value, empty):
    get, set_ = getattr(store, f"get{kind}"), getattr(store, f"set{kind}")
    assert get(KEY) == empty
    for other in (OWNER, STRANGER, ZERO):
        with pytest.raises(Reverted, match="^not logic$"):
            set_(KEY, value, by=other)
    assert get(KEY) == empty
    outcome = set_(KEY, value, by=LOGIC)
    assert outcome.logs == []
    assert (get(KEY), get(OTHER_KEY)) == (value, empty)
    set_(KEY, empty, by=LOGIC)
    assert get(KEY) == empty


def test_a_new_logic_writes_and_the_old_one_does_not(store):
    store.setUint(KEY, 1, by=LOGIC)
    store.setLogic(STRANGER, by=OWNER)
    with pytest.raises(Reverted, match="^not logic$"):
        store.setUint(KEY, 2, by=LOGIC)
    store.setUint(KEY, 3, by=STRANGER)
    assert store.getUint(KEY) == 3


def test_a_frozen_storage_keeps_its_data_and_takes_none(store):
    store.setUint(KEY, 1, by=LOGIC)
    store.setLogic(ZERO, by=OWNER)
    for other in (LOGIC, OWNER, STRANGER):
        with pytest.raises(Reverted, match="^not logic$"):
            store.setUint(KEY, 2, by=other)
    assert store.getUint(KEY) == 1


@pytest.mark.parametrize("kind, mapping, value, empty", VALUES)
def test_every_value_is_in_the_slot_that_proofs_are_made_for(store, world, kind, mapping, value, empty):
    getattr(store, f"set{kind}")(KEY, value, by=LOGIC)
    slot = slot_of(mapping, KEY)
    if kind in ("Bytes", "String"):
        raw = value if kind == "Bytes" else value.encode()
        assert world.slot(store.address, slot) == len(raw)
        words = [raw[at:at + 32].ljust(32, b"\0") for at in range(0, len(raw), 32)]
        assert [world.slot(store.address, slot + 1 + at).to_bytes(32, "big") for at in range(len(words))] == words
    else:
        expected = {"Bool": 1, "Uint": 2**256 - 1, "Int": 2**255}.get(kind)
        if expected is None:
            expected = int(value, 16) if kind == "Address" else int.from_bytes(value, "big")
        assert world.slot(store.address, slot) == expected
    assert world.slot(store.address, 0) == int(LOGIC, 16)


@pytest.mark.parametrize("kind, value", [("Bytes", bytes(1025)), ("String", "a" * 257)])
def test_longer_values_are_refused(store, kind, value):
    with pytest.raises(Reverted):
        getattr(store, f"set{kind}")(KEY, value, by=LOGIC)


def test_mappings_do_not_overlap(store):
    for kind, _, value, _ in VALUES:
        getattr(store, f"set{kind}")(KEY, value, by=LOGIC)
    assert [getattr(store, f"get{kind}")(KEY) for kind, *_ in VALUES] == [value for _, _, value, _ in VALUES]
