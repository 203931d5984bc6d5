"""The attacks of names protocol, "Attacks", that the contracts answer."""
import pytest
from eth_abi import encode
from eth_utils import keccak

from service import (
    ADD_STORAGE, CONFIGURE, COOLDOWN, DAY, EXEC_DELAY, FOUNDER, GRACE, MAX_DURATION, PUBLIC_KEY, REASSIGN, REGISTRAR,
    SELECT_LOGIC, SIGNATURE, STRANGER, THRESHOLD, TOTAL, carry, digest, jami_id, payload_of, propose, tag,
)
from world import DEAD, EMPTY, ZERO, Contract, Interface, Reverted, Signer, account, attacker, name32

OWNER, THIEF = Signer("owner"), Signer("thief")
ALICE = name32("alice")
A, B, C, D = (account(f"member {letter}") for letter in "abcd")
LATE = 2**40
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def refused(reason: str):
    return pytest.raises(Reverted, match=f"^{reason}$")


@pytest.fixture
def committing(service):
    service.configure("mode", val=1)
    return service


def test_a1_a_name_seen_in_the_mempool_cannot_be_taken_first(committing, world):
    mine = (ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE, b"\1" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*mine), by=STRANGER)
    world.advance(60)
    # The thief sees the reveal and is a registrar; what they can do now is too young.
    theirs = (ALICE, THIEF.address, jami_id("thief"), PUBLIC_KEY, SIGNATURE, b"\2" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*theirs), by=THIEF.address)
    with refused("commitment too young"):
        committing.logic.reveal(*theirs, by=REGISTRAR)
    with refused("commit required"):
        committing.register("alice", THIEF.address, jami_id("thief"))
    committing.logic.reveal(*mine, by=REGISTRAR)
    world.advance(60)
    with refused("taken"):
        committing.logic.reveal(*theirs, by=REGISTRAR)


def test_a1_a_copied_commitment_gives_the_name_to_whom_it_names(committing, world):
    mine = (ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE, b"\1" * 32)
    commitment = committing.logic.commitmentOf(*mine)
    committing.logic.commit(commitment, by=THIEF.address)
    with refused("pending"):
        committing.logic.commit(commitment, by=OWNER.address)
    world.advance(60)
    committing.logic.reveal(*mine, by=REGISTRAR)
    assert committing.record("alice")[0] == OWNER.address


def test_a2_a_dishonest_registrar_is_passed_by(committing, world):
    committing.configure("registrar", A, 1)
    mine = (ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE, b"\1" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*mine), by=OWNER.address)
    world.advance(60)
    # The first registrar, told the name, holds the reveal back and commits for itself.
    theirs = (ALICE, THIEF.address, jami_id("thief"), PUBLIC_KEY, SIGNATURE, b"\2" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*theirs), by=REGISTRAR)
    world.advance(30)
    committing.logic.reveal(*mine, by=A)
    assert committing.record("alice")[0] == OWNER.address


def test_a3_evidence_replayed_for_another_owner_finds_the_name_taken(service):
    service.register("alice", OWNER.address)
    with refused("taken"):
        service.register("alice", THIEF.address)
    service.logic.release(ALICE, by=OWNER.address)
    with refused("taken"):
        service.register("alice", THIEF.address)


def test_a3_the_owner_is_inside_the_commitment(committing, world):
    mine = (ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE, b"\1" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*mine), by=OWNER.address)
    world.advance(60)
    with refused("no commitment"):
        committing.logic.reveal(ALICE, THIEF.address, *mine[2:], by=REGISTRAR)


def test_a5_nobody_takes_anothers_reverse_entry(service):
    service.register("alice", OWNER.address)
    service.register("mallory", THIEF.address)
    with refused("addr taken"):
        service.register("alice2", THIEF.address, jami_id("alice"))
    evidence = digest(PUBLIC_KEY, SIGNATURE)
    signed = service.sign_address(THIEF, "mallory", jami_id("alice"), evidence, 0, LATE)
    with refused("addr taken"):
        service.logic.setAddressFor(
            name32("mallory"), jami_id("alice"), PUBLIC_KEY, SIGNATURE, LATE, *signed, by=REGISTRAR
        )
    assert service.logic.name(jami_id("alice")) == ALICE
    assert service.logic.addr(ALICE) == jami_id("alice")


def test_a7_stake_that_voted_does_not_vote_again_elsewhere(council):
    council.delegate(A, 400_000, by=FOUNDER)
    proposal = propose(council, REASSIGN, D, B, val=1)
    council.vote(proposal.payload, True, by=A)
    council.delegate(C, 400_000, by=A)
    with refused("no stake"):
        council.vote(proposal.payload, True, by=C)
    council.delegate(B, 400_000, by=C)
    with refused("no stake"):
        council.vote(proposal.payload, True, by=B)
    assert council.current()[9] == 400_000


def test_a8_stake_that_is_bought_after_the_proposal_has_no_vote_on_it(council):
    council.delegate(A, 300_000, by=FOUNDER)
    proposal = propose(council, REASSIGN, D, B, val=1, by=A)
    council.delegate(A, 600_000, by=FOUNDER)
    assert council.votingPower(A) == 300_000
    council.vote(proposal.payload, True, by=A)
    assert council.current()[8] == 0
    # Who sold keeps the vote of that day.
    council.vote(proposal.payload, False, by=FOUNDER)
    assert council.current()[0] == 0


def test_a9_a_vote_for_one_content_never_counts_for_another(council, world):
    good = propose(council, REASSIGN, D, B, val=1, by=FOUNDER)
    council.delegate(A, THRESHOLD, by=FOUNDER)
    council.withdraw(by=FOUNDER)
    evil = propose(council, REASSIGN, FOUNDER, A, val=TOTAL, by=A)
    assert evil.payload != good.payload
    with refused("payload"):
        council.vote(good.payload, True, by=FOUNDER)
    council.vote(evil.payload, False, by=FOUNDER)
    # The same content again is another proposal: after a reorganisation an old vote fits only what it was given for.
    world.advance(COOLDOWN)
    again = propose(council, REASSIGN, D, B, val=1, by=FOUNDER)
    assert again.payload != good.payload
    with refused("payload"):
        council.vote(good.payload, True, by=FOUNDER)


def test_a9_payloads_differ_between_councils_chains_and_contents(council):
    base = (council.address, 1, REASSIGN, D, B, EMPTY, 1, EMPTY)
    changes = [(0, A), (1, 2), (2, CONFIGURE), (3, A), (4, A), (5, b"\1" * 32), (6, 2), (7, b"\1" * 32)]
    payloads = {payload_of(*base)} | {payload_of(*base[:at], value, *base[at + 1:]) for at, value in changes}
    assert len(payloads) == 1 + len(changes)
    assert propose(council, REASSIGN, D, B, val=1).payload == payload_of(*base)


def test_a10_a_spammer_is_stopped_by_lock_cooldown_and_majority(council, world):
    spam = 3 * THRESHOLD
    council.delegate(A, spam, by=FOUNDER)
    proposal = propose(council, REASSIGN, D, B, val=1, by=A, duration=MAX_DURATION)
    # The stake of one proposal cannot be lent to the next account.
    with refused("locked"):
        council.delegate(B, spam - THRESHOLD + 1, by=A)
    council.delegate(B, spam - THRESHOLD, by=A)
    # A majority frees the slot in one block and proposes before anybody else.
    council.vote(proposal.payload, False, by=FOUNDER)
    with refused("priority"):
        propose(council, REASSIGN, D, B, val=1, by=B)
    with refused("cooldown"):
        propose(council, REASSIGN, D, B, val=1, by=A)
    cure = propose(council, REASSIGN, A, FOUNDER, val=TOTAL)
    with refused("frozen"):
        council.delegate(C, 1, by=A)
    council.vote(cure.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY)
    council.execute(cure.payload, by=STRANGER)
    assert council.stakeOf(A) == 0


def test_a10_without_a_majority_a_spammer_has_the_slot_for_a_bounded_time(council, world):
    """A holder of two thresholds can keep the slot for two durations, then has to wait."""
    council.delegate(A, 2 * THRESHOLD, by=FOUNDER)
    start, spammers, held = world.now, [A, B], 0
    propose(council, REASSIGN, D, C, val=1, by=A, duration=MAX_DURATION)
    council.delegate(B, THRESHOLD, by=A)
    while world.now < start + MAX_DURATION + COOLDOWN - 1:
        world.advance(DAY)
        for spammer in spammers:
            try:
                propose(council, REASSIGN, D, C, val=1, by=spammer, duration=MAX_DURATION)
            except Reverted:
                continue
        held += council.current()[7] > world.now
    assert held <= 2 * MAX_DURATION // DAY


@pytest.mark.parametrize("call", ["propose", "execute", "vote", "close", "withdraw", "delegate"])
def test_a11_execution_is_not_reentered(council, world, call):
    logic_interface = Interface([
        {"type": "function", "name": "prepare", "inputs": [{"name": "d", "type": "bytes"}], "outputs": [],
         "stateMutability": "nonpayable"},
        {"type": "function", "name": "succeeded", "inputs": [], "outputs": [{"name": "", "type": "bool"}],
         "stateMutability": "view"},
    ])
    code = attacker("ReentrantLogic", world.evm_version) + encode(["address"], [council.address])
    logic = world.deploy_code(code).value
    carry(council, SELECT_LOGIC, logic, key=world.code_hash(logic))
    council.delegate(logic, 4 * THRESHOLD, by=FOUNDER)
    proposal = propose(council, CONFIGURE, key=tag("registrar"), val=1)
    arguments = {
        "propose": [REASSIGN, FOUNDER, logic, EMPTY, TOTAL, DAY, EMPTY],
        "execute": [proposal.payload],
        "vote": [proposal.payload, True],
        "close": [],
        "withdraw": [],
        "delegate": [A, 1],
    }[call]
    data = council.interface.data(call, arguments)
    world.transact(STRANGER, logic, logic_interface.data("prepare", [data]))
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY)
    council.execute(proposal.payload, by=STRANGER)
    answer = world.look(logic, logic_interface.data("succeeded", []))
    assert logic_interface.result("succeeded", answer) is False
    assert council.lastId() == proposal.id and council.stakeOf(A) == 0


def test_a12_a_logic_whose_code_changed_after_the_vote_is_not_selected(council, world):
    logic = world.deploy("JnsLogic", council.address, ZERO)
    proposal = propose(council, SELECT_LOGIC, logic.address, key=world.code_hash(logic.address))
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY)
    world.set_code(logic.address, world.code(logic.address) + b"\0")
    with refused("code hash"):
        council.execute(proposal.payload, by=STRANGER)
    assert council.logic() == ZERO


def test_a12_a_blueprint_whose_code_changed_after_the_vote_is_not_deployed(council, world):
    blueprint, key = world.blueprint()
    proposal = propose(council, ADD_STORAGE, blueprint, key=key)
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY)
    world.set_code(blueprint, world.code(blueprint) + b"\0")
    with refused("code hash"):
        council.execute(proposal.payload, by=STRANGER)


def test_a13_a_malicious_logic_waits_while_a_freeze_does_not(service, world):
    council, evil = service.council, service.new_logic()
    council.delegate(A, THRESHOLD, by=FOUNDER)
    proposal = propose(council, SELECT_LOGIC, evil.address, key=world.code_hash(evil.address), by=A)
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY - 1)
    with refused("not due"):
        council.execute(proposal.payload, by=STRANGER)
    world.advance(1)
    council.execute(proposal.payload, by=STRANGER)
    assert service.store.logic() == evil.address
    freeze = propose(council, SELECT_LOGIC)
    council.vote(freeze.payload, True, by=FOUNDER)
    council.execute(freeze.payload, by=STRANGER)
    assert service.store.logic() == ZERO


def test_a15_a_stolen_registrar_key_is_revoked_and_what_it_took_is_voided(service):
    service.register("alice", THIEF.address, jami_id("alice"), b"junk", b"junk")
    service.configure("registrar", REGISTRAR, 0)
    with refused("not registrar"):
        service.register("bob", THIEF.address)
    service.configure("registrar", A, 1)
    service.configure("void", val=int.from_bytes(ALICE, "big"))
    assert service.record("alice") == (DEAD, ZERO, EMPTY)
    service.register("alice-1", OWNER.address, jami_id("alice"), by=A)


def test_a15_a_thief_cannot_escape_a_void_by_transferring(service, world):
    service.register("alice", THIEF.address)
    proposal = propose(service.council, CONFIGURE, key=tag("void"), val=int.from_bytes(ALICE, "big"))
    service.council.vote(proposal.payload, True, by=FOUNDER)
    service.logic.transfer(ALICE, C, by=THIEF.address)
    world.advance(EXEC_DELAY)
    service.council.execute(proposal.payload, by=STRANGER)
    assert service.record("alice") == (DEAD, ZERO, EMPTY)


@pytest.mark.parametrize("key, signature", [(bytes(1025), b"\1"), (b"\1", bytes(1025)), (bytes(4096), bytes(4096))])
def test_a20_oversized_evidence_is_refused(service, key, signature):
    with pytest.raises(Reverted):
        service.register("alice", OWNER.address, public_key=key, signature=signature)
    assert service.record("alice")[0] == ZERO


def test_a20_evidence_of_full_length_is_taken(service):
    service.register("alice", OWNER.address, public_key=b"\1" * 1024, signature=b"\2" * 1024)


def test_a20_a_false_length_in_the_call_is_refused(service):
    data = service.logic.interface.data(
        "registerFor", [ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE]
    )
    place = 4 + 32 * 3
    for lie in (2**256 - 1, len(data) + 1, 2**64):
        with pytest.raises(Reverted):
            service.world.transact(
                REGISTRAR, service.logic.address, data[:place] + lie.to_bytes(32, "big") + data[place + 32:]
            )
    with pytest.raises(Reverted):
        service.world.transact(REGISTRAR, service.logic.address, data[:200])


def test_a21_the_twin_of_a_signature_is_refused(service):
    service.register("alice", OWNER.address)
    v, r, s = service.sign_release(OWNER, "alice", 0, LATE)
    twin = (55 - v, r, (ORDER - int.from_bytes(s, "big")).to_bytes(32, "big"))
    with refused("malleable"):
        service.logic.releaseBySig(ALICE, LATE, *twin, by=STRANGER)
    service.logic.releaseBySig(ALICE, LATE, v, r, s, by=STRANGER)


@pytest.mark.parametrize("v, r, s", [
    (0, b"\1" * 32, b"\1" * 32), (26, b"\1" * 32, b"\1" * 32), (29, b"\1" * 32, b"\1" * 32),
    (27, EMPTY, b"\1" * 32), (27, b"\1" * 32, EMPTY), (28, b"\xff" * 32, b"\1" * 32), (0, EMPTY, EMPTY),
])
def test_a21_a_signature_that_is_none_signs_nothing(service, v, r, s):
    """The recovered account is zero, as is the owner of a free name."""
    for name in (ALICE, name32("free")):
        with refused("not owner"):
            service.logic.transferBySig(name, THIEF.address, LATE, v, r, s, by=STRANGER)
        with refused("not owner"):
            service.logic.releaseBySig(name, LATE, v, r, s, by=STRANGER)
        with refused("not owner"):
            service.logic.setAddressFor(
                name, jami_id("x"), PUBLIC_KEY, SIGNATURE, LATE, v, r, s, by=REGISTRAR
            )
    service.register("alice", OWNER.address)
    with refused("not owner"):
        service.logic.releaseBySig(ALICE, LATE, v, r, s, by=STRANGER)


def test_a22_an_execution_that_always_fails_frees_the_slot_in_the_end(council, world):
    logic = world.deploy_code(attacker("RevertingLogic", world.evm_version)).value
    carry(council, SELECT_LOGIC, logic, key=world.code_hash(logic))
    proposal = propose(council, CONFIGURE, key=keccak(text="anything"))
    council.vote(proposal.payload, True, by=FOUNDER)
    world.advance(EXEC_DELAY)
    with refused("never"):
        council.execute(proposal.payload, by=STRANGER)
    assert council.current()[0] == proposal.id
    with refused("busy"):
        propose(council, SELECT_LOGIC)
    world.advance(GRACE)
    council.close(by=STRANGER)
    assert council.current()[0] == 0


def test_a22_a_frozen_storage_does_not_block_the_council(service):
    carry(service.council, SELECT_LOGIC)
    service.select(service.logic)
    service.register("alice", OWNER.address)
    assert Contract(service.world, "EternalStorage", service.store.address).logic() == service.logic.address
