"""Blocks, executed by a real EVM (py-evm), and what a node answers about them: the library of the test nodes.

A chain keeps every block and every state for ever, so that reorganisations and old proofs cost nothing.
"""
import copy

import rlp
from eth.chains.base import MiningChain
from eth.consensus.context import ConsensusContext
from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS, ZERO_ADDRESS, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.exceptions import Revert
from eth.vm.spoof import SpoofTransaction
from eth_utils import ValidationError, keccak
from eth._utils.address import generate_contract_address
from trie import HexaryTrie

GAS_LIMIT = 30_000_000
BASE_FEE = 10**9
# What `eth_call` may use when the caller names no limit.
CALL_GAS = 50_000_000


class Reverted(Exception):
    """A call that the contract refused."""

    def __init__(self, output: bytes):
        super().__init__(revert_reason(output))
        self.output = output


class Failed(Exception):
    """A call that ended in another way than by returning or reverting."""


def revert_reason(output: bytes) -> str:
    """The text of `Error(string)`, or nothing."""
    if output[:4] != bytes.fromhex("08c379a0") or len(output) < 68:
        return ""
    length = int.from_bytes(output[36:68], "big")
    return output[68:68 + length].decode("utf-8", "replace")


def hexed(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def word(number: int) -> str:
    return hexed(number.to_bytes(32, "big"))


class Block:
    """A block with what was found when it was executed."""

    def __init__(self, header, transactions, receipts, computations, total_difficulty):
        self.header = header
        self.transactions = tuple(transactions)
        self.receipts = tuple(receipts)
        self.contracts = [
            generate_contract_address(t.sender, t.nonce) if t.to == CREATE_CONTRACT_ADDRESS else None
            for t in transactions
        ]
        self.total_difficulty = total_difficulty
        self.logs = list(self._logs())

    @property
    def number(self) -> int:
        return self.header.block_number

    @property
    def hash(self) -> bytes:
        return self.header.hash

    def gas_used(self, index: int) -> int:
        before = self.receipts[index - 1].gas_used if index else 0
        return self.receipts[index].gas_used - before

    def gas_price(self, index: int) -> int:
        transaction, base = self.transactions[index], self.header.base_fee_per_gas
        return min(transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas + base)

    def _logs(self):
        position = 0
        for index, (transaction, receipt) in enumerate(zip(self.transactions, self.receipts)):
            for log in receipt.logs:
                yield {
                    "address": hexed(log.address),
                    "topics": [word(topic) for topic in log.topics],
                    "data": hexed(log.data),
                    "blockNumber": hex(self.number),
                    "blockHash": hexed(self.hash),
                    "transactionHash": hexed(transaction.hash),
                    "transactionIndex": hex(index),
                    "logIndex": hex(position),
                    "removed": False,
                }
                position += 1


class Chain:
    """All blocks that a node knows, one canonical line of them, and their states.

    Not safe for several threads: the owner keeps a lock.
    """

    def __init__(self, vm_class, chain_id: int, funds: dict, genesis: dict):
        self.vm_class = vm_class
        self.chain_id = chain_id
        self.database = AtomicDB()
        kind = MiningChain.configure(
            "TestChain",
            vm_configuration=((0, vm_class),),
            consensus_context_class=ConsensusContext,
            chain_id=chain_id,
        )
        state = {
            address: {"balance": balance, "nonce": 0, "code": b"", "storage": {}} for address, balance in funds.items()
        }
        parameters = {
            "difficulty": 0, "extra_data": b"", "gas_limit": GAS_LIMIT, "coinbase": ZERO_ADDRESS, "nonce": b"\0" * 8,
            "mix_hash": ZERO_HASH32, "base_fee_per_gas": BASE_FEE,
        }
        self.machine = kind.from_genesis(self.database, parameters | genesis, state)
        header = self.machine.get_canonical_head()
        self.genesis = Block(header, (), (), (), header.difficulty)
        self.forget()

    def sibling(self) -> "Chain":
        """A chain with the same genesis that knows no other block yet.

        States are found by their hash, so siblings share the memory of them.
        """
        other = copy.copy(self)
        other.forget()
        return other

    def forget(self):
        """Keeps nothing but the genesis."""
        # All that are known, and those of the canonical line by their number.
        self.blocks = {self.genesis.hash: self.genesis}
        self.canonical = [self.genesis]
        # Where each transaction of the canonical line is.
        self.places = {}

    # Blocks

    @property
    def head(self) -> Block:
        return self.canonical[-1]

    def line(self, block: Block):
        """The block and its ancestors, newest first."""
        while True:
            yield block
            if block.number == 0:
                return
            block = self.blocks[block.header.parent_hash]

    def set_head(self, block: Block) -> tuple[list[Block], list[Block]]:
        """Makes this block the newest of the canonical line; the blocks that left it and that joined it."""
        joined = []
        for ancestor in self.line(block):
            if ancestor.number < len(self.canonical) and self.canonical[ancestor.number] is ancestor:
                break
            joined.append(ancestor)
        joined.reverse()
        first = joined[0].number if joined else block.number + 1
        left = self.canonical[first:]
        del self.canonical[first:]
        for gone in left:
            for transaction in gone.transactions:
                self.places.pop(transaction.hash, None)
        for new in joined:
            self.canonical.append(new)
            for index, transaction in enumerate(new.transactions):
                self.places[transaction.hash] = (new, index)
        return left, joined

    def build(self, parent: Block, fields: dict, transactions, finish=None) -> tuple[Block, list]:
        """Makes a block on `parent` of those transactions that can be executed there.

        `finish` changes the header before it is hashed for the last time: a seal. The block is not made canonical.
        Answers the block and the transactions that could not be executed, each with the reason.
        """
        header = self.vm_class.create_header_from_parent(
            parent.header, **({"gas_limit": parent.header.gas_limit} | fields)
        )
        machine = self._machine(header)
        machine.block_preprocessing(machine.get_block())
        done, receipts, computations, refused = [], [], [], []
        for transaction in transactions:
            if header.gas_used + transaction.gas > header.gas_limit:
                continue
            snapshot = machine.state.snapshot()
            try:
                receipt, computation = machine.apply_transaction(header, transaction)
            except ValidationError as error:
                machine.state.revert(snapshot)
                refused.append((transaction, str(error)))
                continue
            header = machine.add_receipt_to_header(header, receipt)
            header = machine.increment_blob_gas_used(header, transaction)
            done.append(transaction)
            receipts.append(receipt)
            computations.append(computation)
        filled = machine.set_block_transactions_and_withdrawals(machine.get_block(), header, tuple(done), receipts)
        final = machine.finalize_block(machine.block_postprocessing(filled)).block.header
        if finish is not None:
            final = finish(final)
        block = Block(final, done, receipts, computations, parent.total_difficulty + final.difficulty)
        self.add(block)
        # For BLOCKHASH.
        self.database[block.hash] = rlp.encode(block.header)
        return block, refused

    def add(self, block: Block):
        """Knows a block from now on; its parent is known."""
        self.blocks[block.hash] = block

    def _machine(self, header):
        return self.vm_class(header, self.machine.chaindb, self.machine, self.machine.consensus_context)

    # States

    def state(self, block: Block):
        """The state after a block."""
        return self._state(block.header)

    def _state(self, header):
        hashes = self.vm_class.get_prev_hashes(header.parent_hash, self.machine.chaindb)
        return self.vm_class.build_state(self.database, header, self.machine, hashes)

    def decode_transaction(self, data: bytes):
        return self.vm_class.get_transaction_builder().decode(data)

    def execute(self, block: Block, sender: bytes, to: bytes, data: bytes, value: int, gas: int):
        """Executes a message after a block and forgets what it did; the computation and the gas that it used."""
        # As if the base fee were zero, so that nobody needs money to ask.
        state = self._state(block.header.copy(base_fee_per_gas=0))
        unsigned = self.vm_class.create_unsigned_transaction(
            nonce=state.get_nonce(sender), gas_price=0, gas=gas, to=to, value=value, data=data
        )
        if unsigned.intrinsic_gas > gas:
            raise Failed("intrinsic gas too low")
        if value > state.get_balance(sender):
            raise Failed("insufficient funds for transfer")
        transaction = SpoofTransaction(unsigned, from_=sender)
        computation = state.apply_transaction(transaction)
        return computation, self.vm_class.finalize_gas_used(transaction, computation)

    def call(self, block: Block, sender: bytes, to: bytes, data: bytes, value: int, gas: int | None) -> bytes:
        computation, _ = self.execute(block, sender, to, data, value, min(gas or CALL_GAS, CALL_GAS))
        raise_failure(computation)
        return computation.output

    def estimate(self, block: Block, sender: bytes, to: bytes, data: bytes, value: int, gas: int | None) -> int:
        """The least gas limit, within 1.5 %, with which this succeeds."""
        high = min(gas or block.header.gas_limit, block.header.gas_limit)
        computation, used = self.execute(block, sender, to, data, value, high)
        raise_failure(computation)

        def succeeds(limit):
            try:
                return not self.execute(block, sender, to, data, value, limit)[0].is_error
            except Failed:
                return False

        if succeeds(used):
            return used
        low = used
        # Callers keep a 64th, refunds come at the end: this is nearly always enough.
        guess = (used + computation.get_gas_refund()) * 64 // 63 + 2_300
        if guess < high and succeeds(guess):
            high = guess
        while high - low > high // 64:
            middle = (low + high) // 2
            if succeeds(middle):
                high = middle
            else:
                low = middle
        return high

    # Proofs

    def proof(self, block: Block, address: bytes, keys: list[str]) -> dict:
        """The answer of `eth_getProof`, in the form that go-ethereum gives it."""
        account, nodes = self._prove(block.header.state_root, keccak(address))
        nonce, balance, root, code_hash = (
            rlp.decode(account) if account else (b"", b"", BLANK_ROOT_HASH, keccak(b""))
        )
        slots = []
        for text in keys:
            key = int(text, 16)
            found, path = self._prove(root, keccak(key.to_bytes(32, "big")))
            slots.append({
                # A key of full length comes back as it was, another one in its shortest form.
                "key": text if len(text) == 66 else hex(key),
                "value": hex(int.from_bytes(rlp.decode(found), "big")) if found else "0x0",
                "proof": path,
            })
        return {
            "address": hexed(address),
            "accountProof": nodes,
            "balance": hex(int.from_bytes(balance, "big")),
            "codeHash": hexed(code_hash),
            "nonce": hex(int.from_bytes(nonce, "big")),
            "storageHash": hexed(root),
            "storageProof": slots,
        }

    def _prove(self, root: bytes, key: bytes) -> tuple[bytes, list[str]]:
        if root == BLANK_ROOT_HASH:
            return b"", []
        trie = HexaryTrie(self.database, root)
        nodes = [rlp.encode(node) for node in trie.get_proof(key)]
        # py-trie lists nodes below 32 bytes, which are part of their parents, once more.
        return trie.get(key), [hexed(node) for place, node in enumerate(nodes) if place == 0 or len(node) >= 32]


def raise_failure(computation):
    if not computation.is_error:
        return
    if isinstance(computation.error, Revert):
        raise Reverted(computation.output)
    raise Failed(str(computation.error) or type(computation.error).__name__)
