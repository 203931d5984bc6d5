"""The vectors of the protocol, against the contracts."""
import json

import pytest
from eth_utils import keccak

from service import FOUNDER, REGISTRAR, digest, operation_hash, payload_of, slot_of, tag, REASSIGN, propose
from world import CHAIN_ID, DEAD, EMPTY, ROOT, Contract, Signer, account, name32

FOLDER = ROOT / "Tests/NameRegistryTests/Vectors"
VECTORS = json.loads((FOLDER / "jns-contract.json").read_text())
REGISTRATION = json.loads((FOLDER / "jns-registration.json").read_text())
MAPPINGS = VECTORS["mappingSlots"]


def data(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.mark.parametrize("text", [text for text in VECTORS["tags"]])
def test_tags(text):
    assert keccak(text=text).hex() == VECTORS["tags"][text][2:]


@pytest.mark.parametrize("vector", VECTORS["keys"], ids=lambda vector: vector["name"])
def test_keys_and_slots_of_names(service, vector):
    name = name32(vector["name"])
    assert name == data(vector["name32"])
    kinds = {"owner": "address", "addr": "address", "evidence": "bytes32", "nonce": "uint"}
    for field, kind in kinds.items():
        key = keccak(tag(field) + name)
        assert key == data(vector[field]["key"])
        assert slot_of(MAPPINGS[kind], key) == int(vector[field]["slot"], 16)
    # And the contract writes there.
    owner = Signer("owner")
    service.register(vector["name"], owner.address)
    service.logic.transferBySig(
        name, owner.address, 2**40, *service.sign_transfer(owner, vector["name"], owner.address, 0, 2**40), by=FOUNDER
    )
    values = {field: service.world.slot(service.store.address, int(vector[field]["slot"], 16)) for field in kinds}
    recorded = service.record(vector["name"])
    assert values["owner"] == int(recorded[0], 16) and values["addr"] == int(recorded[1], 16)
    assert values["evidence"] == int.from_bytes(recorded[2], "big") and values["nonce"] == 1


@pytest.mark.parametrize("vector", VECTORS["reverseKeys"])
def test_keys_and_slots_of_addresses(service, vector):
    key = keccak(tag("reverse") + data(vector["addr"]).rjust(32, b"\0"))
    assert key == data(vector["key"])
    assert slot_of(MAPPINGS["bytes32"], key) == int(vector["slot"], 16)
    service.register("alice", account("owner"), vector["addr"])
    assert service.world.slot(service.store.address, int(vector["slot"], 16)) == int.from_bytes(name32("alice"), "big")


@pytest.mark.parametrize("name", VECTORS["singletons"])
def test_singletons(name):
    kind = "bytes32" if name == "journal" else "uint"
    assert data(VECTORS["singletons"][name]["key"]) == tag(name)
    assert slot_of(MAPPINGS[kind], tag(name)) == int(VECTORS["singletons"][name]["slot"], 16)


def test_name_validity(service):
    for vector in VECTORS["nameValidity"]:
        assert service.logic.isValidName(data(vector["name32"])) == vector["valid"], vector


def test_the_journal_formula():
    head = EMPTY
    for vector in VECTORS["journal"]:
        operation = operation_hash(
            vector["seq"], vector["op"], name32(vector["name"]), vector["owner"], vector["addr"],
            data(vector["evidence"]),
        )
        assert operation == data(vector["opHash"])
        head = keccak(head + operation)
        assert head == data(vector["journal"])


def test_the_journal_of_the_contract(service):
    """As far as it goes without the key of the vector's third owner."""
    first, second, third = VECTORS["journal"][:3]
    service.configure("import", val=1)
    for vector in (first, second):
        record = (name32(vector["name"]), vector["owner"], vector["addr"], data(vector["evidence"]))
        service.logic.importBatch([record], by=REGISTRAR)
        assert service.journal == (vector["seq"], data(vector["journal"]))
    service.logic.transfer(name32(third["name"]), third["owner"], by=second["owner"])
    assert service.journal == (3, data(third["journal"]))
    assert VECTORS["journal"][4]["owner"] == DEAD


def test_the_commitment(service):
    vector = VECTORS["commitment"]
    assert vector["chainId"] == CHAIN_ID
    key, signature = data(REGISTRATION["spkiDerHex"]), data(REGISTRATION["signatureHex"])
    assert keccak(key) == data(vector["publicKeyKeccak"]) and keccak(signature) == data(vector["signatureKeccak"])
    service.world.set_code(vector["logic"], service.world.code(service.logic.address))
    logic = Contract(service.world, "JnsLogic", vector["logic"])
    commitment = logic.commitmentOf(
        name32(vector["name"]), vector["owner"], vector["addr"], key, signature, data(vector["secret"])
    )
    assert commitment == data(vector["commitment"])
    assert digest(key, signature) == data(REGISTRATION["evidenceDigest"]) == data(VECTORS["journal"][0]["evidence"])


def test_the_payload(council):
    vector = VECTORS["payload"]
    assert vector["chainId"] == CHAIN_ID
    assert payload_of(
        vector["council"], vector["id"], vector["kind"], vector["target"], vector["other"], data(vector["key"]),
        vector["val"], data(vector["doc"]),
    ) == data(vector["payload"])
    proposal = propose(council, REASSIGN, FOUNDER, account("b"), b"\1" * 32, 5, doc=b"\2" * 32)
    assert proposal.payload == payload_of(
        council.address, 1, REASSIGN, FOUNDER, account("b"), b"\1" * 32, 5, b"\2" * 32
    )
