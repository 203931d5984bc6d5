#!/usr/bin/env python3
"""A Clique network (EIP-225) of several signers in one process, each with a JSON-RPC port of its own, over which a test
has full power. The rules are those of London.

    clique_network.py [--signers 5] [--host 127.0.0.1] [--chain-id 1551] [--interval 0.2] [--period 0]
                      [--epoch 30000] [--accounts 10] [--finalized none|seals] [--paused] [--signer-phrase TEXT]

stdout, one line when it is ready:
    {"event": "ready", "control": port, "chainId": 1551, "genesis": "0x<header>", "keys": […], "addresses": […],
     "nodes": [{"index": 0, "port": …, "url": …, "signer": "0x…"}, …]}
Signers are in the order of their addresses, so that signer `number % count` is in turn. Their keys come from
`--signer-phrase`: networks that differ in nothing else have the same contracts at the same addresses.

Time. Every `--interval` seconds, one signer of each connected part of the network seals a block, be it empty: the one in
turn if it can, else any other; none if every signer there has sealed one of the last count/2 blocks. `--period` is what
the network demands between the timestamps of a block and its parent. Its default 0 is allowed by EIP-225 and lets a fast
network keep true time: a block has the time of its making, equal to its parent's within the same second. With a period
of p seconds and shorter intervals, timestamps run ahead of the clock by p seconds for each block.

Nodes accept a block only from a member that sealed none of the last count/2 blocks, with the right difficulty; the line
with the most difficulty is canonical, the first seen if there are several. Nodes share the memory of states (equal
blocks give equal states), nothing else: a wiped node knows its genesis only. `finalized` and `safe` are not found, as on
any Clique network, or with `--finalized seals` the newest block which, with its descendants, has seals of
2·count/3 + 1 signers.

The control port takes JSON-RPC too; `signers` is a list of indices, all of them when it is absent:
    clique_stop(signers), clique_start(signers)   the process: port closed, no blocks; what it knew it still knows
    clique_sealing(signers, on)                   a running node that makes no blocks
    clique_partition(groups)                      lists of indices; a signer in two groups runs twice, with the same
                                                  key: answers where, [{"index", "group", "port", "url"}, …]
    clique_heal()                                 everybody is connected again, doubles are gone
    clique_equivocate(signer)                     two blocks of one height, each sent to half of the others; both headers
    clique_wipe(signers), clique_dropPools(signers)
    clique_pause(on), clique_step(count)          no blocks by the clock; so many rounds now
    clique_interval(seconds), clique_advanceTime(seconds)
    clique_status()                               what each node has: head, difficulty, waiting, is running
Each node's own port also takes test_fail, test_delay, test_heal, test_requests, test_pool, test_dropPool, test_header.

Everything can also be asked for by lines of stdin, {"id": 1, "method": "clique_stop", "params": [[3, 4]]}, with "node": 0
to ask that node; the answers are lines of stdout, {"id": 1, "result": …} or {"id": 1, "error": "text"}.
The network ends with the program that started it.
"""
import argparse
import random
import threading
import time

import rlp
from eth.consensus.clique._utils import get_block_signer, sign_block_header
from eth.consensus.clique.constants import NONCE_DROP
from eth.consensus.pos import PosConsensus
from eth.constants import ZERO_ADDRESS
from eth.vm.forks.london import LondonVM
from eth_utils import ValidationError

from ethereum_node import WEI
from ethereum_rpc import Node, RPCError, account, accounts, described, hexed, run_until_orphaned, say, serve
from evm_chain import Block, Chain

SEAL = 65
VANITY = 32


class FeesToSigner(PosConsensus):
    """The fee recipient of a block is who sealed it, which is not yet readable while it is being executed."""

    sealing = None

    @classmethod
    def get_fee_recipient(cls, header):
        if cls.sealing is not None:
            return cls.sealing
        is_sealed = len(header.extra_data) >= VANITY + SEAL and any(header.extra_data[-SEAL:])
        return get_block_signer(header) if is_sealed else ZERO_ADDRESS


CliqueVM = LondonVM.configure(
    consensus_class=FeesToSigner, extra_data_max_bytes=1 << 16, get_block_reward=staticmethod(int)
)


class Signer(Node):
    def __init__(self, network, index: int, key, chain: Chain):
        super().__init__(chain)
        self.network = network
        self.lock = network.lock
        self.index = index
        self.key = key
        self.address = key.public_key.to_canonical_address()
        self.is_sealing = True
        self.server = None
        self.port = 0

    @property
    def is_running(self) -> bool:
        return self.server is not None

    def start(self):
        if self.server is None:
            self.server = serve(self, self.network.host, self.port)
            self.port = self.server.server_address[1]

    def stop(self):
        if self.server is not None:
            self.server.stop()
            self.server = None

    def where(self) -> dict:
        return {"index": self.index, "port": self.port, "url": f"http://{self.network.host}:{self.port}"}

    def accepted(self, transaction):
        for peer in self.network.peers(self):
            peer.hear(transaction)

    def hear(self, transaction):
        try:
            self.admit(transaction, transaction.sender)
        except RPCError:
            pass

    def final_number(self, tag: str) -> int:
        if not self.network.has_final_tag:
            return super().final_number(tag)
        return self.network.final_number(self.chain)

    # Blocks

    def seal(self, salt: int = 0) -> Block | None:
        """Makes a block on what this node thinks is the newest, unless it has to wait."""
        head, rules = self.chain.head, self.network
        if self.address in rules.recent_signers(self.chain, head):
            return None
        number = head.number + 1
        members = b"".join(rules.members) if number % rules.epoch == 0 else b""
        fields = {
            "difficulty": rules.difficulty(number, self.address),
            "extra_data": salt.to_bytes(VANITY, "big") + members + bytes(SEAL),
            "coinbase": ZERO_ADDRESS,
            "nonce": NONCE_DROP,
            "timestamp": max(rules.now(), head.header.timestamp + rules.period),
        }
        base_fee = self.chain.vm_class.create_header_from_parent(head.header, **fields).base_fee_per_gas
        waiting = self.pool.executable(self.chain.state(head), base_fee)
        FeesToSigner.sealing = self.address
        try:
            block, _ = self.chain.build(head, fields, waiting, lambda header: sign_block_header(header, self.key))
        finally:
            FeesToSigner.sealing = None
        self.follow(block)
        return block

    def receive(self, block: Block, source: Chain):
        """Takes a block, and those before it that this node misses, if the rules allow it."""
        missing = []
        for ancestor in source.line(block):
            if ancestor.hash in self.chain.blocks:
                break
            missing.append(ancestor)
        for new in reversed(missing):
            self.network.check(self.chain, new)
            self.chain.add(new)
        self.follow(block)

    def follow(self, block: Block):
        if block.total_difficulty <= self.chain.head.total_difficulty:
            return
        left, _ = self.chain.set_head(block)
        for gone in left:
            for transaction in gone.transactions:
                if transaction.hash not in self.chain.places:
                    self.hear(transaction)
        self.pool.drop_mined(self.chain.state(block))

    def wipe(self):
        self.chain.forget()
        self.pool.clear()


class Network:
    def __init__(self, options):
        self.host = options.host
        self.period = options.period
        self.epoch = options.epoch
        self.interval = options.interval
        self.has_final_tag = options.finalized == "seals"
        self.is_paused = options.paused
        self.clock_offset = 0.0
        self.lock = threading.RLock()
        self.random = random.Random(1)
        self.faults = None
        self.wake = threading.Event()

        keys = [account(f"{options.signer_phrase} {index}") for index in range(options.signers)]
        keys.sort(key=lambda key: key.public_key.to_canonical_address())
        self.members = [key.public_key.to_canonical_address() for key in keys]
        funds = {key.public_key.to_canonical_address(): WEI for key in accounts(options.accounts)}
        genesis = {
            "difficulty": 1,
            "extra_data": bytes(VANITY) + b"".join(self.members) + bytes(SEAL),
            "nonce": NONCE_DROP,
            "timestamp": int(time.time()),
        }
        first = Chain(CliqueVM, options.chain_id, funds, genesis)
        self.nodes = [Signer(self, index, key, first.sibling()) for index, key in enumerate(keys)]
        # The connected parts. Doubles of signers are in `groups` only.
        self.groups = [list(self.nodes)]

    # Rules

    @property
    def limit(self) -> int:
        """A signer may seal one of so many consecutive blocks."""
        return len(self.members) // 2 + 1

    def now(self) -> int:
        return int(time.time() + self.clock_offset)

    def difficulty(self, number: int, signer: bytes) -> int:
        return 2 if self.members[number % len(self.members)] == signer else 1

    def recent_signers(self, chain: Chain, head: Block) -> set[bytes]:
        recent = set()
        for block in chain.line(head):
            if block.number == 0 or head.number - block.number >= self.limit - 1:
                break
            recent.add(signer_of(block))
        return recent

    def check(self, chain: Chain, block: Block):
        parent = chain.blocks[block.header.parent_hash]
        signer = signer_of(block)
        if signer not in self.members:
            raise ValidationError("the sealer is no member")
        if signer in self.recent_signers(chain, parent):
            raise ValidationError("signed recently")
        if block.header.difficulty != self.difficulty(block.number, signer):
            raise ValidationError("wrong difficulty")
        if block.header.timestamp < parent.header.timestamp + self.period:
            raise ValidationError("too early")

    def final_number(self, chain: Chain) -> int:
        seals = set()
        for block in chain.line(chain.head):
            if block.number == 0:
                break
            seals.add(signer_of(block))
            if len(seals) >= 2 * len(self.members) // 3 + 1:
                return block.number
        return 0

    # Life

    def peers(self, node: Signer):
        return [
            peer for group in self.groups if node in group for peer in group if peer is not node and peer.is_running
        ]

    def run(self):
        while True:
            self.wake.wait(self.interval)
            self.wake.clear()
            if not self.is_paused:
                self.round()

    def round(self):
        with self.lock:
            for group in self.groups:
                running = [node for node in group if node.is_running]
                self.synchronize(running)
                self.random.shuffle(running)
                running.sort(key=lambda node: -self.difficulty(node.chain.head.number + 1, node.address))
                for node in running:
                    block = node.seal() if node.is_sealing else None
                    if block is not None:
                        self.synchronize(running)
                        break

    def synchronize(self, nodes: list[Signer]):
        for source in nodes:
            head = source.chain.head
            for node in nodes:
                if head.hash not in node.chain.blocks:
                    node.receive(head, source.chain)

    def share_pools(self):
        for group in self.groups:
            for node in group:
                for transaction in node.pool.all():
                    for peer in self.peers(node):
                        peer.hear(transaction)

    def chosen(self, signers) -> list[Signer]:
        if signers is None:
            return self.nodes
        return [self.nodes[index] for index in ([signers] if isinstance(signers, int) else signers)]

    # Controls

    def answer(self, method: str, parameters):
        handler = getattr(self, method, None) if method.startswith("clique_") else None
        if handler is None:
            raise RPCError(-32601, f"the method {method} does not exist/is not available")
        with self.lock:
            return handler(**parameters) if isinstance(parameters, dict) else handler(*parameters)

    def clique_stop(self, signers=None):
        for node in self.chosen(signers):
            node.stop()
        return True

    def clique_start(self, signers=None):
        for node in self.chosen(signers):
            node.start()
        self.share_pools()
        return True

    def clique_sealing(self, signers, on):
        for node in self.chosen(signers):
            node.is_sealing = bool(on)
        return True

    def clique_partition(self, groups):
        self.clique_heal()
        parts, doubles, used = [], [], set()
        for number, indices in enumerate(groups):
            part = []
            for index in indices:
                node = self.nodes[index]
                if index in used:
                    node = self.double(node)
                    doubles.append(node.where() | {"group": number})
                used.add(index)
                part.append(node)
            parts.append(part)
        parts += [[node] for node in self.nodes if node.index not in used]
        self.groups = parts
        return doubles

    def double(self, node: Signer) -> Signer:
        chain = node.chain.sibling()
        chain.blocks = dict(node.chain.blocks)
        chain.set_head(node.chain.head)
        twin = Signer(self, node.index, node.key, chain)
        twin.start()
        return twin

    def clique_heal(self):
        everybody = [node for group in self.groups for node in group]
        self.groups = [everybody]
        self.synchronize([node for node in everybody if node.is_running])
        self.share_pools()
        for node in everybody:
            if node not in self.nodes:
                node.stop()
        self.groups = [list(self.nodes)]
        return True

    def clique_equivocate(self, signer):
        node = self.nodes[signer]
        parent = node.chain.head
        # Two blocks on the same parent: the node forgets the first while it makes the second.
        blocks = []
        for salt in (1, 2):
            block = node.seal(salt)
            if block is None:
                raise RPCError(-32000, "this signer sealed recently")
            blocks.append(block)
            node.chain.set_head(parent)
        for place, peer in enumerate(self.peers(node)):
            peer.receive(blocks[place % 2], node.chain)
        node.follow(blocks[0])
        return [hexed(rlp.encode(block.header)) for block in blocks]

    def clique_wipe(self, signers=None):
        for node in self.chosen(signers):
            node.wipe()
        return True

    def clique_dropPools(self, signers=None):
        count = 0
        for node in self.chosen(signers):
            count += len(node.pool)
            node.pool.clear()
        return count

    def clique_pause(self, on=True):
        self.is_paused = bool(on)
        return True

    def clique_step(self, count=1):
        for _ in range(count):
            self.round()
        return self.clique_status()

    def clique_interval(self, seconds):
        self.interval = float(seconds)
        self.wake.set()
        return True

    def clique_advanceTime(self, seconds):
        self.clock_offset += seconds
        return self.now()

    def clique_status(self):
        return [
            node.where() | {
                "isRunning": node.is_running,
                "isSealing": node.is_sealing,
                "head": node.chain.head.number,
                "hash": hexed(node.chain.head.hash),
                "difficulty": node.chain.head.total_difficulty,
                "final": self.final_number(node.chain),
                "waiting": len(node.pool),
            }
            for node in self.nodes
        ]


def signer_of(block: Block) -> bytes:
    if not hasattr(block, "signer"):
        block.signer = get_block_signer(block.header)
    return block.signer


def main():
    parser = argparse.ArgumentParser(description="A Clique network for tests.")
    parser.add_argument("--signers", type=int, default=5)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--chain-id", type=int, default=1551)
    parser.add_argument("--interval", type=float, default=0.2)
    parser.add_argument("--period", type=int, default=0)
    parser.add_argument("--epoch", type=int, default=30_000)
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--finalized", choices=("none", "seals"), default="none")
    parser.add_argument("--paused", action="store_true")
    parser.add_argument("--signer-phrase", default="apus test signer")
    options = parser.parse_args()

    network = Network(options)
    for node in network.nodes:
        node.start()
    control = serve(network, options.host, 0).server_address[1]
    threading.Thread(target=network.run, daemon=True).start()
    say(
        event="ready",
        control=control,
        chainId=options.chain_id,
        genesis=hexed(rlp.encode(network.nodes[0].chain.genesis.header)),
        nodes=[node.where() | {"signer": hexed(node.address)} for node in network.nodes],
        **described(accounts(options.accounts)),
    )
    run_until_orphaned(
        lambda request: network.nodes[request["node"]] if "node" in request else network
    )


if __name__ == "__main__":
    main()
