"""JnsLogic: every rule of names protocol, "Contracts", "Names"."""
import pytest
from eth_account.messages import encode_typed_data
from eth_utils import keccak

from service import (
    BYTES32, DAY, FOUNDER, PUBLIC_KEY, REGISTRAR, SIGNATURE, STRANGER, digest, jami_id, operation_hash, slot_of, tag,
)
from world import CHAIN_ID, DEAD, EMPTY, ZERO, Reverted, Signer, account, name32

OWNER, OTHER = Signer("owner"), Signer("other owner")
ALICE, BOB = name32("alice"), name32("bob")
EVIDENCE = digest(PUBLIC_KEY, SIGNATURE)
LATE = 2**40


def refused(reason: str):
    return pytest.raises(Reverted, match=f"^{reason}$")


# registerFor


def test_a_registration_can_be_read_in_every_way(service, world):
    outcome = service.register("alice", OWNER.address)
    addr = jami_id("alice")
    assert outcome.event("Registered") == {
        "name": ALICE, "addr": addr, "owner": OWNER.address, "seq": 1, "publicKey": PUBLIC_KEY,
        "signature": SIGNATURE,
    }
    assert service.record("alice") == (OWNER.address, addr, EVIDENCE)
    assert service.logic.name(addr) == ALICE
    assert service.logic.nonce(ALICE) == 0
    # What a light client proves, without the logic's code.
    assert service.address(keccak(tag("owner") + ALICE)) == OWNER.address
    assert service.address(keccak(tag("addr") + ALICE)) == addr
    assert service.word(keccak(tag("evidence") + ALICE)) == EVIDENCE
    assert service.word(keccak(tag("reverse") + bytes(12) + bytes.fromhex(addr[2:]))) == ALICE
    assert service.journal == (1, keccak(EMPTY + operation_hash(1, 1, ALICE, OWNER.address, addr, EVIDENCE)))


def test_a_name_without_evidence_has_none(service):
    outcome = service.register("alice", OWNER.address, public_key=b"", signature=b"")
    assert outcome.event("Registered")["publicKey"] == b""
    assert service.record("alice") == (OWNER.address, jami_id("alice"), EMPTY)


def test_only_registrars_register(service):
    for other in (STRANGER, FOUNDER, OWNER.address):
        with refused("not registrar"):
            service.register("alice", OWNER.address, by=other)
    service.configure("registrar", REGISTRAR, 0)
    with refused("not registrar"):
        service.register("alice", OWNER.address)


@pytest.mark.parametrize("name", ["al", "", "Alice", "a b", "ab.c", "ab\x00c", "é" * 3, "ab/c", "abc\x7f", "@bc"])
def test_bad_names_are_refused(service, name):
    assert not service.logic.isValidName(name32(name))
    with refused("invalid name"):
        service.register(name, OWNER.address, jami_id("x"))


@pytest.mark.parametrize("name", ["abc", "a" * 32, "a-_", "---", "___", "0-9", "xyz", "a" * 31])
def test_good_names_are_taken(service, name):
    assert service.logic.isValidName(name32(name))
    service.register(name, OWNER.address)


def test_the_name_check_knows_every_byte(service):
    allowed = set(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
    for byte in range(256):
        for place in (0, 2, 31):
            name = bytearray(b"a" * 32)
            name[place] = byte
            expected = byte in allowed or (byte == 0 and place == 31)
            assert service.logic.isValidName(bytes(name)) == expected


@pytest.mark.parametrize("owner", [ZERO, DEAD])
def test_nobody_and_the_tombstone_own_no_name(service, owner):
    with refused("owner"):
        service.register("alice", owner)


def test_a_name_has_an_address(service):
    with refused("addr"):
        service.register("alice", OWNER.address, ZERO)


def test_a_taken_name_stays_whose_it_is(service):
    service.register("alice", OWNER.address)
    before = service.journal
    for owner in (OTHER.address, OWNER.address):
        with refused("taken"):
            service.register("alice", owner, jami_id("another"))
    assert service.record("alice") == (OWNER.address, jami_id("alice"), EVIDENCE)
    assert service.journal == before


def test_an_address_has_one_name(service):
    service.register("alice", OWNER.address)
    with refused("addr taken"):
        service.register("alice2", OWNER.address, jami_id("alice"))


@pytest.mark.parametrize("public_key, signature", [(b"\1", b""), (b"", b"\1")])
def test_evidence_is_whole_or_absent(service, public_key, signature):
    with refused("evidence"):
        service.register("alice", OWNER.address, public_key=public_key, signature=signature)


# commit, reveal


@pytest.fixture
def committing(service):
    service.configure("mode", val=1)
    return service


REVEAL = (ALICE, OWNER.address, jami_id("alice"), PUBLIC_KEY, SIGNATURE, b"\x07" * 32)


def test_direct_registration_ends_where_commitments_are_required(committing):
    with refused("commit required"):
        committing.register("alice", OWNER.address)
    committing.configure("mode", val=0)
    committing.register("alice", OWNER.address)


@pytest.mark.parametrize("age", [60, 61, DAY])
def test_a_commitment_is_revealed_between_a_minute_and_a_day(committing, world, age):
    logic = committing.logic
    commitment = logic.commitmentOf(*REVEAL)
    assert logic.commit(commitment, by=STRANGER).event("Committed") == {"commitment": commitment}
    key = keccak(tag("commit") + commitment)
    assert committing.uint(key) == world.now
    world.advance(age)
    assert logic.reveal(*REVEAL, by=REGISTRAR).event("Registered")["name"] == ALICE
    assert committing.uint(key) == 0
    with refused("no commitment"):
        logic.reveal(*REVEAL, by=REGISTRAR)


@pytest.mark.parametrize("age, reason", [
    (0, "commitment too young"), (59, "commitment too young"), (DAY + 1, "commitment too old"),
])
def test_too_early_and_too_late(committing, world, age, reason):
    committing.logic.commit(committing.logic.commitmentOf(*REVEAL), by=STRANGER)
    world.advance(age)
    with refused(reason):
        committing.logic.reveal(*REVEAL, by=REGISTRAR)


def test_only_registrars_reveal(committing, world):
    committing.logic.commit(committing.logic.commitmentOf(*REVEAL), by=STRANGER)
    world.advance(60)
    with refused("not registrar"):
        committing.logic.reveal(*REVEAL, by=STRANGER)


def test_every_argument_is_committed_to(committing, world):
    committing.logic.commit(committing.logic.commitmentOf(*REVEAL), by=STRANGER)
    world.advance(60)
    others = (BOB, OTHER.address, jami_id("bob"), PUBLIC_KEY[1:], SIGNATURE[1:], b"\x08" * 32)
    for place, other in enumerate(others):
        arguments = REVEAL[:place] + (other,) + REVEAL[place + 1:]
        assert committing.logic.commitmentOf(*arguments) != committing.logic.commitmentOf(*REVEAL)
        with refused("no commitment"):
            committing.logic.reveal(*arguments, by=REGISTRAR)


def test_a_live_commitment_is_not_made_again_and_a_dead_one_is(committing, world):
    commitment = committing.logic.commitmentOf(*REVEAL)
    committing.logic.commit(commitment, by=STRANGER)
    world.advance(DAY)
    with refused("pending"):
        committing.logic.commit(commitment, by=STRANGER)
    world.advance(1)
    committing.logic.commit(commitment, by=STRANGER)
    world.advance(60)
    committing.logic.reveal(*REVEAL, by=REGISTRAR)


def test_a_reveal_keeps_the_rules_of_a_registration(committing, world):
    committing.logic.commit(committing.logic.commitmentOf(*REVEAL), by=STRANGER)
    second = (ALICE, OTHER.address, jami_id("bob"), PUBLIC_KEY, SIGNATURE, b"\x08" * 32)
    committing.logic.commit(committing.logic.commitmentOf(*second), by=STRANGER)
    world.advance(60)
    committing.logic.reveal(*REVEAL, by=REGISTRAR)
    with refused("taken"):
        committing.logic.reveal(*second, by=REGISTRAR)


def test_commitments_work_in_direct_mode_too(service, world):
    service.logic.commit(service.logic.commitmentOf(*REVEAL), by=STRANGER)
    world.advance(60)
    service.logic.reveal(*REVEAL, by=REGISTRAR)


# transfer


def test_the_owner_transfers(service):
    service.register("alice", OWNER.address)
    head = service.journal[1]
    event = service.logic.transfer(ALICE, OTHER.address, by=OWNER.address).event("Transferred")
    assert event == {"name": ALICE, "previous": OWNER.address, "owner": OTHER.address, "seq": 2}
    assert service.record("alice") == (OTHER.address, jami_id("alice"), EVIDENCE)
    assert service.journal == (2, keccak(head + operation_hash(2, 3, ALICE, OTHER.address, ZERO, EMPTY)))


def test_nobody_else_transfers(service):
    service.register("alice", OWNER.address)
    for other in (OTHER.address, REGISTRAR, FOUNDER):
        with refused("not owner"):
            service.logic.transfer(ALICE, other, by=other)
    with refused("not owner"):
        service.logic.transfer(BOB, OWNER.address, by=OWNER.address)


@pytest.mark.parametrize("to", [ZERO, DEAD])
def test_a_name_is_not_transferred_away(service, to):
    service.register("alice", OWNER.address)
    with refused("owner"):
        service.logic.transfer(ALICE, to, by=OWNER.address)
    with refused("owner"):
        service.logic.transferBySig(
            ALICE, to, LATE, *service.sign_transfer(OWNER, "alice", to, 0, LATE), by=STRANGER
        )


def test_a_signature_transfers(service):
    service.register("alice", OWNER.address)
    signature = service.sign_transfer(OWNER, "alice", OTHER.address, 0, LATE)
    event = service.logic.transferBySig(ALICE, OTHER.address, LATE, *signature, by=STRANGER).event("Transferred")
    assert event == {"name": ALICE, "previous": OWNER.address, "owner": OTHER.address, "seq": 2}
    assert service.logic.nonce(ALICE) == 1
    assert service.uint(keccak(tag("nonce") + ALICE)) == 1


# release


def check_released(service, name: str, addr: str):
    key = name32(name)
    assert service.record(name) == (DEAD, ZERO, EMPTY)
    assert service.logic.name(addr) == EMPTY
    with refused("taken"):
        service.register(name, OTHER.address, jami_id("somebody else"))
    with refused("not owner"):
        service.logic.transfer(key, OTHER.address, by=OWNER.address)
    with refused("not owner"):
        service.logic.release(key, by=OWNER.address)


def test_the_owner_releases_for_ever(service):
    service.register("alice", OWNER.address)
    head = service.journal[1]
    event = service.logic.release(ALICE, by=OWNER.address).event("Released")
    assert event == {"name": ALICE, "seq": 2}
    assert service.journal == (2, keccak(head + operation_hash(2, 4, ALICE, DEAD, ZERO, EMPTY)))
    check_released(service, "alice", jami_id("alice"))


def test_a_released_address_can_have_another_name(service):
    service.register("alice", OWNER.address)
    service.logic.release(ALICE, by=OWNER.address)
    service.register("alice2", OWNER.address, jami_id("alice"))
    assert service.logic.name(jami_id("alice")) == name32("alice2")


def test_a_signature_releases(service):
    service.register("alice", OWNER.address)
    signature = service.sign_release(OWNER, "alice", 0, LATE)
    assert service.logic.releaseBySig(ALICE, LATE, *signature, by=STRANGER).event("Released")["seq"] == 2
    check_released(service, "alice", jami_id("alice"))


def test_nobody_else_releases(service):
    service.register("alice", OWNER.address)
    for other in (OTHER.address, REGISTRAR, FOUNDER):
        with refused("not owner"):
            service.logic.release(ALICE, by=other)
    with refused("not owner"):
        service.logic.releaseBySig(ALICE, LATE, *service.sign_release(OTHER, "alice", 0, LATE), by=STRANGER)


# setAddressFor

NEW = jami_id("alice's new account")
NEW_KEY, NEW_SIGNATURE = b"\x11" * 550, b"\x12" * 512
NEW_EVIDENCE = digest(NEW_KEY, NEW_SIGNATURE)


def moved(service, signer=OWNER, addr=NEW, key=NEW_KEY, signature=NEW_SIGNATURE, nonce=0, deadline=LATE,
          by=REGISTRAR, **domain):
    signed = service.sign_address(signer, "alice", addr, digest(key, signature), nonce, deadline, **domain)
    return service.logic.setAddressFor(ALICE, addr, key, signature, deadline, *signed, by=by)


def test_a_name_moves_to_another_address(service):
    service.register("alice", OWNER.address)
    head = service.journal[1]
    assert moved(service).event("AddressChanged") == {
        "name": ALICE, "addr": NEW, "previous": jami_id("alice"), "seq": 2, "publicKey": NEW_KEY,
        "signature": NEW_SIGNATURE,
    }
    assert service.record("alice") == (OWNER.address, NEW, NEW_EVIDENCE)
    assert (service.logic.name(NEW), service.logic.name(jami_id("alice"))) == (ALICE, EMPTY)
    assert service.journal == (2, keccak(head + operation_hash(2, 2, ALICE, OWNER.address, NEW, NEW_EVIDENCE)))
    assert service.logic.nonce(ALICE) == 1
    service.register("bob", OTHER.address, jami_id("alice"))


def test_a_move_needs_the_registrar_and_the_owner(service):
    service.register("alice", OWNER.address)
    with refused("not registrar"):
        moved(service, by=OWNER.address)
    with refused("not owner"):
        moved(service, signer=OTHER)


def test_a_move_needs_an_address_and_evidence(service):
    service.register("alice", OWNER.address)
    with refused("addr"):
        moved(service, addr=ZERO)
    with refused("evidence"):
        moved(service, key=b"", signature=b"")
    with refused("evidence"):
        moved(service, key=b"")


def test_a_move_goes_to_an_address_without_a_name(service):
    service.register("alice", OWNER.address)
    service.register("bob", OTHER.address)
    for addr in (jami_id("bob"), jami_id("alice")):
        with refused("addr taken"):
            moved(service, addr=addr)


def test_the_evidence_of_a_move_is_signed(service):
    service.register("alice", OWNER.address)
    signed = service.sign_address(OWNER, "alice", NEW, NEW_EVIDENCE, 0, LATE)
    with refused("not owner"):
        service.logic.setAddressFor(ALICE, NEW, NEW_KEY, NEW_SIGNATURE + b"\0", LATE, *signed, by=REGISTRAR)


def test_a_released_name_does_not_move(service):
    service.register("alice", OWNER.address)
    service.logic.release(ALICE, by=OWNER.address)
    with refused("not owner"):
        moved(service)


# Signatures


def test_a_signature_works_once(service):
    service.register("alice", OWNER.address)
    signature = service.sign_transfer(OWNER, "alice", OWNER.address, 0, LATE)
    service.logic.transferBySig(ALICE, OWNER.address, LATE, *signature, by=STRANGER)
    with refused("not owner"):
        service.logic.transferBySig(ALICE, OWNER.address, LATE, *signature, by=STRANGER)
    signature = service.sign_transfer(OWNER, "alice", OWNER.address, 1, LATE)
    service.logic.transferBySig(ALICE, OWNER.address, LATE, *signature, by=STRANGER)


def test_a_signature_has_a_last_second(service, world):
    service.register("alice", OWNER.address)
    deadline = world.now + 10
    signature = service.sign_release(OWNER, "alice", 0, deadline)
    world.advance(11)
    with refused("deadline"):
        service.logic.releaseBySig(ALICE, deadline, *signature, by=STRANGER)
    world.set_time(deadline)
    service.logic.releaseBySig(ALICE, deadline, *signature, by=STRANGER)


def test_a_signature_is_for_one_chain_one_logic_and_one_name(service):
    service.register("alice", OWNER.address)
    service.register("bob", OWNER.address)
    wrong = [
        service.sign_release(OWNER, "alice", 0, LATE, chain_id=CHAIN_ID + 1),
        service.sign_release(OWNER, "alice", 0, LATE, logic=service.council.address),
        service.sign_release(OWNER, "bob", 0, LATE),
        service.sign_release(OWNER, "alice", 1, LATE),
        service.sign_release(OWNER, "alice", 0, LATE - 1),
    ]
    for signature in wrong:
        with refused("not owner"):
            service.logic.releaseBySig(ALICE, LATE, *signature, by=STRANGER)


def test_what_wallets_sign_is_what_the_logic_checks(service):
    service.register("alice", OWNER.address)
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
            ],
            "SetAddress": [
                {"name": "name", "type": "bytes32"}, {"name": "addr", "type": "address"},
                {"name": "evidence", "type": "bytes32"}, {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "SetAddress",
        "domain": {
            "name": "Jami Name Service", "version": "1", "chainId": CHAIN_ID,
            "verifyingContract": service.logic.address,
        },
        "message": {"name": ALICE, "addr": NEW, "evidence": NEW_EVIDENCE, "nonce": 0, "deadline": LATE},
    }
    signable = encode_typed_data(full_message=typed)
    assert signable.header == service.logic.domainSeparator() == service.domain()
    signature = OWNER.sign(keccak(b"\x19\x01" + signable.header + signable.body))
    service.logic.setAddressFor(ALICE, NEW, NEW_KEY, NEW_SIGNATURE, LATE, *signature, by=REGISTRAR)


# importBatch


def records(*names: str):
    return [(name32(name), account(f"owner of {name}"), jami_id(name), keccak(text=name)) for name in names]


def test_an_import_registers_with_digests_only(service):
    service.configure("import", val=1)
    batch = records("alice", "bob")
    batch[1] = batch[1][:3] + (EMPTY,)
    outcome = service.logic.importBatch(batch, by=REGISTRAR)
    assert [event.fields for event in outcome.events] == [
        {"name": name, "addr": addr, "owner": owner, "seq": seq + 1, "evidence": evidence}
        for seq, (name, owner, addr, evidence) in enumerate(batch)
    ]
    assert service.record("alice") == (batch[0][1], batch[0][2], batch[0][3])
    head = EMPTY
    for seq, (name, owner, addr, evidence) in enumerate(batch):
        head = keccak(head + operation_hash(seq + 1, 1, name, owner, addr, evidence))
    assert service.journal == (2, head)


def test_an_import_is_for_registrars_while_it_is_open(service):
    with refused("import closed"):
        service.logic.importBatch(records("alice"), by=REGISTRAR)
    service.configure("import", val=1)
    with refused("not registrar"):
        service.logic.importBatch(records("alice"), by=STRANGER)
    service.configure("import", val=0)
    with refused("import closed"):
        service.logic.importBatch(records("alice"), by=REGISTRAR)


@pytest.mark.parametrize("bad, reason", [
    ((name32("Bad"), OWNER.address, jami_id("x"), EMPTY), "invalid name"),
    ((BOB, ZERO, jami_id("x"), EMPTY), "owner"),
    ((BOB, DEAD, jami_id("x"), EMPTY), "owner"),
    ((BOB, OWNER.address, ZERO, EMPTY), "addr"),
    ((ALICE, OWNER.address, jami_id("x"), EMPTY), "taken"),
    ((BOB, OWNER.address, jami_id("alice"), EMPTY), "addr taken"),
    ((BOB, DEAD, ZERO, b"\1" * 32), "evidence"),
    ((ALICE, DEAD, ZERO, EMPTY), "taken"),
    ((name32("Bad"), DEAD, ZERO, EMPTY), "invalid name"),
])
def test_one_bad_record_spoils_a_batch(service, bad, reason):
    service.configure("import", val=1)
    before = service.journal
    with refused(reason):
        service.logic.importBatch(records("alice") + [bad], by=REGISTRAR)
    assert service.journal == before and service.record("alice")[0] == ZERO


def test_a_released_name_is_imported_as_released(service):
    service.configure("import", val=1)
    outcome = service.logic.importBatch([(ALICE, DEAD, ZERO, EMPTY)], by=REGISTRAR)
    assert outcome.event("Released") == {"name": ALICE, "seq": 1}
    assert service.journal == (1, keccak(EMPTY + operation_hash(1, 4, ALICE, DEAD, ZERO, EMPTY)))
    check_released(service, "alice", jami_id("alice"))


def test_a_batch_has_at_most_128_names(service):
    service.configure("import", val=1)
    service.logic.importBatch(records(*(f"name-{index}" for index in range(128))), by=REGISTRAR)
    assert service.journal[0] == 128
    with pytest.raises(Reverted):
        service.logic.importBatch(records(*(f"more-{index}" for index in range(129))), by=REGISTRAR)


# configure


def test_only_the_council_configures(service):
    for other in (STRANGER, FOUNDER, REGISTRAR):
        for action in ("registrar", "mode", "import", "void"):
            with refused("not council"):
                service.logic.configure(tag(action), ZERO, 1, by=other)


@pytest.fixture
def chaired(service, world):
    """A service whose logic obeys an account instead of the council."""
    service.logic = world.deploy("JnsLogic", FOUNDER, service.store.address)
    service.select(service.logic)
    return service


def test_there_are_no_other_actions_and_modes(chaired):
    for action in (EMPTY, tag("owner"), tag("seq"), tag("journal"), tag("commit"), tag("addr")):
        with refused("action"):
            chaired.logic.configure(action, ZERO, 1, by=FOUNDER)
    with refused("mode"):
        chaired.logic.configure(tag("mode"), ZERO, 2, by=FOUNDER)


# void


def test_the_council_voids_a_name_after_a_fraud(service):
    service.register("alice", OWNER.address)
    head = service.journal[1]
    outcome = service.configure("void", val=int.from_bytes(ALICE, "big"))
    assert outcome.event("Released") == {"name": ALICE, "seq": 2}
    assert outcome.event("Configured") == {
        "action": tag("void"), "target": ZERO, "val": int.from_bytes(ALICE, "big"),
    }
    assert service.journal == (2, keccak(head + operation_hash(2, 4, ALICE, DEAD, ZERO, EMPTY)))
    check_released(service, "alice", jami_id("alice"))


def test_a_voided_address_gets_a_name_of_its_own(service):
    service.register("alice", OWNER.address, jami_id("the real account"))
    service.configure("void", val=int.from_bytes(ALICE, "big"))
    service.register("real-alice", OTHER.address, jami_id("the real account"))
    assert service.logic.name(jami_id("the real account")) == name32("real-alice")


def test_old_signatures_do_nothing_to_a_voided_name(service):
    service.register("alice", OWNER.address)
    transfer = service.sign_transfer(OWNER, "alice", OWNER.address, 0, LATE)
    release = service.sign_release(OWNER, "alice", 0, LATE)
    service.configure("void", val=int.from_bytes(ALICE, "big"))
    with refused("not owner"):
        service.logic.transferBySig(ALICE, OWNER.address, LATE, *transfer, by=STRANGER)
    with refused("not owner"):
        service.logic.releaseBySig(ALICE, LATE, *release, by=STRANGER)
    with refused("not owner"):
        moved(service)


def test_only_a_live_name_is_voided(chaired):
    value = int.from_bytes(ALICE, "big")
    with refused("not registered"):
        chaired.logic.configure(tag("void"), ZERO, value, by=FOUNDER)
    chaired.register("alice", OWNER.address)
    with refused("target"):
        chaired.logic.configure(tag("void"), OWNER.address, value, by=FOUNDER)
    chaired.logic.release(ALICE, by=OWNER.address)
    with refused("released"):
        chaired.logic.configure(tag("void"), ZERO, value, by=FOUNDER)


# Logic and storage


def test_the_data_outlives_the_logic(service):
    service.register("alice", OWNER.address)
    service.logic.transfer(ALICE, OTHER.address, by=OWNER.address)
    old, before = service.logic, service.journal
    service.logic = service.new_logic()
    service.select(service.logic)
    assert service.record("alice") == (OTHER.address, jami_id("alice"), EVIDENCE)
    with refused("not logic"):
        old.release(ALICE, by=OTHER.address)
    assert service.logic.release(ALICE, by=OTHER.address).event("Released")["seq"] == before[0] + 1


def test_a_logic_that_was_not_selected_writes_nothing(service):
    service.logic = service.new_logic()
    with refused("not logic"):
        service.register("alice", OWNER.address)


def test_the_anchors_are_public(service):
    assert (service.logic.COUNCIL(), service.logic.STORE()) == (service.council.address, service.store.address)
    assert slot_of(BYTES32, tag("journal")) == int(
        "620b90794dc8e6de3cd73351e537d527d5c1a7b46f167793850f5ad0fbb03a14", 16
    )
