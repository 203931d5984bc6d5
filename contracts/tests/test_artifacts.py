"""What is deployed is what the protocol says: selectors, topics, layout, sizes; nothing takes money."""
import json
import sys

import pytest
from eth_utils import keccak

from world import ARTIFACTS, ROOT, artifact, code_of, type_of

VECTORS = json.loads((ROOT / "Tests/NameRegistryTests/Vectors/jns-contract.json").read_text())
CONTRACTS = ("EternalStorage", "Council", "JnsLogic")
VERSIONS = ("cancun", "london")


@pytest.mark.parametrize("evm_version", VERSIONS)
@pytest.mark.parametrize("name", CONTRACTS)
def test_selectors_and_topics_are_exactly_those_of_the_protocol(name, evm_version):
    abi = artifact(name, evm_version)["abi"]
    signatures = {
        (entry["type"], f"{entry['name']}({','.join(type_of(part) for part in entry['inputs'])})")
        for entry in abi if entry["type"] in ("function", "event")
    }
    selectors = {text: "0x" + keccak(text=text)[:4].hex() for kind, text in signatures if kind == "function"}
    topics = {text: "0x" + keccak(text=text).hex() for kind, text in signatures if kind == "event"}
    assert selectors == VECTORS["selectors"][name]
    assert topics == VECTORS["topics"][name]
    compiled = {text: "0x" + value[2:].zfill(8) for text, value in artifact(name, evm_version)["methods"].items()}
    assert compiled == selectors


@pytest.mark.parametrize("name", CONTRACTS)
def test_indexed_fields_are_the_first_ones_and_at_most_three(name):
    for event in (entry for entry in artifact(name)["abi"] if entry["type"] == "event"):
        indexed = [part["indexed"] for part in event["inputs"]]
        assert indexed == sorted(indexed, reverse=True) and 1 <= sum(indexed) <= 3


@pytest.mark.parametrize("name", CONTRACTS)
def test_nothing_is_payable(name):
    assert all(entry.get("stateMutability") != "payable" for entry in artifact(name)["abi"])


@pytest.mark.parametrize("name", CONTRACTS)
def test_both_builds_have_one_interface(name):
    assert artifact(name, "cancun")["abi"] == artifact(name, "london")["abi"]


@pytest.mark.parametrize("evm_version", VERSIONS)
@pytest.mark.parametrize("name", CONTRACTS)
def test_the_code_has_no_delegatecall_no_callcode_and_no_selfdestruct(name, evm_version):
    forbidden = {0xF2: "CALLCODE", 0xF4: "DELEGATECALL", 0xFF: "SELFDESTRUCT"}
    made = artifact(name, evm_version)
    code = code_of(made["runtimeCode"])
    found, position = set(), 0
    end = len(code) - 2 - int.from_bytes(code[-2:], "big") if code[-2:] else len(code)
    while position < min(end, len(code)):
        opcode = code[position]
        if opcode in forbidden:
            found.add(forbidden[opcode])
        position += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)
    assert not found


@pytest.mark.parametrize("evm_version", VERSIONS)
def test_the_storage_layout_is_that_of_the_protocol(evm_version):
    layout = artifact("EternalStorage", evm_version)["storageLayout"]
    found = {name.removesuffix("_of"): entry["slot"] for name, entry in layout.items()}
    assert found == VECTORS["mappingSlots"]


@pytest.mark.parametrize("evm_version", VERSIONS)
def test_the_logic_holds_no_state_but_the_lock_of_old_chains(evm_version):
    layout = artifact("JnsLogic", evm_version)["storageLayout"]
    assert set(layout) <= ({"$.nonreentrant_key"} if evm_version == "london" else set())


@pytest.mark.parametrize("evm_version", VERSIONS)
def test_the_blueprint_is_the_init_code_behind_its_preamble(evm_version):
    made = artifact("EternalStorage", evm_version)
    code = bytes.fromhex("fe7100") + code_of(made["initCode"])
    assert made["blueprintCodeHash"] == "0x" + keccak(code).hex()
    assert code_of(made["blueprintDeployCode"]).endswith(code)


def test_the_builder_notices_a_moved_slot(monkeypatch):
    sys.path.insert(0, str(ROOT / "contracts" / "tools"))
    import build

    made = artifact("EternalStorage")
    assert build.layout_faults(made) == []
    made["storageLayout"]["uint_of"]["slot"] = 9
    assert build.layout_faults(made)


def test_there_is_an_artefact_of_each_contract_and_machine():
    assert {path.name for path in ARTIFACTS.glob("*.json")} == {f"{n}.{v}.json" for n in CONTRACTS for v in VERSIONS}
