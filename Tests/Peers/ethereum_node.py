#!/usr/bin/env python3
"""A node of a test network with one block maker and a real EVM, over JSON-RPC.

    ethereum_node.py [--port 0] [--host 127.0.0.1] [--chain-id 1551] [--fork prague|cancun|london] [--accounts 10]
                     [--finality-depth 2] [--interval SECONDS] [--no-automine]

stdout, one line when it is ready:
    {"event": "ready", "port": …, "url": …, "chainId": 1551, "keys": ["0x…", …], "addresses": ["0x…", …]}

Each transaction is mined at once in a block of its own (`--no-automine`: only by test_mine or every `--interval`).
`finalized` is the block that many blocks below the newest, `safe` half as many. A block has the time of its making;
several in a second have the same time, so that time never runs ahead, however fast blocks are made.

Beside the methods of Ethereum there are, with parameters in order or by name:
    test_mine(count=1)                     makes blocks
    test_setTime(timestamp)                the clock stands no more: from now on it is `timestamp`
    test_advanceTime(seconds)              the clock jumps
    test_automine(on), test_interval(seconds or 0)
    test_stall(on)                         transactions are taken, no block is made by any means but test_mine
    test_finality(depth)
    test_reorg(depth, blocks=depth+1, transactions="pool"|"drop"|"mine")
                                           the newest `depth` blocks are replaced; what was in them goes back to the
                                           pool, is forgotten, or is mined again in the new blocks
    test_fund(address, wei)                sends money from a rich account
    test_fail(kind, methods, count, …), test_delay(seconds, methods), test_heal()     see Faults
    test_pool(), test_dropPool(), test_requests(), test_header(tag)

All methods can also be asked for by lines of stdin, {"id": 1, "method": "test_mine", "params": [3]}; the answers are lines
of stdout, {"id": 1, "result": …} or {"id": 1, "error": "text"}. The node ends with the program that started it.
"""
import argparse
import threading
import time

from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.london import LondonVM
from eth.vm.forks.prague import PragueVM
from eth.consensus.pos import PosConsensus

from ethereum_rpc import Node, account, accounts, data, described, quantity, run_until_orphaned, say, serve
from evm_chain import BASE_FEE, Chain

FORKS = {
    "prague": PragueVM,
    "cancun": CancunVM,
    "london": LondonVM.configure(consensus_class=PosConsensus, get_block_reward=staticmethod(int)),
}
WEI = 10**24
FAUCET = account("apus test faucet")


class SingleNode(Node):
    def __init__(self, chain: Chain, finality_depth: int, is_automining: bool, interval: float):
        super().__init__(chain)
        self.finality_depth = finality_depth
        self.is_automining = is_automining
        self.interval = interval
        self.is_stalled = False
        self.clock_offset = 0.0
        # Makes blocks of otherwise equal content differ.
        self.salt = 0
        self.wake = threading.Event()

    def now(self) -> int:
        return int(time.time() + self.clock_offset)

    def accepted(self, transaction):
        if self.is_automining and not self.is_stalled:
            self.mine()

    def final_number(self, tag: str) -> int:
        depth = self.finality_depth if tag == "finalized" else self.finality_depth // 2
        return max(0, self.chain.head.number - depth)

    def mine(self, transactions=None):
        head, chain = self.chain.head, self.chain
        following = chain.vm_class.create_header_from_parent(head.header)
        state = chain.state(head)
        if transactions is None:
            transactions = self.pool.executable(state, following.base_fee_per_gas)
        fields = {
            "timestamp": max(self.now(), head.header.timestamp),
            "difficulty": 0,
            "coinbase": b"\x42" * 20,
            "extra_data": b"test" + self.salt.to_bytes(4, "big"),
        }
        block, _ = chain.build(head, fields, transactions)
        chain.set_head(block)
        self.pool.drop_mined(chain.state(block))
        return block

    def run(self):
        """Makes blocks by the clock."""
        while True:
            self.wake.wait(self.interval or None)
            self.wake.clear()
            with self.lock:
                if self.interval and not self.is_stalled:
                    self.mine()

    def mine_pool(self):
        while not self.is_stalled and self.pool.all():
            if not self.mine().transactions:
                return

    # Controls

    def test_mine(self, count=1):
        for _ in range(quantity(count) if isinstance(count, str) else count):
            self.mine()
        return self.eth_blockNumber()

    def test_setTime(self, timestamp):
        self.clock_offset = timestamp - time.time()
        return self.now()

    def test_advanceTime(self, seconds):
        self.clock_offset += seconds
        return self.now()

    def test_automine(self, on):
        self.is_automining = bool(on)
        if on:
            self.mine_pool()
        return True

    def test_interval(self, seconds):
        self.interval = float(seconds)
        self.wake.set()
        return True

    def test_stall(self, on=True):
        self.is_stalled = bool(on)
        if not on and self.is_automining:
            self.mine_pool()
        return True

    def test_finality(self, depth):
        self.finality_depth = int(depth)
        return True

    def test_reorg(self, depth, blocks=None, transactions="pool"):
        chain = self.chain
        if not 0 < depth <= chain.head.number:
            raise ValueError(f"the chain has {chain.head.number} blocks")
        count = depth + 1 if blocks is None else blocks
        self.salt += 1
        left, _ = chain.set_head(chain.canonical[chain.head.number - depth])
        old = [transaction for block in left for transaction in block.transactions]
        if transactions == "pool":
            for transaction in old:
                self.pool.waiting.setdefault(transaction.sender, {}).setdefault(transaction.nonce, transaction)
        for index in range(count):
            self.mine(old if transactions == "mine" and index == 0 else [])
        return self.eth_blockNumber()

    def test_fund(self, address, wei=WEI):
        amount = quantity(wei) if isinstance(wei, str) else int(wei)
        sender = FAUCET.public_key.to_canonical_address()
        nonce = self.pool.next_nonce(sender, self.chain.state(self.chain.head).get_nonce(sender))
        unsigned = self.chain.vm_class.create_unsigned_transaction(
            nonce=nonce, gas_price=100 * BASE_FEE, gas=50_000, to=data(address, 20), value=amount, data=b""
        )
        transaction = unsigned.as_signed_transaction(FAUCET, chain_id=self.chain.chain_id)
        self.admit(transaction, sender)
        self.accepted(transaction)
        return "0x" + transaction.hash.hex()


def main():
    parser = argparse.ArgumentParser(description="A test node of Ethereum with a real EVM.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--chain-id", type=int, default=1551)
    parser.add_argument("--fork", choices=FORKS, default="prague")
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--finality-depth", type=int, default=2)
    parser.add_argument("--interval", type=float, default=0)
    parser.add_argument("--no-automine", action="store_true")
    options = parser.parse_args()

    keys = accounts(options.accounts)
    funds = {key.public_key.to_canonical_address(): WEI for key in keys}
    funds[FAUCET.public_key.to_canonical_address()] = WEI * 10**6
    chain = Chain(FORKS[options.fork], options.chain_id, funds, {"timestamp": int(time.time())})
    node = SingleNode(chain, options.finality_depth, not options.no_automine, options.interval)
    threading.Thread(target=node.run, daemon=True).start()
    port = serve(node, options.host, options.port).server_address[1]
    say(event="ready", port=port, url=f"http://{options.host}:{port}", chainId=options.chain_id, **described(keys))
    run_until_orphaned(lambda request: node)


if __name__ == "__main__":
    main()
