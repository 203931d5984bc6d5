"""Thousands of random operations: the logic does what the model does, and J1 to J5 hold after each."""
from hypothesis import strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from eth_utils import keccak

from models import NamesModel, Refused
from service import FOUNDER, REGISTRAR, STRANGER, Service, digest, jami_id, tag
from world import DEAD, EMPTY, ZERO, Reverted, Signer, World, account, name32

CHAIR = account("chair")
OWNERS = [Signer(f"owner {index}") for index in range(3)]
ADDRESSES = [owner.address for owner in OWNERS]
NAMES = ["alice", "bob", "carol-1", "d_e", "e" * 32]
BAD_NAMES = ["al", "Alice", "a.b"]
IDS = [jami_id(f"id {index}") for index in range(6)]
EVIDENCE = [(b"", b""), (b"key", b"signature"), (b"k" * 550, b"s" * 512), (b"key", b"")]

names = st.sampled_from(NAMES + NAMES + BAD_NAMES)
good_names = st.sampled_from(NAMES)
owners = st.sampled_from(OWNERS)
owner_addresses = st.sampled_from(ADDRESSES * 3 + [ZERO, DEAD])
ids = st.sampled_from(IDS * 3 + [ZERO])
evidence = st.sampled_from(EVIDENCE)
senders = st.sampled_from([REGISTRAR] * 5 + [STRANGER])
skews = st.sampled_from([0] * 6 + [1])


class NamesMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.world = World()
        self.service = Service(self.world)
        # An account in the council's place makes configuration one transaction.
        self.service.logic = self.world.deploy("JnsLogic", CHAIR, self.service.store.address)
        self.service.select(self.service.logic)
        self.model = NamesModel({REGISTRAR})
        self.tombstones = set()

    @property
    def logic(self):
        return self.service.logic

    def both(self, real, expected):
        refusal = None
        try:
            real()
        except Reverted as error:
            refusal = str(error)
        try:
            expected()
            assert refusal is None, f"the contract refused: {refusal}"
        except Refused as error:
            assert refusal == str(error)

    @rule(sender=senders, name=names, owner=owner_addresses, addr=ids, proof=evidence)
    def register(self, sender, name, owner, addr, proof):
        # The order of checks differs where several fail; the model has the contract's.
        def expected():
            self.model.only_registrar(sender)
            if self.model.mode:
                raise Refused("commit required")
            digested = self.model.evidence_of(*proof)
            self.model.store(name32(name), owner, addr, digested)

        self.both(lambda: self.logic.registerFor(name32(name), owner, addr, *proof, by=sender), expected)

    @rule(name=good_names, owner=owners, addr=st.sampled_from(IDS), secret=st.integers(0, 1),
          wait=st.sampled_from([0, 59, 60, 200, 86_400, 86_401]), sender=senders)
    def commit_and_reveal(self, name, owner, addr, secret, wait, sender):
        arguments = (name32(name), owner.address, addr, *EVIDENCE[1], bytes([secret]) * 32)
        commitment = self.logic.commitmentOf(*arguments)
        self.both(
            lambda: self.logic.commit(commitment, by=STRANGER),
            lambda: self.model.commit(commitment, self.world.now),
        )
        self.world.advance(wait)
        self.both(
            lambda: self.logic.reveal(*arguments, by=sender),
            lambda: self.model.reveal(sender, commitment, *arguments[:5], self.world.now),
        )

    @rule(name=good_names, sender=owners, to=owner_addresses)
    def transfer(self, name, sender, to):
        def expected():
            self.model.only_owner(name32(name), sender.address)
            self.model.transfer(name32(name), to)

        self.both(lambda: self.logic.transfer(name32(name), to, by=sender.address), expected)

    @rule(name=good_names, signer=owners, to=owner_addresses, nonce=skews, late=skews)
    def transfer_by_signature(self, name, signer, to, nonce, late):
        number, deadline = self.model.nonces.get(name32(name), 0) + nonce, self.world.now - late
        signature = self.service.sign_transfer(signer, name, to, number, deadline)
        self.both(
            lambda: self.logic.transferBySig(name32(name), to, deadline, *signature, by=STRANGER),
            lambda: self.model.signed(
                name32(name), signer.address, number, deadline, self.world.now,
                lambda: self.model.transfer(name32(name), to),
            ),
        )

    @rule(name=good_names, sender=owners)
    def release(self, name, sender):
        def expected():
            self.model.only_owner(name32(name), sender.address)
            self.model.release(name32(name))

        self.both(lambda: self.logic.release(name32(name), by=sender.address), expected)

    @rule(name=good_names, signer=owners, nonce=skews, late=skews)
    def release_by_signature(self, name, signer, nonce, late):
        number, deadline = self.model.nonces.get(name32(name), 0) + nonce, self.world.now - late
        signature = self.service.sign_release(signer, name, number, deadline)
        self.both(
            lambda: self.logic.releaseBySig(name32(name), deadline, *signature, by=STRANGER),
            lambda: self.model.signed(
                name32(name), signer.address, number, deadline, self.world.now,
                lambda: self.model.release(name32(name)),
            ),
        )

    @rule(name=good_names, signer=owners, addr=ids, proof=evidence, sender=senders, nonce=skews)
    def move(self, name, signer, addr, proof, sender, nonce):
        number, deadline = self.model.nonces.get(name32(name), 0) + nonce, self.world.now
        signature = self.service.sign_address(signer, name, addr, digest(*proof), number, deadline)
        self.both(
            lambda: self.logic.setAddressFor(name32(name), addr, *proof, deadline, *signature, by=sender),
            lambda: self.model.move(
                sender, name32(name), addr, *proof, signer.address, number, deadline, self.world.now
            ),
        )

    @rule(batch=st.lists(st.tuples(names, owner_addresses, ids), max_size=3), sender=senders)
    def import_batch(self, batch, sender):
        records = [(name32(n), o, a, keccak(text=n) if a != ZERO else EMPTY) for n, o, a in batch]
        before = vars(self.model).copy()
        saved = {key: value.copy() if isinstance(value, (dict, set)) else value for key, value in before.items()}

        def expected():
            self.model.only_registrar(sender)
            if not self.model.is_importing:
                raise Refused("import closed")
            try:
                for name, owner, addr, proof in records:
                    if owner == DEAD and addr == ZERO:
                        self.model.check_new(name, FOUNDER, jami_id("nobody"))
                        self.model.owners[name] = DEAD
                        self.model.append(4, name, DEAD, ZERO, EMPTY)
                    else:
                        self.model.store(name, owner, addr, proof)
            except Refused:
                vars(self.model).update(saved)
                raise

        self.both(lambda: self.logic.importBatch(records, by=sender), expected)

    @rule(action=st.sampled_from(["mode", "import", "registrar"]), on=st.booleans(), times=st.integers(0, 2))
    def configure(self, action, on, times):
        # Mostly back to what lets names be registered.
        on = on if times == 0 else action != "mode"
        target = REGISTRAR if action == "registrar" else ZERO

        def expected():
            if action == "mode":
                self.model.mode = int(on)
            elif action == "import":
                self.model.is_importing = on
            else:
                (self.model.registrars.add if on else self.model.registrars.discard)(REGISTRAR)

        self.both(lambda: self.logic.configure(tag(action), target, int(on), by=CHAIR), expected)

    @rule(name=good_names, rarely=st.integers(0, 3))
    def void(self, name, rarely):
        if rarely:
            return
        value = int.from_bytes(name32(name), "big")
        self.both(
            lambda: self.logic.configure(tag("void"), ZERO, value, by=CHAIR),
            lambda: self.model.void(name32(name)),
        )

    @rule(rarely=st.integers(0, 5))
    def new_logic(self, rarely):
        """The data outlives it; commitments bind the logic and die."""
        if rarely:
            return
        self.service.logic = self.world.deploy("JnsLogic", CHAIR, self.service.store.address)
        self.service.select(self.service.logic)

    @invariant()
    def the_storage_is_as_the_model(self):
        service, model = self.service, self.model
        for text in NAMES:
            name = name32(text)
            owner = service.address(keccak(tag("owner") + name))
            addr = service.address(keccak(tag("addr") + name))
            proof = service.word(keccak(tag("evidence") + name))
            assert owner == model.owners.get(name, ZERO)
            assert addr == model.addrs.get(name, ZERO)
            assert proof == model.evidence.get(name, EMPTY)
            assert service.uint(keccak(tag("nonce") + name)) == model.nonces.get(name, 0)
            if owner in (ZERO, DEAD):  # J1
                assert addr == ZERO and proof == EMPTY
            if owner == DEAD:
                self.tombstones.add(name)
            assert name not in self.tombstones or owner == DEAD  # J3
        for addr in IDS:  # J2, J4
            name = service.word(keccak(tag("reverse") + bytes(12) + bytes.fromhex(addr[2:])))
            assert name == model.reverse.get(addr, EMPTY)
            holders = [text for text in NAMES if model.addrs.get(name32(text)) == addr]
            assert [name32(text) for text in holders] == ([name] if name != EMPTY else [])
        assert service.journal == (model.seq, model.head)  # J5

    def teardown(self):
        if hasattr(self, "world"):
            self.world.compare_everything()


NamesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=50)
test_names = NamesMachine.TestCase
