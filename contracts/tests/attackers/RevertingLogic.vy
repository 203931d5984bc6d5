# pragma version 0.4.3
# A logic that can never be configured.


@external
def configure(action: bytes32, target: address, val: uint256):
    raise "never"
