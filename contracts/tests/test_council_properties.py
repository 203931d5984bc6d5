"""Thousands of random operations: the council does what the model does, and I1 to I9 hold after each."""
from hypothesis import strategies as st
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from models import NOTHING, CouncilModel, Refused
from service import ADD_STORAGE, CONFIGURE, EXECUTED, PASSED, REASSIGN, SELECT_LOGIC, payload_of, tag
from world import EMPTY, ZERO, Contract, Reverted, World, account

TOTAL, THRESHOLD, MAX_DURATION, COOLDOWN = 1_000, 100, 100, 50
NUMBERS = (TOTAL, THRESHOLD, 10, MAX_DURATION, 20, 30, COOLDOWN, 15)
MEMBERS = [account(f"member {letter}") for letter in "abcdef"]

members = st.sampled_from(MEMBERS)


class CouncilMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.world = World()
        self.council = self.world.deploy("Council", *NUMBERS, by=MEMBERS[0])
        self.model = CouncilModel(*NUMBERS, stakes={MEMBERS[0]: TOTAL})
        self.blueprint, self.blueprint_key = self.world.blueprint()
        self.logics = [self.world.deploy("JnsLogic", self.council.address, ZERO).address for _ in range(2)]
        for member, stake in zip(MEMBERS[1:], (300, 200, 150, 100)):
            self.both(
                lambda: self.council.delegate(member, stake, by=MEMBERS[0]),
                lambda: self.model.delegate(MEMBERS[0], member, stake, self.world.now),
            )

    @property
    def payload(self):
        return self.model.slot.payload if self.model.slot else EMPTY

    def both(self, real, expected):
        """Does both, and fails unless both succeed or both refuse for the same reason."""
        refusal = outcome = None
        try:
            outcome = real()
        except Reverted as error:
            refusal = str(error)
        before = len(self.model.outcomes)
        try:
            expected()
            assert refusal is None, f"the contract refused: {refusal}"
        except Refused as error:
            assert refusal == str(error)
            return None
        closed = [(e.fields["id"], e.fields["outcome"]) for e in outcome.events if e.name == "Closed"]
        assert closed == self.model.outcomes[before:]
        return outcome

    @rule(source=members, to=members, amount=st.one_of(st.integers(0, 400), st.just(2**256 - 1)))
    def delegate(self, source, to, amount):
        if amount == 2**256 - 1 and self.world.now < self.model.locks.get(source, 0):
            amount = 2**255
        if amount == 2**256 - 1 and self.model.slot and self.model.slot.proposer == source:
            amount = 2**255
        self.both(
            lambda: self.council.delegate(to, amount, by=source),
            lambda: self.model.delegate(source, to, amount, self.world.now),
        )

    def propose(self, member, kind, target=ZERO, other=ZERO, key=EMPTY, val=0, duration=50):
        payload = payload_of(self.council.address, self.model.last_id + 1, kind, target, other, key, val, EMPTY)
        outcome = self.both(
            lambda: self.council.propose(kind, target, other, key, val, duration, EMPTY, by=member),
            lambda: self.model.propose(member, kind, target, other, key, val, duration, payload, self.world.now),
        )
        if outcome is not None:
            assert outcome.event("Proposed")["payload"] == payload

    @rule(member=members, source=members, to=members, amount=st.integers(0, 500), duration=st.integers(9, 101))
    def propose_reassignment(self, member, source, to, amount, duration):
        self.propose(member, REASSIGN, source, to, val=amount, duration=duration)

    @rule(member=members, which=st.integers(0, 2), duration=st.integers(10, 100))
    def propose_logic(self, member, which, duration):
        if which == 2:
            self.propose(member, SELECT_LOGIC, duration=duration)
        else:
            target = self.logics[which]
            self.propose(member, SELECT_LOGIC, target, key=self.world.code_hash(target), duration=duration)

    @rule(member=members)
    def propose_storage(self, member):
        self.propose(member, ADD_STORAGE, self.blueprint, key=self.blueprint_key)

    @rule(member=members, kind=st.sampled_from([0, 5]))
    def propose_nonsense(self, member, kind):
        self.propose(member, kind)

    @rule(member=members, support=st.booleans(), is_right=st.integers(0, 9))
    def vote(self, member, support, is_right):
        payload = self.payload if is_right else b"\1" * 32
        self.both(
            lambda: self.council.vote(payload, support, by=member),
            lambda: self.model.vote(member, payload, support, self.world.now),
        )

    @rule(support=st.booleans())
    def everybody_votes(self, support):
        for member in MEMBERS:
            self.both(
                lambda: self.council.vote(self.payload, support, by=member),
                lambda: self.model.vote(member, self.payload, support, self.world.now),
            )

    @precondition(lambda self: self.model.slot is not None)
    @rule(wait=st.integers(0, 25))
    def execute(self, wait):
        self.world.advance(wait)
        slot = self.model.slot
        is_possible = slot.kind != CONFIGURE
        if is_possible:
            self.both(
                lambda: self.council.execute(slot.payload, by=MEMBERS[0]),
                lambda: self.model.execute(slot.payload, self.world.now),
            )

    @rule(member=members)
    def withdraw(self, member):
        self.both(
            lambda: self.council.withdraw(by=member), lambda: self.model.withdraw(member, self.world.now)
        )

    @rule(member=members)
    def close(self, member):
        self.both(lambda: self.council.close(by=member), lambda: self.model.close(self.world.now))

    @rule(seconds=st.one_of(st.integers(1, 20), st.sampled_from([30, 50, 100])))
    def wait(self, seconds):
        self.world.advance(seconds)

    @precondition(lambda self: self.model.slot is not None and self.model.slot.eta == 0
                  and self.world.now < self.model.slot.expires)
    @rule()
    def those_who_did_not_agree_free_the_slot(self):
        """I8."""
        slot = self.model.slot
        undecided = [member for member in MEMBERS if member not in self.model.votes and self.model.power(member)]
        if 2 * (slot.no + sum(self.model.power(member) for member in undecided)) < TOTAL:
            return
        for member in undecided:
            if self.model.slot is None:
                break
            self.both(
                lambda: self.council.vote(slot.payload, False, by=member),
                lambda: self.model.vote(member, slot.payload, False, self.world.now),
            )
        assert self.council.current()[0] == 0
        able = [m for m in MEMBERS if self.model.stake(m) >= THRESHOLD and self.world.now >= self.model.locks.get(m, 0)]
        others = [member for member in able if member not in self.model.rejectors]
        for member in others:
            self.propose(member, REASSIGN, MEMBERS[0], MEMBERS[1], val=1)
            assert self.model.slot is None
        rejector = next((member for member in able if member in self.model.rejectors), None)
        if rejector:
            self.propose(rejector, REASSIGN, MEMBERS[0], MEMBERS[1], val=1)
            assert self.model.slot.proposer == rejector

    @invariant()
    def the_contract_is_as_the_model(self):
        council, model = self.council, self.model
        assert council.current() == (model.slot.row() if model.slot else NOTHING)
        assert (council.lastId(), council.logic()) == (model.last_id, model.logic)
        for member in MEMBERS:
            assert council.stakeOf(member) == model.stake(member)
            assert council.votingPower(member) == model.power(member)
            assert council.lockUntil(member) == model.locks.get(member, 0)

    @invariant()
    def stakes_and_votes_add_up(self):
        council = self.council
        assert sum(council.stakeOf(member) for member in MEMBERS) == TOTAL  # I1
        current = council.current()
        if current[0]:
            powers = {member: council.votingPower(member) for member in MEMBERS}
            votes = {member: council.voteOf(current[0], member) for member in MEMBERS}
            assert sum(powers.values()) == TOTAL  # I2
            yes, no = (sum(powers[m] for m in MEMBERS if votes[m] == vote) for vote in (1, 2))
            assert (yes, no) == (current[9], current[10]) and yes + no <= TOTAL  # I3, I4
            assert (current[8] != 0) == (2 * yes > TOTAL)  # I7

    @invariant()
    def every_storage_is_the_councils_and_obeys_its_logic(self):
        """I6."""
        logic = self.council.logic()
        for index in range(self.model.storages):
            store = Contract(self.world, "EternalStorage", self.council.stores(index))
            assert (store.owner(), store.logic()) == (self.council.address, logic)

    @invariant()
    def what_was_executed_had_passed(self):
        """I5, I7."""
        outcomes = self.model.outcomes
        ids = [id for id, outcome in outcomes if outcome != PASSED]
        assert ids == sorted(set(ids))
        for id, outcome in outcomes:
            assert outcome != EXECUTED or (id, PASSED) in outcomes

    def teardown(self):
        if hasattr(self, "world"):
            self.world.compare_everything()


CouncilMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60)
test_council = CouncilMachine.TestCase


@settings(max_examples=25)
@given(
    stake=st.integers(THRESHOLD, 450),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(1, 110)),
                   min_size=30, max_size=60),
)
def test_spam_is_bounded(stake, steps):
    """I9: whatever a holder of S does, without a majority, in any MAX_DURATION + COOLDOWN the slot is theirs for at
    most ⌊S / THRESHOLD⌋ · MAX_DURATION."""
    world = World()
    council = world.deploy("Council", *NUMBERS, by=account("majority"))
    spammers = [account(f"spammer {index}") for index in range(4)]
    council.delegate(spammers[0], stake, by=account("majority"))
    start = world.now
    occupied = []
    for action, one, two, number in steps:
        spammer, other = spammers[one], spammers[two]
        try:
            if action <= 1:
                duration = 10 + number % 91
                council.propose(REASSIGN, other, account("x"), EMPTY, 1, duration, EMPTY, by=spammer)
            elif action == 2:
                council.withdraw(by=spammer)
            elif action == 3:
                amount = council.stakeOf(spammer) - (THRESHOLD if number % 2 else 0)
                council.delegate(other, amount if amount > 0 else 1, by=spammer)
            elif action == 4:
                council.vote(council.current()[11], True, by=spammer)
        except (Reverted, ValueError):
            pass
        before = world.now
        world.advance(number if action >= 4 else 1)
        current = council.current()
        if current[0] and before < current[7]:
            occupied.append((before - start, min(world.now, current[7]) - start))
    window, bound = MAX_DURATION + COOLDOWN, stake // THRESHOLD * MAX_DURATION
    for first, _ in occupied:
        held = sum(max(0, min(end, first + window) - max(begin, first)) for begin, end in occupied)
        assert held <= bound
