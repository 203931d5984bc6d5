# pragma version 0.4.3
"""
@title Jami Name Service logic
@license Apache-2.0
@notice The rules by which names are registered, moved and released. Names neither expire nor come back.
@dev Holds no state: all data is in the store, under keys that outlive this contract (names protocol, "Contracts").
     Registrars check the RSA evidence before they call; here only its digest is stored, and clients check it again.
     Every operation extends a hash chain, so that one proved value stands for the whole ordered list.
"""

interface Storage:
    def getBool(key: bytes32) -> bool: view
    def setBool(key: bytes32, val: bool): nonpayable
    def getUint(key: bytes32) -> uint256: view
    def setUint(key: bytes32, val: uint256): nonpayable
    def getAddress(key: bytes32) -> address: view
    def setAddress(key: bytes32, val: address): nonpayable
    def getBytes32(key: bytes32) -> bytes32: view
    def setBytes32(key: bytes32, val: bytes32): nonpayable


event Registered:
    name: indexed(bytes32)
    addr: indexed(address)
    owner: indexed(address)
    seq: uint256
    publicKey: Bytes[1024]
    signature: Bytes[1024]


event Imported:
    name: indexed(bytes32)
    addr: indexed(address)
    owner: indexed(address)
    seq: uint256
    evidence: bytes32


event AddressChanged:
    name: indexed(bytes32)
    addr: indexed(address)
    previous: indexed(address)
    seq: uint256
    publicKey: Bytes[1024]
    signature: Bytes[1024]


event Transferred:
    name: indexed(bytes32)
    previous: indexed(address)
    owner: indexed(address)
    seq: uint256


event Released:
    name: indexed(bytes32)
    seq: uint256


event Configured:
    action: indexed(bytes32)
    target: indexed(address)
    val: uint256


event Committed:
    commitment: indexed(bytes32)


# The owner of a released name; such a name never changes again.
TOMBSTONE: constant(address) = 0x000000000000000000000000000000000000dEaD

# Where the data is in the store.
TAG_OWNER: constant(bytes32) = keccak256("jns.v1.owner")
TAG_ADDR: constant(bytes32) = keccak256("jns.v1.addr")
TAG_EVIDENCE: constant(bytes32) = keccak256("jns.v1.evidence")
TAG_REVERSE: constant(bytes32) = keccak256("jns.v1.reverse")
TAG_NONCE: constant(bytes32) = keccak256("jns.v1.nonce")
TAG_REGISTRAR: constant(bytes32) = keccak256("jns.v1.registrar")
TAG_COMMIT: constant(bytes32) = keccak256("jns.v1.commit")
KEY_SEQ: constant(bytes32) = keccak256("jns.v1.seq")
KEY_JOURNAL: constant(bytes32) = keccak256("jns.v1.journal")
KEY_MODE: constant(bytes32) = keccak256("jns.v1.mode")
KEY_IMPORT: constant(bytes32) = keccak256("jns.v1.import")
# An action of `configure` that has no key.
ACTION_VOID: constant(bytes32) = keccak256("jns.v1.void")

MODE_DIRECT: constant(uint256) = 0
MODE_COMMIT: constant(uint256) = 1

# Operations in the journal.
OP_REGISTER: constant(uint256) = 1
OP_ADDRESS: constant(uint256) = 2
OP_TRANSFER: constant(uint256) = 3
OP_RELEASE: constant(uint256) = 4

# The age in seconds at which a commitment can be revealed.
MIN_AGE: constant(uint256) = 60
MAX_AGE: constant(uint256) = 86_400

MIN_NAME: constant(uint256) = 3
MAX_BATCH: constant(uint256) = 128

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME: constant(bytes32) = keccak256("Jami Name Service")
DOMAIN_VERSION: constant(bytes32) = keccak256("1")
TRANSFER_TYPE: constant(bytes32) = keccak256(
    "Transfer(bytes32 name,address newOwner,uint256 nonce,uint256 deadline)"
)
RELEASE_TYPE: constant(bytes32) = keccak256("Release(bytes32 name,uint256 nonce,uint256 deadline)")
SET_ADDRESS_TYPE: constant(bytes32) = keccak256(
    "SetAddress(bytes32 name,address addr,bytes32 evidence,uint256 nonce,uint256 deadline)"
)
# Half of the order of secp256k1: a larger s has a smaller twin.
MAX_S: constant(uint256) = 57896044618658097711785492504343953926418782139537452191302581570759080747168

struct Record:
    name: bytes32
    owner: address
    addr: address
    evidence: bytes32


COUNCIL: public(immutable(address))
STORE: public(immutable(Storage))


@deploy
def __init__(council: address, store: address):
    """
    @param council The contract that may configure this one.
    @param store The storage that holds the data; its logic has to be this contract before anything can be written.
    """
    COUNCIL = council
    STORE = Storage(store)


@external
@view
def owner(name: bytes32) -> address:
    """
    @notice The account that governs a name: zero if it is free, 0x…dEaD if it was released.
    """
    return self._owner(name)


@external
@view
def addr(name: bytes32) -> address:
    """
    @notice The Jami ID that a name stands for, or zero.
    """
    return staticcall STORE.getAddress(self._key(TAG_ADDR, name))


@external
@view
def name(a: address) -> bytes32:
    """
    @notice The name of a Jami ID, or zero.
    """
    return staticcall STORE.getBytes32(self._address_key(TAG_REVERSE, a))


@external
@view
def evidence(name: bytes32) -> bytes32:
    """
    @notice keccak256(keccak256(public key) ‖ keccak256(signature)), or zero for a name without evidence.
    """
    return staticcall STORE.getBytes32(self._key(TAG_EVIDENCE, name))


@external
@view
def nonce(name: bytes32) -> uint256:
    """
    @notice What the next signature of the name's owner has to contain.
    """
    return staticcall STORE.getUint(self._key(TAG_NONCE, name))


@external
@pure
def isValidName(name: bytes32) -> bool:
    """
    @notice Whether this is 3 to 32 bytes of a–z, 0–9, "-" and "_", followed by zeros only.
    """
    return self._is_valid(name)


@external
@view
def domainSeparator() -> bytes32:
    """
    @notice The EIP-712 domain of the owners' signatures.
    """
    return self._domain()


@external
@view
def commitmentOf(
    name: bytes32, owner: address, addr: address, pk: Bytes[1024], sig: Bytes[1024], secret: bytes32
) -> bytes32:
    """
    @notice The commitment for a later `reveal` with the same arguments.
    """
    return self._commitment(name, owner, addr, pk, sig, secret)


@external
@nonreentrant
def registerFor(name: bytes32, owner: address, addr: address, pk: Bytes[1024], sig: Bytes[1024]):
    """
    @notice Registers a free name. Only for registrars, while no commitment is required.
    @param name The name in ASCII, left-aligned.
    @param owner The account that will govern it.
    @param addr The Jami ID.
    @param pk The DER public key whose SHA-1 is `addr`.
    @param sig The signature of the name; empty with an empty key for a name without evidence.
    """
    self._only_registrar()
    assert staticcall STORE.getUint(KEY_MODE) == MODE_DIRECT, "commit required"
    self._register(name, owner, addr, pk, sig)


@external
@nonreentrant
def commit(commitment: bytes32):
    """
    @notice Announces a registration without telling the name. For anyone.
    """
    key: bytes32 = self._key(TAG_COMMIT, commitment)
    made: uint256 = staticcall STORE.getUint(key)
    assert made == 0 or made + MAX_AGE < block.timestamp, "pending"
    extcall STORE.setUint(key, block.timestamp)
    log Committed(commitment=commitment)


@external
@nonreentrant
def reveal(name: bytes32, owner: address, addr: address, pk: Bytes[1024], sig: Bytes[1024], secret: bytes32):
    """
    @notice Registers a free name that was committed to between one minute and one day ago. Only for registrars.
    @param secret What made the commitment unguessable; the others are as in `registerFor`.
    """
    self._only_registrar()
    key: bytes32 = self._key(TAG_COMMIT, self._commitment(name, owner, addr, pk, sig, secret))
    made: uint256 = staticcall STORE.getUint(key)
    assert made != 0, "no commitment"
    assert made + MIN_AGE <= block.timestamp, "commitment too young"
    assert block.timestamp <= made + MAX_AGE, "commitment too old"
    extcall STORE.setUint(key, 0)
    self._register(name, owner, addr, pk, sig)


@external
@nonreentrant
def transfer(name: bytes32, newOwner: address):
    """
    @notice Gives a name to another owner. Only for its owner.
    """
    assert self._owner(name) == msg.sender, "not owner"
    self._transfer(name, msg.sender, newOwner)


@external
@nonreentrant
def transferBySig(name: bytes32, newOwner: address, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice As `transfer`, for anyone who holds the owner's EIP-712 signature of `Transfer`.
    @param deadline The last second of the signature.
    """
    previous: address = self._owner(name)
    content: bytes32 = keccak256(abi_encode(TRANSFER_TYPE, name, newOwner, self._nonce(name), deadline))
    self._authorize(name, previous, content, deadline, v, r, s)
    self._transfer(name, previous, newOwner)


@external
@nonreentrant
def release(name: bytes32):
    """
    @notice Gives a name up for ever and frees its address for another name. Only for its owner.
    """
    assert self._owner(name) == msg.sender, "not owner"
    self._release(name)


@external
@nonreentrant
def releaseBySig(name: bytes32, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @notice As `release`, for anyone who holds the owner's EIP-712 signature of `Release`.
    @param deadline The last second of the signature.
    """
    content: bytes32 = keccak256(abi_encode(RELEASE_TYPE, name, self._nonce(name), deadline))
    self._authorize(name, self._owner(name), content, deadline, v, r, s)
    self._release(name)


@external
@nonreentrant
def setAddressFor(
    name: bytes32,
    addr: address,
    pk: Bytes[1024],
    sig: Bytes[1024],
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Points a name to another Jami ID. Only for registrars, who check the evidence, with the owner's EIP-712
            signature of `SetAddress`.
    @param addr The new Jami ID, which must have no name.
    @param pk The DER public key whose SHA-1 is `addr`.
    @param sig The signature of the name.
    @param deadline The last second of the owner's signature.
    """
    self._only_registrar()
    assert addr != empty(address), "addr"
    digest: bytes32 = self._digest(pk, sig)
    assert digest != empty(bytes32), "evidence"
    name_owner: address = self._owner(name)
    content: bytes32 = keccak256(abi_encode(SET_ADDRESS_TYPE, name, addr, digest, self._nonce(name), deadline))
    self._authorize(name, name_owner, content, deadline, v, r, s)
    self._only_free_address(addr)
    previous: address = staticcall STORE.getAddress(self._key(TAG_ADDR, name))
    extcall STORE.setBytes32(self._address_key(TAG_REVERSE, previous), empty(bytes32))
    extcall STORE.setBytes32(self._address_key(TAG_REVERSE, addr), name)
    extcall STORE.setAddress(self._key(TAG_ADDR, name), addr)
    extcall STORE.setBytes32(self._key(TAG_EVIDENCE, name), digest)
    seq: uint256 = self._append(OP_ADDRESS, name, name_owner, addr, digest)
    log AddressChanged(name=name, addr=addr, previous=previous, seq=seq, publicKey=pk, signature=sig)


@external
@nonreentrant
def importBatch(records: DynArray[Record, MAX_BATCH]):
    """
    @notice Registers names from another store, all or none. Only for registrars, while the import is open.
    @dev A released name is imported as released: owner 0x…dEaD, the rest zero.
    @param records Up to 128 of name, owner, Jami ID and evidence digest.
    """
    self._only_registrar()
    assert staticcall STORE.getUint(KEY_IMPORT) != 0, "import closed"
    for record: Record in records:
        if record.owner == TOMBSTONE and record.addr == empty(address):
            assert self._is_valid(record.name), "invalid name"
            assert self._owner(record.name) == empty(address), "taken"
            assert record.evidence == empty(bytes32), "evidence"
            extcall STORE.setAddress(self._key(TAG_OWNER, record.name), TOMBSTONE)
            self._append_release(record.name)
        else:
            seq: uint256 = self._store(record.name, record.owner, record.addr, record.evidence)
            log Imported(
                name=record.name, addr=record.addr, owner=record.owner, seq=seq, evidence=record.evidence
            )


@external
@nonreentrant
def configure(action: bytes32, target: address, val: uint256):
    """
    @notice Changes how the service works. Only for the council.
    @param action keccak256 of "jns.v1.registrar": `target` is a registrar if `val` is not zero.
                  "jns.v1.mode": `val` 0 admits direct registrations, 1 requires commitments.
                  "jns.v1.import": the import is open if `val` is not zero.
                  "jns.v1.void": releases the name whose 32 bytes are `val`, after a decision on fraud; `target` is
                  zero.
    """
    assert msg.sender == COUNCIL, "not council"
    if action == TAG_REGISTRAR:
        extcall STORE.setBool(self._address_key(TAG_REGISTRAR, target), val != 0)
    elif action == ACTION_VOID:
        name: bytes32 = convert(val, bytes32)
        name_owner: address = self._owner(name)
        assert target == empty(address), "target"
        assert name_owner != empty(address), "not registered"
        assert name_owner != TOMBSTONE, "released"
        self._release(name)
    else:
        assert action == KEY_MODE or action == KEY_IMPORT, "action"
        assert val <= MODE_COMMIT or action != KEY_MODE, "mode"
        extcall STORE.setUint(action, val)
    log Configured(action=action, target=target, val=val)


@internal
@view
def _only_registrar():
    assert staticcall STORE.getBool(self._address_key(TAG_REGISTRAR, msg.sender)), "not registrar"


@internal
@view
def _only_free_address(addr: address):
    assert staticcall STORE.getBytes32(self._address_key(TAG_REVERSE, addr)) == empty(bytes32), "addr taken"


@internal
@pure
def _key(tag: bytes32, suffix: bytes32) -> bytes32:
    return keccak256(concat(tag, suffix))


@internal
@pure
def _address_key(tag: bytes32, account: address) -> bytes32:
    return keccak256(concat(tag, convert(account, bytes32)))


@internal
@view
def _owner(name: bytes32) -> address:
    return staticcall STORE.getAddress(self._key(TAG_OWNER, name))


@internal
@view
def _nonce(name: bytes32) -> uint256:
    return staticcall STORE.getUint(self._key(TAG_NONCE, name))


@internal
@view
def _commitment(
    name: bytes32, owner: address, addr: address, pk: Bytes[1024], sig: Bytes[1024], secret: bytes32
) -> bytes32:
    return keccak256(abi_encode(chain.id, self, name, owner, addr, keccak256(pk), keccak256(sig), secret))


@internal
@pure
def _digest(pk: Bytes[1024], sig: Bytes[1024]) -> bytes32:
    if len(pk) == 0 and len(sig) == 0:
        return empty(bytes32)
    assert len(pk) != 0 and len(sig) != 0, "evidence"
    return keccak256(concat(keccak256(pk), keccak256(sig)))


@internal
@pure
def _is_valid(name: bytes32) -> bool:
    n: uint256 = convert(name, uint256)
    length: uint256 = 0
    ended: bool = False
    for i: uint256 in range(32):
        c: uint256 = (n >> (248 - 8 * i)) & 255
        if c == 0:
            ended = True
        else:
            if ended:
                return False
            if not ((c >= 97 and c <= 122) or (c >= 48 and c <= 57) or c == 45 or c == 95):
                return False
            length += 1
    return length >= MIN_NAME


@internal
def _register(name: bytes32, owner: address, addr: address, pk: Bytes[1024], sig: Bytes[1024]):
    seq: uint256 = self._store(name, owner, addr, self._digest(pk, sig))
    log Registered(name=name, addr=addr, owner=owner, seq=seq, publicKey=pk, signature=sig)


@internal
def _store(name: bytes32, owner: address, addr: address, digest: bytes32) -> uint256:
    assert self._is_valid(name), "invalid name"
    assert owner != empty(address) and owner != TOMBSTONE, "owner"
    assert addr != empty(address), "addr"
    owner_key: bytes32 = self._key(TAG_OWNER, name)
    assert staticcall STORE.getAddress(owner_key) == empty(address), "taken"
    reverse_key: bytes32 = self._address_key(TAG_REVERSE, addr)
    assert staticcall STORE.getBytes32(reverse_key) == empty(bytes32), "addr taken"
    extcall STORE.setAddress(owner_key, owner)
    extcall STORE.setAddress(self._key(TAG_ADDR, name), addr)
    extcall STORE.setBytes32(reverse_key, name)
    if digest != empty(bytes32):
        extcall STORE.setBytes32(self._key(TAG_EVIDENCE, name), digest)
    return self._append(OP_REGISTER, name, owner, addr, digest)


@internal
def _transfer(name: bytes32, previous: address, newOwner: address):
    assert newOwner != empty(address) and newOwner != TOMBSTONE, "owner"
    extcall STORE.setAddress(self._key(TAG_OWNER, name), newOwner)
    seq: uint256 = self._append(OP_TRANSFER, name, newOwner, empty(address), empty(bytes32))
    log Transferred(name=name, previous=previous, owner=newOwner, seq=seq)


@internal
def _release(name: bytes32):
    addr_key: bytes32 = self._key(TAG_ADDR, name)
    reverse_key: bytes32 = self._address_key(TAG_REVERSE, staticcall STORE.getAddress(addr_key))
    extcall STORE.setBytes32(reverse_key, empty(bytes32))
    extcall STORE.setAddress(self._key(TAG_OWNER, name), TOMBSTONE)
    extcall STORE.setAddress(addr_key, empty(address))
    extcall STORE.setBytes32(self._key(TAG_EVIDENCE, name), empty(bytes32))
    self._append_release(name)


@internal
def _append_release(name: bytes32):
    seq: uint256 = self._append(OP_RELEASE, name, TOMBSTONE, empty(address), empty(bytes32))
    log Released(name=name, seq=seq)


@internal
def _append(op: uint256, name: bytes32, owner: address, addr: address, digest: bytes32) -> uint256:
    seq: uint256 = staticcall STORE.getUint(KEY_SEQ) + 1
    extcall STORE.setUint(KEY_SEQ, seq)
    operation: bytes32 = keccak256(abi_encode(seq, op, name, owner, addr, digest))
    head: bytes32 = staticcall STORE.getBytes32(KEY_JOURNAL)
    extcall STORE.setBytes32(KEY_JOURNAL, keccak256(concat(head, operation)))
    return seq


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION, chain.id, self))


@internal
def _authorize(name: bytes32, signer: address, content: bytes32, deadline: uint256, v: uint8, r: bytes32, s: bytes32):
    """
    @dev Accepts a signature of the owner once. The recovered account is zero for a signature that is none, and a free
         name's owner is zero too.
    """
    assert block.timestamp <= deadline, "deadline"
    assert convert(s, uint256) <= MAX_S, "malleable"
    recovered: address = ecrecover(keccak256(concat(x"1901", self._domain(), content)), v, r, s)
    assert recovered != empty(address) and recovered == signer, "not owner"
    extcall STORE.setUint(self._key(TAG_NONCE, name), self._nonce(name) + 1)
