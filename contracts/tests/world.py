"""A world in which every transaction is executed by two EVMs that share no code, and must do the same in both."""
import functools
import json
import pathlib
import re
from dataclasses import dataclass

import boa
import pyrevm
from eth_abi import decode, encode
from eth_keys import keys as eth_keys
from eth_utils import keccak

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ARTIFACTS = ROOT / "contracts" / "artifacts"

CHAIN_ID = 1551
START = 1_800_000_000
GAS = 30_000_000

ZERO = "0x" + "00" * 20
DEAD = "0x" + "00" * 18 + "dead"
EMPTY = bytes(32)


def artifact(name: str, evm_version: str = "cancun") -> dict:
    return json.loads((ARTIFACTS / f"{name}.{evm_version}.json").read_text())


def code_of(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.removeprefix("0x"))


def account(text: str) -> str:
    """An address that nobody has the key of."""
    return "0x" + keccak(text=text)[-20:].hex()


class Signer:
    """An address with its key."""

    def __init__(self, text: str):
        self.key = eth_keys.PrivateKey(keccak(text=text))
        self.address = self.key.public_key.to_address()

    def sign(self, digest: bytes) -> tuple[int, bytes, bytes]:
        signature = self.key.sign_msg_hash(digest)
        return signature.v + 27, signature.r.to_bytes(32, "big"), signature.s.to_bytes(32, "big")


def name32(text: str) -> bytes:
    return text.encode().ljust(32, b"\0")


class Reverted(Exception):
    """The contract refused; the text is its reason."""


@dataclass
class Event:
    name: str
    address: str
    fields: dict


@dataclass
class Outcome:
    ok: bool
    output: bytes
    logs: list
    events: list
    value: object = None

    def event(self, name: str) -> dict:
        found = [event.fields for event in self.events if event.name == name]
        assert len(found) == 1, f"{len(found)} events {name}"
        return found[0]


def type_of(entry: dict) -> str:
    if entry["type"].startswith("tuple"):
        return "(" + ",".join(type_of(part) for part in entry["components"]) + ")" + entry["type"][5:]
    return entry["type"]


class Interface:
    """What an ABI says, ready for use."""

    def __init__(self, abi: list):
        self.functions = {entry["name"]: entry for entry in abi if entry["type"] == "function"}
        self.events = {keccak(text=self.signature(entry)): entry for entry in abi if entry["type"] == "event"}
        self.constructor = next((entry for entry in abi if entry["type"] == "constructor"), {"inputs": []})

    @staticmethod
    def signature(entry: dict) -> str:
        return f"{entry['name']}({','.join(type_of(part) for part in entry['inputs'])})"

    def data(self, function: str, arguments) -> bytes:
        entry = self.functions[function]
        types = [type_of(part) for part in entry["inputs"]]
        return keccak(text=self.signature(entry))[:4] + encode(types, arguments)

    def result(self, function: str, output: bytes):
        types = [type_of(part) for part in self.functions[function]["outputs"]]
        if not types:
            return None
        values = decode(types, output)
        return values[0] if len(values) == 1 else values

    def is_view(self, function: str) -> bool:
        return self.functions[function]["stateMutability"] in ("view", "pure")

    def event(self, log) -> Event | None:
        address, topics, data = log
        entry = self.events.get(topics[0]) if topics else None
        if entry is None:
            return None
        indexed = [part for part in entry["inputs"] if part["indexed"]]
        plain = [part for part in entry["inputs"] if not part["indexed"]]
        fields = {part["name"]: decode([part["type"]], topic)[0] for part, topic in zip(indexed, topics[1:])}
        fields |= dict(zip([part["name"] for part in plain], decode([part["type"] for part in plain], data)))
        return Event(entry["name"], address, fields)


INTERFACES = {name: Interface(artifact(name)["abi"]) for name in ("EternalStorage", "Council", "JnsLogic")}


def environment() -> boa.Env:
    """An environment of titanoboa. Each wraps the opcodes once more that all share: undone, or each is slower."""
    made = boa.Env()
    opcodes = made.evm.vm.state.computation_class.opcodes
    for code, inner in ((0x20, "sha3"), (0x55, "sstore")):
        tracer = opcodes[code]
        while isinstance(getattr(tracer, inner), type(tracer)):
            setattr(tracer, inner, getattr(getattr(tracer, inner), inner))
    return made


class World:
    def __init__(self, evm_version: str = "cancun"):
        self.evm_version = evm_version
        self.env = environment()
        self.env.evm.patch.chain_id = CHAIN_ID
        self.second = pyrevm.EVM(
            spec_id="CANCUN", env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID)), gas_limit=GAS
        )
        self.block = 1
        self.now = START
        self.written = {}
        self.deployments = 0
        self.transactions = 0
        self.set_time(START)

    # Time

    def set_time(self, now: int):
        self.now = now
        self.block += 1
        self.env.evm.patch.timestamp = now
        self.env.evm.patch.block_number = self.block
        self.second.set_block_env(
            pyrevm.BlockEnv(number=self.block, timestamp=now, gas_limit=GAS, basefee=0, prevrandao=bytes(32))
        )

    def advance(self, seconds: int):
        self.set_time(self.now + seconds)

    # Transactions

    def deploy_code(self, init_code: bytes, by: str | None = None) -> Outcome:
        """Executes init code; the outcome's value is the address."""
        self.deployments += 1
        sender = by or account(f"deployer {self.deployments}")
        self.env.sstore_trace.clear()
        address, computation = self.env.deploy(sender=boa.util.abi.Address(sender), bytecode=init_code, gas=GAS)
        first = self._first(computation)
        second, made = self._second(lambda: self.second.deploy(sender, init_code, gas=GAS))
        # A deployment leaves the code in the result of the first.
        self._same(first, (second[0], first[1] if second[0] else second[1], second[2]))
        if first[0]:
            assert made.lower() == str(address).lower()
            assert bytes(self.second.basic(made).code_hash) == keccak(self.env.get_code(address))
        return self._outcome(first, str(address).lower())

    def transact(self, by: str, to: str, data: bytes) -> Outcome:
        self.transactions += 1
        self.env.sstore_trace.clear()
        computation = self.env.execute_code(
            to_address=boa.util.abi.Address(to), sender=boa.util.abi.Address(by), data=data, gas=GAS
        )
        first = self._first(computation)
        second, _ = self._second(lambda: self.second.message_call(by, to, data, gas=GAS))
        self._same(first, second)
        return self._outcome(first)

    def look(self, to: str, data: bytes) -> bytes:
        """A call that changes nothing, by the second EVM only: the states are equal."""
        self.second.reset_transient_storage()
        try:
            return bytes(self.second.message_call(ZERO, to, data, gas=GAS, is_static=True))
        except RuntimeError as error:
            raise Reverted(reason_of(output_of(error))) from None

    def slot(self, address: str, slot: int) -> int:
        value = self.second.storage(address, slot)
        assert value == self.env.get_storage(boa.util.abi.Address(address), slot)
        return value

    def code(self, address: str) -> bytes:
        return self.env.get_code(boa.util.abi.Address(address))

    def set_code(self, address: str, code: bytes):
        """What no transaction can do: for contracts that change under their address."""
        self.env.set_code(boa.util.abi.Address(address), code)
        self.second.insert_account_info(address, pyrevm.AccountInfo(nonce=1, code=code, code_hash=keccak(code)))

    def compare_everything(self):
        """Every slot that was ever written has the same value in both."""
        for address, slots in self.written.items():
            for slot in slots:
                self.slot(address, slot)

    def _first(self, computation):
        logs = [
            ("0x" + address.hex(), [topic.to_bytes(32, "big") for topic in topics], data)
            for address, topics, data in computation.get_log_entries()
        ]
        self.env.evm.vm.state.clear_transient_storage()
        return (not computation.is_error, computation.output, logs)

    def _second(self, run):
        self.second.reset_transient_storage()
        try:
            result = run()
        except RuntimeError as error:
            return (False, output_of(error), []), None
        logs = [(log.address.lower(), list(log.data[0]), log.data[1]) for log in self.second.result.logs]
        return (True, result if isinstance(result, bytes) else b"", logs), result

    def _same(self, first, second):
        assert first[0] == second[0], f"one EVM succeeded: {first[:2]} {second[:2]}"
        assert first[1] == second[1], "the outputs differ"
        assert first[2] == second[2], "the logs differ"
        for address, slots in self.env.sstore_trace.items():
            known = self.written.setdefault(str(address).lower(), set())
            known |= set(slots)
            for slot in slots:
                self.slot(str(address).lower(), slot)

    def _outcome(self, first, value=None) -> Outcome:
        ok, output, logs = first
        if not ok:
            raise Reverted(reason_of(output))
        events = [event for log in logs for interface in INTERFACES.values() if (event := interface.event(log))]
        return Outcome(ok, output, logs, events, value)

    # Contracts

    def deploy(self, name: str, *arguments, by: str | None = None) -> "Contract":
        interface = INTERFACES[name]
        types = [type_of(part) for part in interface.constructor["inputs"]]
        code = code_of(artifact(name, self.evm_version)["initCode"]) + encode(types, arguments)
        return Contract(self, name, self.deploy_code(code, by=by).value)

    def blueprint(self) -> tuple[str, bytes]:
        """The address and the code hash of a blueprint of the storage."""
        made = artifact("EternalStorage", self.evm_version)
        address = self.deploy_code(code_of(made["blueprintDeployCode"])).value
        return address, keccak(self.code(address))

    def code_hash(self, address: str) -> bytes:
        return keccak(self.code(address))


class Contract:
    """A contract as an object: views answer values; the others take `by` and answer an outcome."""

    def __init__(self, world: World, kind: str, address: str):
        self.world = world
        self.interface = INTERFACES[kind]
        self.address = address

    def __getattr__(self, function: str):
        interface = self.interface
        if function not in interface.functions:
            raise AttributeError(function)

        def view(*arguments):
            return interface.result(function, self.world.look(self.address, interface.data(function, arguments)))

        def transaction(*arguments, by: str):
            outcome = self.world.transact(by, self.address, interface.data(function, arguments))
            outcome.value = interface.result(function, outcome.output)
            return outcome

        return view if interface.is_view(function) else transaction


def output_of(error: Exception) -> bytes:
    found = re.search(r"output: (0x[0-9a-f]*)", str(error))
    return code_of(found.group(1)) if found else b""


def reason_of(output: bytes) -> str:
    if output[:4] == bytes.fromhex("08c379a0"):
        return decode(["string"], output[4:])[0]
    return output.hex()


@functools.cache
def attacker(source: str, evm_version: str = "cancun") -> bytes:
    """The init code of a contract from `attackers`."""
    from vyper.compiler import compile_code
    from vyper.compiler.settings import Settings

    text = (ROOT / "contracts" / "tests" / "attackers" / f"{source}.vy").read_text()
    output = compile_code(text, output_formats=["bytecode"], settings=Settings(evm_version=evm_version))
    return code_of(output["bytecode"])
