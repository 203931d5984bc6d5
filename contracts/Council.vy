# pragma version 0.4.3
"""
@title Council
@license Apache-2.0
@notice Members with stakes govern the name service: they add storages and select the one logic that may write them.
@dev One proposal at a time. It passes with more than half of all stakes that exist, counted as they were when it was
     made, and is executed after a delay in which everybody can see what is coming. The kinds of proposals are a closed
     set: there are no arbitrary calls. Nothing is payable.
"""

interface Storage:
    def setLogic(new_logic: address): nonpayable


interface Logic:
    def configure(action: bytes32, target: address, val: uint256): nonpayable


event Delegated:
    source: indexed(address)
    to: indexed(address)
    amount: uint256


event Proposed:
    id: indexed(uint256)
    proposer: indexed(address)
    payload: bytes32
    kind: uint256
    target: address
    other: address
    key: bytes32
    val: uint256
    expires: uint256
    doc: bytes32


event Voted:
    id: indexed(uint256)
    voter: indexed(address)
    support: bool
    power: uint256
    yes: uint256
    no: uint256


event Closed:
    id: indexed(uint256)
    outcome: uint256


event LogicSelected:
    previous: indexed(address)
    current: indexed(address)


event StorageAdded:
    index: indexed(uint256)
    store: indexed(address)


# Kinds of proposals.
ADD_STORAGE: constant(uint256) = 1
SELECT_LOGIC: constant(uint256) = 2
CONFIGURE: constant(uint256) = 3
REASSIGN: constant(uint256) = 4

# Outcomes in `Closed`.
PASSED: constant(uint256) = 1
EXECUTED: constant(uint256) = 2
REJECTED: constant(uint256) = 3
EXPIRED: constant(uint256) = 4
WITHDRAWN: constant(uint256) = 5

# Votes in `voteOf`; 0 is none.
YES: constant(uint256) = 1
NO: constant(uint256) = 2

MAX_STORAGES: constant(uint256) = 16
# What the code of an ERC-5202 blueprint begins with.
BLUEPRINT_PREAMBLE: constant(Bytes[3]) = x"FE7100"
# Bounds of the constructor's arguments, so that no later sum can overflow.
MAX_TOTAL: constant(uint256) = 2**128
MAX_TIME: constant(uint256) = 2**40

struct Proposal:
    id: uint256
    proposer: address
    kind: uint256
    target: address
    other: address
    key: bytes32
    val: uint256
    expires: uint256
    eta: uint256
    yes: uint256
    no: uint256
    payload: bytes32


TOTAL: immutable(uint256)
THRESHOLD: immutable(uint256)
MIN_DURATION: immutable(uint256)
MAX_DURATION: immutable(uint256)
EXEC_DELAY: immutable(uint256)
GRACE: immutable(uint256)
COOLDOWN: immutable(uint256)
PRIORITY: immutable(uint256)

# The one contract that may write the storages; zero while the service is frozen.
logic: public(address)
stores: public(DynArray[address, MAX_STORAGES])
stakeOf: public(HashMap[address, uint256])
# The stake of an account when the proposal `snapshot_id` was made; written only when its stake changes meanwhile.
snapshot_id: HashMap[address, uint256]
snapshot_stake: HashMap[address, uint256]
voteOf: public(HashMap[uint256, HashMap[address, uint256]])
# An account may not propose before this time, and must keep THRESHOLD of its stake.
lockUntil: public(HashMap[address, uint256])
lastId: public(uint256)
# The open or passed proposal, all zero when there is none.
current: public(Proposal)
# Those who rejected this proposal propose alone until `priorityUntil`.
priorityId: public(uint256)
priorityUntil: public(uint256)


@deploy
def __init__(
    total: uint256,
    threshold: uint256,
    min_duration: uint256,
    max_duration: uint256,
    exec_delay: uint256,
    grace: uint256,
    cooldown: uint256,
    priority: uint256,
):
    """
    @notice Gives all stakes to the deployer.
    @param total All stakes, for ever.
    @param threshold The stake that a proposer needs; at most half of all.
    @param min_duration The shortest time in seconds for which a proposal may be open.
    @param max_duration The longest such time.
    @param exec_delay Seconds between passing and execution; a freeze has no delay.
    @param grace Seconds in which a passed proposal can be executed.
    @param cooldown Seconds for which the proposer of a failed proposal is locked.
    @param priority Seconds in which only those who rejected a proposal may propose.
    """
    assert total <= MAX_TOTAL, "total"
    assert 0 < threshold and threshold * 2 <= total, "threshold"
    assert 0 < min_duration and min_duration <= max_duration and max_duration <= MAX_TIME, "duration"
    assert 0 < grace and grace <= MAX_TIME, "grace"
    assert exec_delay <= MAX_TIME and cooldown <= MAX_TIME and priority <= MAX_TIME, "time"
    TOTAL = total
    THRESHOLD = threshold
    MIN_DURATION = min_duration
    MAX_DURATION = max_duration
    EXEC_DELAY = exec_delay
    GRACE = grace
    COOLDOWN = cooldown
    PRIORITY = priority
    self.stakeOf[msg.sender] = total
    log Delegated(source=empty(address), to=msg.sender, amount=total)


@external
@view
def totalStake() -> uint256:
    """
    @notice All stakes that exist; constant.
    """
    return TOTAL


@external
@view
def votingPower(account: address) -> uint256:
    """
    @notice The weight of an account's vote: its stake when the current proposal was made, or its stake now if there
            is none.
    """
    return self._power(account)


@external
@nonreentrant
def delegate(to: address, amount: uint256):
    """
    @notice Gives stake to another account, which becomes a member. The giver cannot take it back.
    @dev The proposer of the current proposal, and of a failed one for COOLDOWN, keeps THRESHOLD. An account whose
         stake is up for reassignment cannot move it.
    @param to The receiver.
    @param amount How much.
    """
    assert to != empty(address) and to != self and to != msg.sender, "recipient"
    assert amount != 0, "amount"
    is_open: bool = self.current.id != 0
    assert not is_open or self.current.kind != REASSIGN or self.current.target != msg.sender, "frozen"
    locked: uint256 = 0
    if (is_open and self.current.proposer == msg.sender) or block.timestamp < self.lockUntil[msg.sender]:
        locked = THRESHOLD
    assert self.stakeOf[msg.sender] >= amount + locked, "locked"
    self._move(msg.sender, to, amount)


@external
@nonreentrant
def propose(
    kind: uint256, target: address, other: address, key: bytes32, val: uint256, duration: uint256, doc: bytes32
) -> uint256:
    """
    @notice Opens a proposal, after closing an expired one.
    @param kind 1 add a storage: `target` is a blueprint, `key` its code hash.
                2 select the logic: `target` is the logic, `key` its code hash; or `target` zero to freeze.
                3 configure the logic: `key` is the action, `target` and `val` its arguments.
                4 reassign stake: from `target` to `other`, at most `val`.
    @param duration Seconds for which votes are taken.
    @param doc The hash of a text that explains the proposal; it has no effect.
    @return The proposal's id.
    """
    self._expire()
    assert self.current.id == 0, "busy"
    assert self.stakeOf[msg.sender] >= THRESHOLD, "stake"
    assert block.timestamp >= self.lockUntil[msg.sender], "cooldown"
    assert MIN_DURATION <= duration and duration <= MAX_DURATION, "duration"
    if block.timestamp < self.priorityUntil:
        assert self.voteOf[self.priorityId][msg.sender] == NO, "priority"
    if kind == ADD_STORAGE:
        assert len(self.stores) < MAX_STORAGES, "full"
        assert target.is_contract and target.codehash == key, "code hash"
        assert slice(target.code, 0, 3) == BLUEPRINT_PREAMBLE, "blueprint"
    elif kind == SELECT_LOGIC:
        assert target == empty(address) or (target.is_contract and target.codehash == key), "code hash"
    elif kind == CONFIGURE:
        assert self.logic != empty(address), "no logic"
    else:
        assert kind == REASSIGN, "kind"
        assert target != other and other != empty(address) and val != 0, "reassign"
    id: uint256 = self.lastId + 1
    self.lastId = id
    expires: uint256 = block.timestamp + duration
    payload: bytes32 = keccak256(abi_encode(chain.id, self, id, kind, target, other, key, val, doc))
    self.current = Proposal(
        id=id,
        proposer=msg.sender,
        kind=kind,
        target=target,
        other=other,
        key=key,
        val=val,
        expires=expires,
        eta=0,
        yes=0,
        no=0,
        payload=payload,
    )
    log Proposed(
        id=id,
        proposer=msg.sender,
        payload=payload,
        kind=kind,
        target=target,
        other=other,
        key=key,
        val=val,
        expires=expires,
        doc=doc,
    )
    return id


@external
@nonreentrant
def vote(payload: bytes32, support: bool):
    """
    @notice Votes with all power, once and finally.
    @dev Votes name the content, so that nobody votes for another proposal than the one they read.
    @param payload The hash of what is voted on.
    @param support Whether it shall be executed.
    """
    id: uint256 = self.current.id
    assert id != 0 and self.current.payload == payload, "payload"
    assert self.current.eta == 0 and block.timestamp < self.current.expires, "closed"
    assert self.voteOf[id][msg.sender] == 0, "voted"
    power: uint256 = self._power(msg.sender)
    assert power != 0, "no stake"
    if support:
        self.voteOf[id][msg.sender] = YES
        self.current.yes += power
    else:
        self.voteOf[id][msg.sender] = NO
        self.current.no += power
    log Voted(id=id, voter=msg.sender, support=support, power=power, yes=self.current.yes, no=self.current.no)
    if self.current.yes * 2 > TOTAL:
        is_freeze: bool = self.current.kind == SELECT_LOGIC and self.current.target == empty(address)
        self.current.eta = block.timestamp + (0 if is_freeze else EXEC_DELAY)
        log Closed(id=id, outcome=PASSED)
    elif self.current.no * 2 >= TOTAL:
        self.priorityId = id
        self.priorityUntil = block.timestamp + PRIORITY
        self._clear(REJECTED)


@external
@nonreentrant
def execute(payload: bytes32):
    """
    @notice Executes the passed proposal, for anyone, between its delay and the end of its grace period.
    @param payload The hash of what is executed.
    """
    p: Proposal = self.current
    assert p.id != 0 and p.payload == payload, "payload"
    assert p.eta != 0 and p.eta <= block.timestamp and block.timestamp < p.eta + GRACE, "not due"
    # The slot is free before anything is called.
    self._clear(EXECUTED)
    if p.kind == ADD_STORAGE:
        assert p.target.codehash == p.key, "code hash"
        store: address = create_from_blueprint(p.target, self.logic)
        log StorageAdded(index=len(self.stores), store=store)
        self.stores.append(store)
    elif p.kind == SELECT_LOGIC:
        assert p.target == empty(address) or p.target.codehash == p.key, "code hash"
        log LogicSelected(previous=self.logic, current=p.target)
        self.logic = p.target
        for store: address in self.stores:
            extcall Storage(store).setLogic(p.target)
    elif p.kind == CONFIGURE:
        extcall Logic(self.logic).configure(p.key, p.target, p.val)
    else:
        self._move(p.target, p.other, min(p.val, self.stakeOf[p.target]))


@external
@nonreentrant
def withdraw():
    """
    @notice Takes back the proposal that is being voted on. Only for its proposer.
    """
    assert self.current.id != 0, "empty"
    assert self.current.proposer == msg.sender, "not proposer"
    assert self.current.eta == 0, "passed"
    self._clear(WITHDRAWN)


@external
@nonreentrant
def close():
    """
    @notice Frees the slot of a proposal that expired, for anyone.
    """
    id: uint256 = self.current.id
    assert id != 0, "empty"
    self._expire()
    assert self.current.id == 0, "open"


@internal
@view
def _power(account: address) -> uint256:
    id: uint256 = self.current.id
    if id != 0 and self.snapshot_id[account] == id:
        return self.snapshot_stake[account]
    return self.stakeOf[account]


@internal
def _take_snapshot(account: address):
    id: uint256 = self.current.id
    if id != 0 and self.snapshot_id[account] != id:
        self.snapshot_id[account] = id
        self.snapshot_stake[account] = self.stakeOf[account]


@internal
def _move(source: address, to: address, amount: uint256):
    self._take_snapshot(source)
    self._take_snapshot(to)
    self.stakeOf[source] -= amount
    self.stakeOf[to] += amount
    log Delegated(source=source, to=to, amount=amount)


@internal
def _clear(outcome: uint256):
    id: uint256 = self.current.id
    if outcome != EXECUTED:
        self.lockUntil[self.current.proposer] = block.timestamp + COOLDOWN
    self.current = empty(Proposal)
    log Closed(id=id, outcome=outcome)


@internal
def _expire():
    if self.current.id == 0:
        return
    end: uint256 = self.current.expires
    if self.current.eta != 0:
        end = self.current.eta + GRACE
    if block.timestamp >= end:
        self._clear(EXPIRED)
