"""The rules of the protocol once more, in Python: what the contracts must do, step by step."""
from dataclasses import dataclass, field

from eth_utils import keccak

from service import (
    ADD_STORAGE, CONFIGURE, EXECUTED, EXPIRED, PASSED, REASSIGN, REJECTED, SELECT_LOGIC, WITHDRAWN, digest,
    operation_hash,
)
from world import DEAD, EMPTY, ZERO


class Refused(Exception):
    """The model refuses, for this reason."""


def require(condition: bool, reason: str):
    if not condition:
        raise Refused(reason)


@dataclass
class Open:
    """The proposal in the slot."""

    id: int
    proposer: str
    kind: int
    target: str
    other: str
    key: bytes
    val: int
    expires: int
    payload: bytes
    powers: dict
    eta: int = 0
    yes: int = 0
    no: int = 0

    def row(self) -> tuple:
        return (
            self.id, self.proposer, self.kind, self.target, self.other, self.key, self.val, self.expires, self.eta,
            self.yes, self.no, self.payload,
        )


NOTHING = (0, ZERO, 0, ZERO, ZERO, EMPTY, 0, 0, 0, 0, 0, EMPTY)


@dataclass
class CouncilModel:
    total: int
    threshold: int
    min_duration: int
    max_duration: int
    exec_delay: int
    grace: int
    cooldown: int
    priority: int
    stakes: dict
    logic: str = ZERO
    storages: int = 0
    slot: Open | None = None
    last_id: int = 0
    locks: dict = field(default_factory=dict)
    votes: dict = field(default_factory=dict)
    rejectors: set = field(default_factory=set)
    priority_until: int = 0
    outcomes: list = field(default_factory=list)

    def stake(self, member: str) -> int:
        return self.stakes.get(member, 0)

    def power(self, member: str) -> int:
        return self.stake(member) if self.slot is None else self.slot.powers.get(member, 0)

    def move(self, source: str, to: str, amount: int):
        self.stakes[source] = self.stake(source) - amount
        self.stakes[to] = self.stake(to) + amount

    def end(self, outcome: int, now: int):
        if outcome != EXECUTED:
            self.locks[self.slot.proposer] = now + self.cooldown
        self.outcomes.append((self.slot.id, outcome))
        self.slot = None

    def expire(self, now: int):
        if self.slot and now >= (self.slot.eta + self.grace if self.slot.eta else self.slot.expires):
            self.end(EXPIRED, now)

    def delegate(self, member, to, amount, now):
        require(to not in (ZERO, member), "recipient")
        require(amount > 0, "amount")
        require(not (self.slot and self.slot.kind == REASSIGN and self.slot.target == member), "frozen")
        is_locked = (self.slot and self.slot.proposer == member) or now < self.locks.get(member, 0)
        require(self.stake(member) >= amount + (self.threshold if is_locked else 0), "locked")
        self.move(member, to, amount)

    def propose(self, member, kind, target, other, key, val, duration, payload, now):
        # A refusal also forgets that an expired proposal was closed.
        slot, locks, outcomes = self.slot, dict(self.locks), list(self.outcomes)
        try:
            self.expire(now)
            require(self.slot is None, "busy")
            require(self.stake(member) >= self.threshold, "stake")
            require(now >= self.locks.get(member, 0), "cooldown")
            require(self.min_duration <= duration <= self.max_duration, "duration")
            require(now >= self.priority_until or member in self.rejectors, "priority")
            if kind == ADD_STORAGE:
                require(self.storages < 16, "full")
            elif kind == CONFIGURE:
                require(self.logic != ZERO, "no logic")
            elif kind == REASSIGN:
                require(target != other and other != ZERO and val > 0, "reassign")
            else:
                require(kind == SELECT_LOGIC, "kind")
        except Refused:
            self.slot, self.locks, self.outcomes = slot, locks, outcomes
            raise
        self.last_id += 1
        powers = {account: stake for account, stake in self.stakes.items() if stake}
        self.slot = Open(self.last_id, member, kind, target, other, key, val, now + duration, payload, powers)
        self.votes = {}

    def vote(self, member, payload, support, now):
        slot = self.slot
        require(slot is not None and slot.payload == payload, "payload")
        require(slot.eta == 0 and now < slot.expires, "closed")
        require(member not in self.votes, "voted")
        require(self.power(member) > 0, "no stake")
        self.votes[member] = support
        if support:
            slot.yes += self.power(member)
        else:
            slot.no += self.power(member)
        if 2 * slot.yes > self.total:
            is_freeze = slot.kind == SELECT_LOGIC and slot.target == ZERO
            slot.eta = now + (0 if is_freeze else self.exec_delay)
            self.outcomes.append((slot.id, PASSED))
        elif 2 * slot.no >= self.total:
            self.rejectors = {voter for voter, voted in self.votes.items() if not voted}
            self.priority_until = now + self.priority
            self.end(REJECTED, now)

    def execute(self, payload, now):
        slot = self.slot
        require(slot is not None and slot.payload == payload, "payload")
        require(slot.eta != 0 and slot.eta <= now < slot.eta + self.grace, "not due")
        self.end(EXECUTED, now)
        if slot.kind == ADD_STORAGE:
            self.storages += 1
        elif slot.kind == SELECT_LOGIC:
            self.logic = slot.target
        elif slot.kind == REASSIGN:
            self.move(slot.target, slot.other, min(slot.val, self.stake(slot.target)))

    def withdraw(self, member, now):
        require(self.slot is not None, "empty")
        require(self.slot.proposer == member, "not proposer")
        require(self.slot.eta == 0, "passed")
        self.end(WITHDRAWN, now)

    def close(self, now):
        require(self.slot is not None, "empty")
        slot = self.slot
        self.expire(now)
        require(self.slot is not slot, "open")


@dataclass
class NamesModel:
    registrars: set
    owners: dict = field(default_factory=dict)
    addrs: dict = field(default_factory=dict)
    evidence: dict = field(default_factory=dict)
    reverse: dict = field(default_factory=dict)
    nonces: dict = field(default_factory=dict)
    commitments: dict = field(default_factory=dict)
    mode: int = 0
    is_importing: bool = False
    seq: int = 0
    head: bytes = EMPTY

    def append(self, op, name, owner, addr, evidence):
        self.seq += 1
        self.head = keccak(self.head + operation_hash(self.seq, op, name, owner, addr, evidence))

    def check_new(self, name, owner, addr):
        text = name.rstrip(b"\0")
        require(len(text) >= 3 and all(c in b"abcdefghijklmnopqrstuvwxyz0123456789-_" for c in text), "invalid name")
        require(owner not in (ZERO, DEAD), "owner")
        require(addr != ZERO, "addr")
        require(name not in self.owners, "taken")
        require(addr not in self.reverse, "addr taken")

    def store(self, name, owner, addr, evidence):
        self.check_new(name, owner, addr)
        self.owners[name], self.addrs[name], self.reverse[addr] = owner, addr, name
        self.evidence[name] = evidence
        self.append(1, name, owner, addr, evidence)

    def only_registrar(self, sender):
        require(sender in self.registrars, "not registrar")

    def evidence_of(self, key, signature):
        require(bool(key) == bool(signature), "evidence")
        return digest(key, signature)

    def register(self, sender, name, owner, addr, key, signature):
        self.only_registrar(sender)
        require(self.mode == 0, "commit required")
        self.store(name, owner, addr, self.evidence_of(key, signature))

    def commit(self, commitment, now):
        made = self.commitments.get(commitment)
        require(made is None or made + 86_400 < now, "pending")
        self.commitments[commitment] = now

    def reveal(self, sender, commitment, name, owner, addr, key, signature, now):
        self.only_registrar(sender)
        require(commitment in self.commitments, "no commitment")
        age = now - self.commitments[commitment]
        require(age >= 60, "commitment too young")
        require(age <= 86_400, "commitment too old")
        self.store(name, owner, addr, self.evidence_of(key, signature))
        del self.commitments[commitment]

    def transfer(self, name, to):
        require(to not in (ZERO, DEAD), "owner")
        self.owners[name] = to
        self.append(3, name, to, ZERO, EMPTY)

    def release(self, name):
        del self.reverse[self.addrs[name]]
        self.owners[name] = DEAD
        del self.addrs[name], self.evidence[name]
        self.append(4, name, DEAD, ZERO, EMPTY)

    def authorize(self, name, signer, nonce, deadline, now):
        require(now <= deadline, "deadline")
        require(self.owners.get(name) == signer and nonce == self.nonces.get(name, 0), "not owner")

    def signed(self, name, signer, nonce, deadline, now, run):
        self.authorize(name, signer, nonce, deadline, now)
        run()
        self.nonces[name] = self.nonces.get(name, 0) + 1

    def only_owner(self, name, sender):
        require(self.owners.get(name) == sender, "not owner")

    def move(self, sender, name, addr, key, signature, signer, nonce, deadline, now):
        self.only_registrar(sender)
        require(addr != ZERO, "addr")
        evidence = self.evidence_of(key, signature)
        require(evidence != EMPTY, "evidence")
        self.authorize(name, signer, nonce, deadline, now)
        require(addr not in self.reverse, "addr taken")
        self.nonces[name] = self.nonces.get(name, 0) + 1
        del self.reverse[self.addrs[name]]
        self.reverse[addr], self.addrs[name], self.evidence[name] = name, addr, evidence
        self.append(2, name, self.owners[name], addr, evidence)

    def void(self, name):
        require(name in self.owners, "not registered")
        require(self.owners[name] != DEAD, "released")
        self.release(name)
