"""Measures what each operation costs as a whole transaction, in two networks.

    gas.py            writes contracts/GAS.md
    gas.py --check    fails if a figure is more than 1 % above that file's
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "contracts" / "tests"), str(ROOT / "Tests" / "Peers")]

from eth_keys import keys as eth_keys
from eth_utils import keccak

import service as rules
from ethereum_node import FORKS
from evm_chain import Chain
from world import EMPTY, INTERFACES, ZERO, Signer, artifact, code_of, name32, type_of
from eth_abi import encode

TABLE = ROOT / "contracts" / "GAS.md"
TOLERANCE = 1.01
NETWORKS = {"Prague": ("prague", "cancun"), "London": ("london", "london")}
CHAIN_ID = 1551
DAY = 86_400

# As long as those of a real client with RSA-4096, without zero bytes.
PUBLIC_KEY = (bytes(range(1, 256)) * 3)[:550]
SIGNATURE = (bytes(range(1, 256)) * 3)[:512]


class Ledger:
    """A chain in which every transaction is a block."""

    def __init__(self, fork: str, evm_version: str):
        self.evm_version = evm_version
        self.key = eth_keys.PrivateKey(keccak(text="gas"))
        self.sender = self.key.public_key.to_canonical_address()
        self.now = 1_800_000_000
        self.chain = Chain(FORKS[fork], CHAIN_ID, {self.sender: 10**30}, {"timestamp": self.now})
        self.nonce = 0
        self.figures = {}

    @property
    def address(self) -> str:
        return "0x" + self.sender.hex()

    def send(self, to: str, data: bytes, label: str | None = None, per: int = 1):
        unsigned = self.chain.vm_class.create_unsigned_transaction(
            nonce=self.nonce, gas_price=10**10, gas=29_000_000, to=code_of(to), value=0, data=data
        )
        transaction = unsigned.as_signed_transaction(self.key, chain_id=CHAIN_ID)
        self.nonce += 1
        fields = {"timestamp": self.now, "difficulty": 0}
        block, refused = self.chain.build(self.chain.head, fields, [transaction])
        self.chain.set_head(block)
        assert not refused and int.from_bytes(block.receipts[0].state_root, "big") == 1, f"{label} failed: {refused}"
        if label:
            self.figures[label] = block.gas_used(0) // per
        return block

    def deploy(self, name: str, *arguments, label: str) -> str:
        types = [type_of(part) for part in INTERFACES[name].constructor["inputs"]]
        code = code_of(artifact(name, self.evm_version)["initCode"]) + encode(types, arguments)
        return "0x" + self.send("0x", code, label).contracts[0].hex()

    def call(self, kind: str, to: str, function: str, *arguments, label: str | None = None, per: int = 1):
        return self.send(to, INTERFACES[kind].data(function, arguments), label, per)

    def read(self, kind: str, to: str, function: str, *arguments):
        data = INTERFACES[kind].data(function, arguments)
        output = self.chain.call(self.chain.head, self.sender, code_of(to), data, 0, None)
        return INTERFACES[kind].result(function, output)

    def code_hash(self, address: str) -> bytes:
        return keccak(self.chain.state(self.chain.head).get_code(code_of(address)))


def measure(fork: str, evm_version: str) -> dict:
    ledger = Ledger(fork, evm_version)
    me = ledger.address
    owner, other = Signer("owner"), Signer("other")
    council = ledger.deploy("Council", *rules.DEFAULTS, label="deploy the council")
    code = code_of(artifact("EternalStorage", evm_version)["blueprintDeployCode"])
    blueprint = "0x" + ledger.send("0x", code, "deploy the storage's blueprint").contracts[0].hex()

    def on_council(function, *arguments, label=None):
        return ledger.call("Council", council, function, *arguments, label=label)

    def carry(what: str, kind: int, target=ZERO, other_=ZERO, key=EMPTY, val=0, labels=("propose", "execute")):
        block = on_council(
            "propose", kind, target, other_, key, val, DAY, b"\1" * 32,
            label=f"propose: {what}" if "propose" in labels else None,
        )
        payload = code_of(block.logs[0]["data"])[:32]
        on_council("vote", payload, True, label="vote, and pass" if kind == rules.REASSIGN else None)
        ledger.now += rules.EXEC_DELAY
        on_council("execute", payload, label=f"execute: {what}" if "execute" in labels else None)

    on_council("delegate", other.address, 1_000, label="delegate to a new member")
    on_council("delegate", other.address, 1_000, label="delegate to a member")
    carry("reassign stake", rules.REASSIGN, other.address, me, val=10)
    carry("add a storage", rules.ADD_STORAGE, blueprint, key=ledger.code_hash(blueprint))
    store = ledger.read("Council", council, "stores", 0)
    logic = ledger.deploy("JnsLogic", council, store, label="deploy the logic")
    carry("select a logic, one storage", rules.SELECT_LOGIC, logic, key=ledger.code_hash(logic))
    carry("configure a registrar", rules.CONFIGURE, me, key=rules.tag("registrar"), val=1)
    carry("", rules.CONFIGURE, key=rules.tag("import"), val=1, labels=())

    def on_logic(function, *arguments, label=None, per=1):
        return ledger.call("JnsLogic", logic, function, *arguments, label=label, per=per)

    def register(name: str, label=None, key=PUBLIC_KEY, signature=SIGNATURE, owned_by=me):
        on_logic("registerFor", name32(name), owned_by, rules.jami_id(name), key, signature, label=label)

    register("first-name")
    register("alice", "register with evidence")
    register("bobby", "register without evidence", b"", b"")
    revealed = (name32("carol"), me, rules.jami_id("carol"), PUBLIC_KEY, SIGNATURE, keccak(text="secret"))
    commitment = ledger.read("JnsLogic", logic, "commitmentOf", *revealed)
    on_logic("commit", commitment, label="commit")
    ledger.now += 60
    on_logic("reveal", *revealed, label="reveal with evidence")
    on_logic("transfer", name32("alice"), other.address, label="transfer by the owner")
    signer = rules.Service.__new__(rules.Service)
    signer.logic = type("Logic", (), {"address": logic})
    deadline = ledger.now + DAY
    register("david", owned_by=owner.address)
    signed = signer.sign_transfer(owner, "david", owner.address, 0, deadline)
    on_logic("transferBySig", name32("david"), owner.address, deadline, *signed, label="transfer by a signature")
    new = rules.jami_id("new")
    signed = signer.sign_address(owner, "david", new, rules.digest(PUBLIC_KEY, SIGNATURE), 1, deadline)
    on_logic(
        "setAddressFor", name32("david"), new, PUBLIC_KEY, SIGNATURE, deadline, *signed,
        label="move to another address",
    )
    signed = signer.sign_release(owner, "david", 2, deadline)
    on_logic("releaseBySig", name32("david"), deadline, *signed, label="release by a signature")
    on_logic("release", name32("carol"), label="release by the owner")
    batch = [
        (name32(f"imported-{index:03}"), me, rules.jami_id(f"import {index}"), keccak(text=f"evidence {index}"))
        for index in range(128)
    ]
    on_logic("importBatch", batch, label="import, per name of 128", per=128)
    carry("void a name", rules.CONFIGURE, key=rules.tag("void"), val=int.from_bytes(name32("bobby"), "big"),
          labels=("execute",))
    return ledger.figures


def table(measured: dict) -> str:
    labels = list(next(iter(measured.values())))
    lines = [
        "# Gas",
        "",
        "Made by `contracts/build --gas`; the contracts' tests measure again and fail if a figure grew by more than 1 %.",
        "",
        "Each figure is a whole transaction: its base cost, its data and the execution, on an account and a store that",
        "were used before. Evidence is a key of 550 bytes and a signature of 512, as of RSA-4096, in the event log.",
        "Prague runs the default build, London the one for Clique networks.",
        "",
        "| operation | " + " | ".join(measured) + " |",
        "|---|" + "--:|" * len(measured),
    ]
    for label in labels:
        lines.append(f"| {label} | " + " | ".join(f"{figures[label]:,}" for figures in measured.values()) + " |")
    return "\n".join(lines) + "\n"


def kept() -> dict:
    """The figures of the file, by operation."""
    rows = re.findall(r"^\| ([^|]+) \|((?: [\d,]+ \|)+)$", TABLE.read_text(), re.MULTILINE)
    return {label: [int(cell.replace(",", "")) for cell in cells.split("|")[:-1]] for label, cells in rows}


def faults(measured: dict) -> list[str]:
    known, found = kept(), []
    for place, (network, figures) in enumerate(measured.items()):
        for label, gas in figures.items():
            if label not in known:
                found.append(f"{TABLE.name} has no “{label}”; run contracts/build --gas")
            elif gas > known[label][place] * TOLERANCE:
                found.append(f"{label} ({network}) costs {gas:,} gas, {known[label][place]:,} before")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the gas of the contracts.")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    measured = {name: measure(*versions) for name, versions in NETWORKS.items()}
    if not options.check:
        TABLE.write_text(table(measured))
        return 0
    found = faults(measured)
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
