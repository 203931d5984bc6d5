"""Council: every rule of names protocol, "Contracts", "Council"."""
import pytest

from service import (
    ADD_STORAGE, CONFIGURE, COOLDOWN, DAY, DEFAULTS, EXECUTED, EXEC_DELAY, EXPIRED, FOUNDER, GRACE, MAX_DURATION,
    PASSED, PRIORITY, REASSIGN, REJECTED, SELECT_LOGIC, STRANGER, THRESHOLD, TOTAL, WITHDRAWN, carry,
    payload_of, propose, tag,
)
from world import EMPTY, ZERO, Contract, Reverted, account

A, B, C, D = (account(f"member {letter}") for letter in "abcd")
NO_PROPOSAL = (0, ZERO, 0, ZERO, ZERO, EMPTY, 0, 0, 0, 0, 0, EMPTY)


def refused(reason: str):
    return pytest.raises(Reverted, match=f"^{reason}$")


def reassign(council, source=D, to=B, val=1, **more):
    return propose(council, REASSIGN, source, to, val=val, **more)


# Constructor


def test_the_founder_has_all_stakes(council):
    assert council.stakeOf(FOUNDER) == council.totalStake() == TOTAL
    assert (council.lastId(), council.logic(), council.current()) == (0, ZERO, NO_PROPOSAL)
    with pytest.raises(Reverted):
        council.stores(0)


@pytest.mark.parametrize("change, reason", [
    ({1: 0}, "threshold"), ({1: TOTAL // 2 + 1}, "threshold"), ({0: 0, 1: 0}, "threshold"),
    ({0: 2**128 + 1}, "total"), ({2: 0}, "duration"), ({2: 2, 3: 1}, "duration"), ({3: 2**41}, "duration"),
    ({5: 0}, "grace"), ({5: 2**41}, "grace"), ({4: 2**41}, "time"), ({6: 2**41}, "time"), ({7: 2**41}, "time"),
])
def test_the_constructor_refuses_numbers_that_make_no_council(world, change, reason):
    numbers = [change.get(place, number) for place, number in enumerate(DEFAULTS)]
    with refused(reason):
        world.deploy("Council", *numbers)


def test_half_of_all_stakes_may_be_the_threshold(world):
    world.deploy("Council", 10, 5, *DEFAULTS[2:])


# delegate


def test_delegation_moves_stake_and_makes_a_member(council):
    event = council.delegate(A, 400, by=FOUNDER).event("Delegated")
    assert event == {"source": FOUNDER, "to": A, "amount": 400}
    assert (council.stakeOf(FOUNDER), council.stakeOf(A)) == (TOTAL - 400, 400)
    council.delegate(B, 400, by=A)
    assert (council.stakeOf(A), council.stakeOf(B)) == (0, 400)


def test_delegation_refuses_bad_receivers_and_amounts(council):
    for to in (ZERO, FOUNDER, council.address):
        with refused("recipient"):
            council.delegate(to, 1, by=FOUNDER)
    with refused("amount"):
        council.delegate(A, 0, by=FOUNDER)
    with refused("locked"):
        council.delegate(A, TOTAL + 1, by=FOUNDER)
    with refused("locked"):
        council.delegate(A, 1, by=STRANGER)
    with pytest.raises(Reverted):
        council.delegate(A, 2**256 - 1, by=FOUNDER)


def test_the_proposer_keeps_the_threshold_while_the_proposal_is_there(council):
    reassign(council)
    with refused("locked"):
        council.delegate(A, TOTAL - THRESHOLD + 1, by=FOUNDER)
    council.delegate(A, TOTAL - THRESHOLD, by=FOUNDER)
    with refused("locked"):
        council.delegate(A, 1, by=FOUNDER)


def test_the_proposer_of_a_failed_proposal_keeps_the_threshold_for_the_cooldown(council, world):
    reassign(council)
    council.withdraw(by=FOUNDER)
    world.advance(COOLDOWN - 1)
    with refused("locked"):
        council.delegate(A, TOTAL, by=FOUNDER)
    world.advance(1)
    council.delegate(A, TOTAL, by=FOUNDER)


def test_stake_up_for_reassignment_is_frozen_until_the_proposal_is_gone(council, world):
    council.delegate(A, 1_000, by=FOUNDER)
    proposal = reassign(council, A, B, 500)
    with refused("frozen"):
        council.delegate(C, 1, by=A)
    council.vote(proposal.payload, True, by=FOUNDER)
    with refused("frozen"):
        council.delegate(C, 1, by=A)
    council.delegate(A, 5, by=FOUNDER)
    world.advance(EXEC_DELAY)
    council.execute(proposal.payload, by=STRANGER)
    council.delegate(C, 1, by=A)
    assert (council.stakeOf(A), council.stakeOf(B)) == (1_000 + 5 - 500 - 1, 500)


# propose


def test_a_proposal_is_announced_with_all_that_it_is(council, world):
    doc = b"\x0d" * 32
    proposal = propose(council, REASSIGN, A, B, b"\x0c" * 32, 7, 3 * DAY, doc)
    payload = payload_of(council.address, 1, REASSIGN, A, B, b"\x0c" * 32, 7, doc)
    assert proposal.payload == payload
    assert proposal.outcome.value == 1 == council.lastId()
    assert proposal.outcome.event("Proposed") == {
        "id": 1, "proposer": FOUNDER, "payload": payload, "kind": REASSIGN, "target": A, "other": B,
        "key": b"\x0c" * 32, "val": 7, "expires": world.now + 3 * DAY, "doc": doc,
    }
    assert council.current() == (
        1, FOUNDER, REASSIGN, A, B, b"\x0c" * 32, 7, world.now + 3 * DAY, 0, 0, 0, payload
    )


def test_there_is_one_proposal_at_a_time(council):
    reassign(council)
    with refused("busy"):
        reassign(council)


def test_a_proposer_needs_the_threshold(council):
    council.delegate(A, THRESHOLD - 1, by=FOUNDER)
    with refused("stake"):
        reassign(council, by=A)
    council.delegate(A, 1, by=FOUNDER)
    reassign(council, by=A)


def test_the_duration_has_bounds(council):
    for duration in (0, DAY - 1, MAX_DURATION + 1, 2**256 - 1):
        with refused("duration"):
            reassign(council, duration=duration)
    reassign(council, duration=MAX_DURATION)


@pytest.mark.parametrize("kind", [0, 5, 2**256 - 1])
def test_there_are_no_other_kinds(council, kind):
    with refused("kind"):
        propose(council, kind, A, B, val=1)


@pytest.mark.parametrize("source, to, val", [(A, A, 1), (A, ZERO, 1), (A, B, 0)])
def test_a_reassignment_moves_something_somewhere(council, source, to, val):
    with refused("reassign"):
        reassign(council, source, to, val)


def test_a_storage_is_added_from_a_blueprint_with_the_named_code(council, world):
    blueprint, key = world.blueprint()
    with refused("code hash"):
        propose(council, ADD_STORAGE, blueprint, key=b"\1" * 32)
    with refused("code hash"):
        propose(council, ADD_STORAGE, A, key=key)
    with refused("code hash"):
        propose(council, ADD_STORAGE, A, key=EMPTY)
    store = world.deploy("EternalStorage", ZERO)
    with refused("blueprint"):
        propose(council, ADD_STORAGE, store.address, key=world.code_hash(store.address))
    propose(council, ADD_STORAGE, blueprint, key=key)


def test_a_logic_is_selected_by_its_code(council, world):
    logic = world.deploy("JnsLogic", council.address, ZERO)
    with refused("code hash"):
        propose(council, SELECT_LOGIC, logic.address, key=b"\1" * 32)
    with refused("code hash"):
        propose(council, SELECT_LOGIC, A, key=EMPTY)
    propose(council, SELECT_LOGIC, logic.address, key=world.code_hash(logic.address))


def test_only_a_selected_logic_can_be_configured(council):
    with refused("no logic"):
        propose(council, CONFIGURE, A, key=tag("registrar"), val=1)


def test_a_failed_proposer_waits(council, world):
    reassign(council)
    council.withdraw(by=FOUNDER)
    assert council.lockUntil(FOUNDER) == world.now + COOLDOWN
    world.advance(COOLDOWN - 1)
    with refused("cooldown"):
        reassign(council)
    world.advance(1)
    reassign(council)


def test_a_successful_proposer_does_not_wait(council):
    carry(council, REASSIGN, A, B, val=1)
    assert council.lockUntil(FOUNDER) == 0
    reassign(council)


def test_a_proposal_closes_an_expired_one_first(council, world):
    council.delegate(A, THRESHOLD, by=FOUNDER)
    reassign(council, duration=DAY)
    world.advance(DAY - 1)
    with refused("busy"):
        reassign(council, by=A)
    world.advance(1)
    proposal = reassign(council, by=A)
    assert proposal.outcome.event("Closed") == {"id": 1, "outcome": EXPIRED}
    assert proposal.id == 2
    assert council.lockUntil(FOUNDER) == world.now + COOLDOWN


# vote


@pytest.fixture
def three(council):
    """Stakes of 30, 30 and 40 percent."""
    council.delegate(A, 300_000, by=FOUNDER)
    council.delegate(B, 300_000, by=FOUNDER)
    return council


def test_votes_are_counted_and_pass_with_more_than_half(three, world):
    proposal = reassign(three)
    event = three.vote(proposal.payload, True, by=A).event("Voted")
    assert event == {"id": 1, "voter": A, "support": True, "power": 300_000, "yes": 300_000, "no": 0}
    outcome = three.vote(proposal.payload, False, by=FOUNDER)
    assert outcome.event("Voted")["no"] == 400_000
    outcome = three.vote(proposal.payload, True, by=B)
    assert outcome.event("Closed") == {"id": 1, "outcome": PASSED}
    assert three.current()[8] == world.now + EXEC_DELAY
    assert [three.voteOf(1, voter) for voter in (A, B, FOUNDER, STRANGER)] == [1, 1, 2, 0]


def test_exactly_half_does_not_pass(council):
    council.delegate(A, TOTAL // 2, by=FOUNDER)
    proposal = reassign(council)
    council.vote(proposal.payload, True, by=FOUNDER)
    assert council.current()[8] == 0
    council.vote(proposal.payload, False, by=A)
    assert council.current() == NO_PROPOSAL


def test_exactly_half_rejects_at_once(council, world):
    council.delegate(A, TOTAL // 2, by=FOUNDER)
    proposal = reassign(council)
    outcome = council.vote(proposal.payload, False, by=A)
    assert outcome.event("Closed") == {"id": 1, "outcome": REJECTED}
    assert council.current() == NO_PROPOSAL
    assert (council.priorityId(), council.priorityUntil()) == (1, world.now + PRIORITY)
    assert council.lockUntil(FOUNDER) == world.now + COOLDOWN


def test_a_vote_is_for_the_content(council):
    proposal = reassign(council)
    for payload in (EMPTY, b"\1" * 32, payload_of(council.address, 1, REASSIGN, D, B, EMPTY, 2, EMPTY)):
        with refused("payload"):
            council.vote(payload, True, by=FOUNDER)
    council.vote(proposal.payload, True, by=FOUNDER)


def test_nobody_votes_on_nothing(council):
    with refused("payload"):
        council.vote(EMPTY, True, by=FOUNDER)


def test_each_votes_once(three):
    proposal = reassign(three)
    three.vote(proposal.payload, True, by=A)
    for support in (True, False):
        with refused("voted"):
            three.vote(proposal.payload, support, by=A)


def test_who_has_no_stake_has_no_vote(three):
    proposal = reassign(three)
    with refused("no stake"):
        three.vote(proposal.payload, True, by=STRANGER)


def test_votes_end_when_it_passed_or_expired(three, world):
    proposal = reassign(three, duration=DAY)
    world.advance(DAY)
    with refused("closed"):
        three.vote(proposal.payload, True, by=A)
    second = reassign(three, by=B)
    three.vote(second.payload, True, by=A)
    three.vote(second.payload, True, by=B)
    with refused("closed"):
        three.vote(second.payload, False, by=FOUNDER)


# execute


def test_execution_waits_for_the_delay_and_ends_with_the_grace(council, world):
    proposal = reassign(council)
    with refused("not due"):
        council.execute(proposal.payload, by=STRANGER)
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY - 1)
    with refused("not due"):
        council.execute(proposal.payload, by=STRANGER)
    world.advance(GRACE + 1)
    with refused("not due"):
        council.execute(proposal.payload, by=STRANGER)


@pytest.mark.parametrize("wait", [EXEC_DELAY, EXEC_DELAY + GRACE - 1])
def test_anyone_executes_between(council, world, wait):
    proposal = reassign(council, FOUNDER, B, 9)
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(wait)
    with refused("payload"):
        council.execute(b"\1" * 32, by=STRANGER)
    outcome = council.execute(proposal.payload, by=STRANGER)
    assert outcome.event("Closed") == {"id": 1, "outcome": EXECUTED}
    assert outcome.event("Delegated") == {"source": FOUNDER, "to": B, "amount": 9}
    assert council.current() == NO_PROPOSAL
    with refused("payload"):
        council.execute(proposal.payload, by=STRANGER)


def test_an_added_storage_belongs_to_the_council_and_is_written_by_the_logic(council, world):
    blueprint, key = world.blueprint()
    for index in range(16):
        event = carry(council, ADD_STORAGE, blueprint, key=key).event("StorageAdded")
        store = Contract(world, "EternalStorage", council.stores(index))
        assert event == {"index": index, "store": store.address}
        assert (store.owner(), store.logic()) == (council.address, council.logic())
    with refused("full"):
        propose(council, ADD_STORAGE, blueprint, key=key)


def test_a_selected_logic_writes_every_storage(council, world):
    blueprint, key = world.blueprint()
    carry(council, ADD_STORAGE, blueprint, key=key)
    carry(council, ADD_STORAGE, blueprint, key=key)
    stores = [Contract(world, "EternalStorage", council.stores(index)) for index in range(2)]
    first = world.deploy("JnsLogic", council.address, stores[0].address)
    event = carry(council, SELECT_LOGIC, first.address, key=world.code_hash(first.address)).event("LogicSelected")
    assert event == {"previous": ZERO, "current": first.address}
    assert council.logic() == first.address and all(store.logic() == first.address for store in stores)
    carry(council, ADD_STORAGE, blueprint, key=key)
    assert Contract(world, "EternalStorage", council.stores(2)).logic() == first.address


def test_a_freeze_has_no_delay(service):
    proposal = propose(service.council, SELECT_LOGIC)
    service.council.vote(proposal.payload, True, by=FOUNDER)
    service.council.execute(proposal.payload, by=STRANGER)
    assert service.council.logic() == service.store.logic() == ZERO
    with refused("not logic"):
        service.register("alice", A)


def test_configuration_reaches_the_logic(service):
    assert service.configure("registrar", A, 1).event("Configured") == {
        "action": tag("registrar"), "target": A, "val": 1,
    }
    service.register("alice", B, by=A)


def test_a_reassignment_takes_what_is_there(council):
    council.delegate(A, 100, by=FOUNDER)
    carry(council, REASSIGN, A, B, val=2**256 - 1)
    assert (council.stakeOf(A), council.stakeOf(B)) == (0, 100)
    carry(council, REASSIGN, A, B, val=5)
    assert (council.stakeOf(A), council.stakeOf(B)) == (0, 100)


# withdraw, close


def test_only_the_proposer_withdraws_and_only_before_it_passed(council):
    with refused("empty"):
        council.withdraw(by=FOUNDER)
    proposal = reassign(council)
    with refused("not proposer"):
        council.withdraw(by=A)
    council.vote(proposal.payload, True, by=FOUNDER)
    with refused("passed"):
        council.withdraw(by=FOUNDER)


def test_a_withdrawn_proposal_is_gone(council):
    proposal = reassign(council)
    assert council.withdraw(by=FOUNDER).event("Closed") == {"id": 1, "outcome": WITHDRAWN}
    assert council.current() == NO_PROPOSAL
    with refused("payload"):
        council.vote(proposal.payload, True, by=FOUNDER)


def test_anyone_closes_what_expired(council, world):
    with refused("empty"):
        council.close(by=STRANGER)
    reassign(council, duration=DAY)
    world.advance(DAY - 1)
    with refused("open"):
        council.close(by=STRANGER)
    world.advance(1)
    assert council.close(by=STRANGER).event("Closed") == {"id": 1, "outcome": EXPIRED}


def test_anyone_closes_what_nobody_executed(council, world):
    proposal = reassign(council)
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY + GRACE - 1)
    with refused("open"):
        council.close(by=STRANGER)
    world.advance(1)
    assert council.close(by=STRANGER).event("Closed") == {"id": 1, "outcome": EXPIRED}
    assert council.lockUntil(FOUNDER) == world.now + COOLDOWN


# Priority


def test_after_a_rejection_those_who_rejected_propose_first(three, world):
    proposal = reassign(three)
    three.delegate(C, THRESHOLD, by=A)
    three.vote(proposal.payload, False, by=A)
    three.vote(proposal.payload, False, by=B)
    with refused("priority"):
        reassign(three, by=C)
    world.advance(PRIORITY - 1)
    with refused("priority"):
        reassign(three, by=C)
    reassign(three, by=B)


def test_the_priority_ends(three, world):
    proposal = reassign(three)
    three.delegate(C, THRESHOLD, by=A)
    three.vote(proposal.payload, False, by=A)
    three.vote(proposal.payload, False, by=B)
    world.advance(PRIORITY)
    reassign(three, by=C)


# Voting power


def test_power_is_the_stake_when_the_proposal_was_made(three):
    assert three.votingPower(A) == 300_000
    three.delegate(C, 100_000, by=A)
    assert (three.votingPower(A), three.votingPower(C)) == (200_000, 100_000)
    reassign(three)
    three.delegate(C, 200_000, by=A)
    three.delegate(B, 50_000, by=C)
    assert [three.votingPower(member) for member in (A, B, C, FOUNDER)] == [200_000, 300_000, 100_000, 400_000]
    assert [three.stakeOf(member) for member in (A, B, C, FOUNDER)] == [0, 350_000, 250_000, 400_000]
    three.withdraw(by=FOUNDER)
    assert [three.votingPower(member) for member in (A, B, C, FOUNDER)] == [0, 350_000, 250_000, 400_000]


def test_an_old_snapshot_is_not_a_new_one(three, world):
    reassign(three)
    three.delegate(C, 300_000, by=A)
    three.withdraw(by=FOUNDER)
    reassign(three, by=B)
    assert three.votingPower(A) == 0 and three.votingPower(C) == 300_000


def test_money_is_refused(world, council):
    data = council.interface.data("close", [])
    world.env.set_balance(FOUNDER, 10**18)
    computation = world.env.execute_code(to_address=council.address, sender=FOUNDER, data=data, value=1)
    assert computation.is_error
