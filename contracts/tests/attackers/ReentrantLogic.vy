# pragma version 0.4.3
# A logic that, when it is configured, tries to use the council once more.

council: public(address)
call_data: public(Bytes[1024])
succeeded: public(bool)
answered: public(Bytes[128])


@deploy
def __init__(council: address):
    self.council = council


@external
def prepare(call_data: Bytes[1024]):
    self.call_data = call_data


@external
def configure(action: bytes32, target: address, val: uint256):
    self.succeeded, self.answered = raw_call(self.council, self.call_data, max_outsize=128, revert_on_failure=False)
