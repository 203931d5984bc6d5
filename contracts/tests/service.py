"""The whole service in a world: a council that governs, a storage, a logic, a registrar."""
import hashlib
from dataclasses import dataclass

from eth_abi import encode
from eth_utils import keccak

from world import EMPTY, ZERO, CHAIN_ID, Contract, Outcome, Signer, World, account, name32

ADD_STORAGE, SELECT_LOGIC, CONFIGURE, REASSIGN = 1, 2, 3, 4
PASSED, EXECUTED, REJECTED, EXPIRED, WITHDRAWN = 1, 2, 3, 4, 5

TOTAL = 1_000_000
THRESHOLD = 10_000
DAY = 86_400
MIN_DURATION = DAY
MAX_DURATION = 14 * DAY
EXEC_DELAY = 2 * DAY
GRACE = 14 * DAY
COOLDOWN = 30 * DAY
PRIORITY = 3_600
DEFAULTS = (TOTAL, THRESHOLD, MIN_DURATION, MAX_DURATION, EXEC_DELAY, GRACE, COOLDOWN, PRIORITY)

FOUNDER = account("founder")
REGISTRAR = account("registrar")
STRANGER = account("stranger")

# What a real client sends is about this long.
PUBLIC_KEY = bytes(range(1, 251)) * 2 + b"\x07" * 50
SIGNATURE = bytes(range(1, 251)) * 2 + b"\x09" * 12


def tag(text: str) -> bytes:
    return keccak(text="jns.v1." + text)


def jami_id(text: str) -> str:
    return "0x" + hashlib.sha1(text.encode()).hexdigest()


def digest(public_key: bytes, signature: bytes) -> bytes:
    return keccak(keccak(public_key) + keccak(signature)) if public_key or signature else EMPTY


def payload_of(council: str, id: int, kind: int, target: str, other: str, key: bytes, val: int, doc: bytes) -> bytes:
    return keccak(encode(
        ["uint256", "address", "uint256", "uint256", "address", "address", "bytes32", "uint256", "bytes32"],
        [CHAIN_ID, council, id, kind, target, other, key, val, doc],
    ))


def operation_hash(seq: int, op: int, name: bytes, owner: str, addr: str, evidence: bytes) -> bytes:
    return keccak(encode(
        ["uint256", "uint256", "bytes32", "address", "address", "bytes32"], [seq, op, name, owner, addr, evidence]
    ))


def slot_of(mapping: int, key: bytes) -> int:
    """Where a key of a mapping of the storage is."""
    return int.from_bytes(keccak(mapping.to_bytes(32, "big") + key), "big")


UINT, ADDRESS, BYTES32, BOOL = 2, 4, 5, 1


@dataclass
class Proposal:
    id: int
    payload: bytes
    outcome: Outcome


def propose(council: Contract, kind, target=ZERO, other=ZERO, key=EMPTY, val=0, duration=DAY, doc=EMPTY, by=FOUNDER):
    outcome = council.propose(kind, target, other, key, val, duration, doc, by=by)
    event = outcome.event("Proposed")
    return Proposal(event["id"], event["payload"], outcome)


def carry(council: Contract, *arguments, voters=(FOUNDER,), **more) -> Outcome:
    """Proposes, votes and executes."""
    proposal = propose(council, *arguments, **more)
    for voter in voters:
        council.vote(proposal.payload, True, by=voter)
    council.world.advance(EXEC_DELAY)
    return council.execute(proposal.payload, by=STRANGER)


class Service:
    def __init__(self, world: World):
        self.world = world
        self.council = world.deploy("Council", *DEFAULTS, by=FOUNDER)
        blueprint, key = world.blueprint()
        carry(self.council, ADD_STORAGE, blueprint, key=key)
        self.store = Contract(world, "EternalStorage", self.council.stores(0))
        self.logic = self.new_logic()
        self.select(self.logic)
        self.configure("registrar", REGISTRAR, 1)

    def new_logic(self) -> Contract:
        return self.world.deploy("JnsLogic", self.council.address, self.store.address)

    def select(self, logic: Contract) -> Outcome:
        return carry(self.council, SELECT_LOGIC, logic.address, key=self.world.code_hash(logic.address))

    def configure(self, action: str, target: str = ZERO, val: int = 0) -> Outcome:
        return carry(self.council, CONFIGURE, target, key=tag(action), val=val)

    def register(self, name: str, owner: str, addr: str | None = None, public_key=PUBLIC_KEY, signature=SIGNATURE,
                 by: str = REGISTRAR) -> Outcome:
        return self.logic.registerFor(
            name32(name), owner, addr or jami_id(name), public_key, signature, by=by
        )

    def record(self, name: str) -> tuple:
        key = name32(name)
        return self.logic.owner(key), self.logic.addr(key), self.logic.evidence(key)

    # The owner's signatures (EIP-712), made without the contract's help.

    def domain(self, logic: str | None = None, chain_id: int = CHAIN_ID) -> bytes:
        kind = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        return keccak(encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [keccak(text=kind), keccak(text="Jami Name Service"), keccak(text="1"), chain_id,
             logic or self.logic.address],
        ))

    def signed(self, signer: Signer, kind: str, types: list, values: list, **domain) -> tuple:
        content = keccak(encode(["bytes32"] + types, [keccak(text=kind)] + values))
        return signer.sign(keccak(b"\x19\x01" + self.domain(**domain) + content))

    def sign_transfer(self, signer: Signer, name: str, new_owner: str, nonce: int, deadline: int, **domain) -> tuple:
        return self.signed(
            signer, "Transfer(bytes32 name,address newOwner,uint256 nonce,uint256 deadline)",
            ["bytes32", "address", "uint256", "uint256"], [name32(name), new_owner, nonce, deadline], **domain,
        )

    def sign_release(self, signer: Signer, name: str, nonce: int, deadline: int, **domain) -> tuple:
        return self.signed(
            signer, "Release(bytes32 name,uint256 nonce,uint256 deadline)",
            ["bytes32", "uint256", "uint256"], [name32(name), nonce, deadline], **domain,
        )

    def sign_address(self, signer: Signer, name: str, addr: str, evidence: bytes, nonce: int, deadline: int,
                     **domain) -> tuple:
        return self.signed(
            signer, "SetAddress(bytes32 name,address addr,bytes32 evidence,uint256 nonce,uint256 deadline)",
            ["bytes32", "address", "bytes32", "uint256", "uint256"],
            [name32(name), addr, evidence, nonce, deadline], **domain,
        )

    # What a light client reads, straight from the storage.

    def uint(self, key: bytes) -> int:
        return self.world.second.storage(self.store.address, slot_of(UINT, key))

    def word(self, key: bytes) -> bytes:
        return self.world.second.storage(self.store.address, slot_of(BYTES32, key)).to_bytes(32, "big")

    def address(self, key: bytes) -> str:
        return "0x" + self.world.second.storage(self.store.address, slot_of(ADDRESS, key)).to_bytes(20, "big").hex()

    @property
    def journal(self) -> tuple[int, bytes]:
        return self.uint(tag("seq")), self.word(tag("journal"))
