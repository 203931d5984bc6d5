# pragma version 0.4.3
"""
@title Eternal storage
@license Apache-2.0
@notice Holds the data of the name service for ever. One contract, the logic, may write it; the owner chooses the logic.
@dev The storage layout is part of the interface, because clients prove values from it:
     slot 0 logic, 1 bool, 2 uint, 3 int, 4 address, 5 bytes32, 6 bytes, 7 string.
     The slot of a key is keccak256(mapping slot as 32 bytes ‖ key).
     There are no external calls, no transfer of ownership and no payable function.
"""

event LogicChanged:
    previous: indexed(address)
    current: indexed(address)

OWNER: immutable(address)

logic: public(address)
bool_of: HashMap[bytes32, bool]
uint_of: HashMap[bytes32, uint256]
int_of: HashMap[bytes32, int256]
address_of: HashMap[bytes32, address]
bytes32_of: HashMap[bytes32, bytes32]
bytes_of: HashMap[bytes32, Bytes[1024]]
string_of: HashMap[bytes32, String[256]]


@deploy
def __init__(initial_logic: address):
    """
    @notice Makes the deployer the owner.
    @param initial_logic The first contract that may write, or zero for none.
    """
    OWNER = msg.sender
    self.logic = initial_logic
    log LogicChanged(previous=empty(address), current=initial_logic)


@external
@view
def owner() -> address:
    """
    @notice The account that may choose the logic; it never changes.
    """
    return OWNER


@external
def setLogic(new_logic: address):
    """
    @notice Chooses the contract that may write. Only for the owner.
    @param new_logic The new logic, or zero to freeze the data.
    """
    assert msg.sender == OWNER, "not owner"
    log LogicChanged(previous=self.logic, current=new_logic)
    self.logic = new_logic


@internal
@view
def _only_logic():
    assert msg.sender == self.logic, "not logic"


@external
@view
def getBool(key: bytes32) -> bool:
    """
    @notice Reads a truth value; False when nothing was written.
    """
    return self.bool_of[key]


@external
def setBool(key: bytes32, val: bool):
    """
    @notice Writes a truth value. Only for the logic.
    """
    self._only_logic()
    self.bool_of[key] = val


@external
@view
def getUint(key: bytes32) -> uint256:
    """
    @notice Reads an unsigned integer; zero when nothing was written.
    """
    return self.uint_of[key]


@external
def setUint(key: bytes32, val: uint256):
    """
    @notice Writes an unsigned integer. Only for the logic.
    """
    self._only_logic()
    self.uint_of[key] = val


@external
@view
def getInt(key: bytes32) -> int256:
    """
    @notice Reads a signed integer; zero when nothing was written.
    """
    return self.int_of[key]


@external
def setInt(key: bytes32, val: int256):
    """
    @notice Writes a signed integer. Only for the logic.
    """
    self._only_logic()
    self.int_of[key] = val


@external
@view
def getAddress(key: bytes32) -> address:
    """
    @notice Reads an address; zero when nothing was written.
    """
    return self.address_of[key]


@external
def setAddress(key: bytes32, val: address):
    """
    @notice Writes an address. Only for the logic.
    """
    self._only_logic()
    self.address_of[key] = val


@external
@view
def getBytes32(key: bytes32) -> bytes32:
    """
    @notice Reads a word of 32 bytes; zero when nothing was written.
    """
    return self.bytes32_of[key]


@external
def setBytes32(key: bytes32, val: bytes32):
    """
    @notice Writes a word of 32 bytes. Only for the logic.
    """
    self._only_logic()
    self.bytes32_of[key] = val


@external
@view
def getBytes(key: bytes32) -> Bytes[1024]:
    """
    @notice Reads up to 1024 bytes; empty when nothing was written.
    """
    return self.bytes_of[key]


@external
def setBytes(key: bytes32, val: Bytes[1024]):
    """
    @notice Writes up to 1024 bytes. Only for the logic.
    """
    self._only_logic()
    self.bytes_of[key] = val


@external
@view
def getString(key: bytes32) -> String[256]:
    """
    @notice Reads a text of up to 256 bytes; empty when nothing was written.
    """
    return self.string_of[key]


@external
def setString(key: bytes32, val: String[256]):
    """
    @notice Writes a text of up to 256 bytes. Only for the logic.
    """
    self._only_logic()
    self.string_of[key] = val
