"""The test nodes: what other tests rely on when they talk to them."""
import http.client
import json
import sys
import time

import pytest
import rlp
from eth.vm.forks.london.blocks import LondonBlockHeader
from eth_abi import encode
from eth_utils import ValidationError, keccak

from world import ROOT, artifact, code_of

sys.path.insert(0, str(ROOT / "Tests" / "Peers"))

import clique_network
import ethereum_node
from ethereum_rpc import RPCError, accounts, respond, serve
from evm_chain import Block, Chain

CHAIN_ID = 1551
KEYS = accounts(2)
SENDER, RECEIVER = (key.public_key.to_address() for key in KEYS)
STORE_KEY = keccak(text="key")


def trie_value(root: bytes, key: bytes, proof: list[str]) -> bytes:
    """Follows a proof as a client does: nodes by their hash, small ones inside their parents."""
    nodes = {keccak(code_of(node)): code_of(node) for node in proof}
    nibbles = [nibble for byte in key for nibble in (byte >> 4, byte & 15)]
    used, node = 0, root
    while True:
        if isinstance(node, bytes):
            if node == b"":
                return b""
            node = rlp.decode(nodes[node])
        if len(node) == 17:
            if not nibbles:
                return node[16]
            node, nibbles = node[nibbles[0]], nibbles[1:]
            continue
        path = [nibble for byte in node[0] for nibble in (byte >> 4, byte & 15)]
        path = path[1:] if path[0] & 1 else path[2:]
        is_leaf = node[0][0] >> 4 >= 2
        if nibbles[:len(path)] != path:
            return b""
        nibbles, node, used = nibbles[len(path):], node[1], used + 1
        if is_leaf:
            return node


class Client:
    """A node without the network between."""

    def __init__(self, node):
        self.node = node
        self.nonces = {}

    def __getattr__(self, method):
        return lambda *arguments: self.node.answer(method, list(arguments))

    def send(self, to: str = RECEIVER, value: int = 1, data: bytes = b"", gas: int = 21_000, nonce=None, price=10**11,
             key=KEYS[0]):
        if nonce is None:
            nonce = int(self.eth_getTransactionCount(key.public_key.to_address(), "pending"), 16)
        unsigned = self.node.chain.vm_class.create_unsigned_transaction(
            nonce=nonce, gas_price=price, gas=gas, to=code_of(to), value=value, data=data
        )
        return self.eth_sendRawTransaction(
            "0x" + unsigned.as_signed_transaction(key, chain_id=CHAIN_ID).encode().hex()
        )

    @property
    def height(self) -> int:
        return int(self.eth_blockNumber(), 16)


def single(fork="prague", **options):
    funds = {key.public_key.to_canonical_address(): 10**24 for key in KEYS}
    funds[ethereum_node.FAUCET.public_key.to_canonical_address()] = 10**30
    chain = Chain(ethereum_node.FORKS[fork], CHAIN_ID, funds, {"timestamp": int(time.time())})
    settings = {"finality_depth": 2, "is_automining": True, "interval": 0} | options
    return Client(ethereum_node.SingleNode(chain, **settings))


@pytest.fixture
def node():
    return single()


def deploy_store(node) -> str:
    code = code_of(artifact("EternalStorage")["initCode"]) + encode(["address"], [SENDER])
    return node.eth_getTransactionReceipt(node.send("0x", 0, code, 2_000_000))["contractAddress"]


def set_uint(node, store: str, key: bytes, value: int) -> str:
    return node.send(store, 0, bytes.fromhex("e2a4853a") + key + value.to_bytes(32, "big"), 100_000)


def test_a_transaction_is_mined_at_once_and_reported(node):
    receipt = node.eth_getTransactionReceipt(node.send())
    assert (receipt["status"], receipt["gasUsed"], receipt["from"], receipt["to"]) == (
        "0x1", "0x5208", SENDER, RECEIVER
    )
    block = node.eth_getBlockByHash(receipt["blockHash"])
    assert block["transactions"] == [receipt["transactionHash"]] and block["number"] == "0x1"
    assert keccak(code_of(node.test_header("latest"))).hex() == block["hash"][2:]
    assert node.eth_getTransactionReceipt("0x" + "11" * 32) is None
    assert node.eth_getBlockByNumber("0x99") is None


@pytest.mark.parametrize("fork, fields", [("prague", 21), ("cancun", 20), ("london", 16)])
def test_headers_have_the_fields_of_their_fork(fork, fields):
    node = single(fork)
    node.send()
    assert len(rlp.decode(code_of(node.test_header("latest")))) == fields


def test_time_does_not_run_ahead_of_many_blocks(node):
    node.test_mine(50)
    assert int(node.eth_getBlockByNumber("latest")["timestamp"], 16) <= time.time()
    node.test_advanceTime(1000)
    node.test_mine(1)
    assert int(node.eth_getBlockByNumber("latest")["timestamp"], 16) >= time.time() + 990


@pytest.mark.parametrize("entries", [1, 2, 40])
def test_proofs_lead_from_the_state_root_to_every_value(node, entries):
    store = deploy_store(node)
    keys = [keccak(text=f"key {number}") for number in range(entries)]
    for number, key in enumerate(keys):
        set_uint(node, store, key, number + 1)
    old = node.height
    set_uint(node, store, keys[0], 77)
    slots = [int.from_bytes(keccak((2).to_bytes(32, "big") + key), "big") for key in keys] + [0, 12345]
    expected = [number + 1 for number in range(entries)] + [int(SENDER, 16), 0]
    answer = node.eth_getProof(store, [hex(slot) for slot in slots], hex(old))
    root = code_of(node.eth_getBlockByNumber(hex(old))["stateRoot"])
    account = rlp.decode(trie_value(root, keccak(code_of(store)), answer["accountProof"]))
    assert account[2] == code_of(answer["storageHash"]) and account[3] == keccak(code_of(node.eth_getCode(store)))
    for slot, value, found in zip(slots, expected, answer["storageProof"]):
        assert int(found["value"], 16) == value
        node_value = trie_value(account[2], keccak(slot.to_bytes(32, "big")), found["proof"])
        assert int.from_bytes(rlp.decode(node_value) if node_value else b"", "big") == value
        assert all(len(code_of(item)) >= 32 for item in found["proof"][1:])
    assert int(node.eth_getProof(store, [hex(slots[0])], "latest")["storageProof"][0]["value"], 16) == 77
    assert [found["key"] for found in node.eth_getProof(store, ["0x" + "0" * 64, "0x00"])["storageProof"]] == [
        "0x" + "0" * 64, "0x0"
    ]


def test_an_account_that_is_not_there_is_proved_absent(node):
    node.send()
    answer = node.eth_getProof("0x" + "ab" * 20, ["0x0"], "latest")
    root = code_of(node.eth_getBlockByNumber("latest")["stateRoot"])
    assert trie_value(root, keccak(b"\xab" * 20), answer["accountProof"]) == b""
    assert answer["storageProof"] == [{"key": "0x0", "value": "0x0", "proof": []}]


def test_reverts_have_code_3_and_their_data(node):
    store = deploy_store(node)
    call = {"to": store, "from": RECEIVER, "data": "0x" + (bytes.fromhex("e2a4853a") + bytes(64)).hex()}
    for method in (node.eth_call, node.eth_estimateGas):
        with pytest.raises(RPCError) as caught:
            method(call, "latest")
        assert caught.value.code == 3 and caught.value.message == "execution reverted: not logic"
        assert caught.value.data.startswith("0x08c379a0")
    receipt = node.eth_getTransactionReceipt(node.send(store, 0, code_of(call["data"]), 100_000, key=KEYS[1]))
    assert receipt["status"] == "0x0"


def test_the_estimate_is_enough_and_not_much_more(node):
    store = deploy_store(node)
    data = bytes.fromhex("e2a4853a") + STORE_KEY + b"\1" * 32
    estimate = int(node.eth_estimateGas({"from": SENDER, "to": store, "data": "0x" + data.hex()}), 16)
    receipt = node.eth_getTransactionReceipt(node.send(store, 0, data, estimate))
    assert receipt["status"] == "0x1" and estimate <= int(receipt["gasUsed"], 16) * 1.1


def test_logs_are_found_by_address_and_topic_in_at_most_2000_blocks(node):
    store = deploy_store(node)
    topic = "0x48db25ec9d6eed629a3a8e00bd92c78d891718293886cffeb1cb95060a0a154f"
    everything = {"fromBlock": "0x0", "toBlock": "latest"}
    found = node.eth_getLogs(everything | {"address": store, "topics": [[topic, "0x" + "00" * 32], None]})
    assert len(found) == 1 and found[0]["topics"][0] == topic
    assert node.eth_getLogs({"blockHash": found[0]["blockHash"]}) == found
    assert node.eth_getLogs(everything | {"address": RECEIVER}) == []
    assert node.eth_getLogs(everything | {"topics": [None, None, None, None]}) == []
    node.test_mine(2000)
    with pytest.raises(RPCError, match="max block range"):
        node.eth_getLogs(everything)


def test_tags_follow_the_finality_depth(node):
    node.test_finality(4)
    node.test_mine(10)
    numbers = [int(node.eth_getBlockByNumber(tag)["number"], 16) for tag in ("latest", "safe", "finalized", "earliest")]
    assert numbers == [10, 8, 6, 0]


def test_a_stalled_node_takes_transactions_and_makes_no_block(node):
    node.test_stall(True)
    first, second = node.send(), node.send()
    assert node.height == 0 and node.test_pool() == [first, second]
    assert node.eth_getTransactionReceipt(first) is None
    assert node.eth_getTransactionByHash(first)["blockHash"] is None
    assert (node.eth_getTransactionCount(SENDER), node.eth_getTransactionCount(SENDER, "pending")) == ("0x0", "0x2")
    node.test_stall(False)
    assert node.eth_getTransactionReceipt(second)["status"] == "0x1" and node.test_pool() == []


def test_a_dropped_pool_is_gone(node):
    node.test_stall(True)
    first = node.send()
    assert node.test_dropPool() == 1
    node.test_stall(False)
    node.test_mine(1)
    assert node.eth_getTransactionByHash(first) is None
    assert node.eth_getTransactionCount(SENDER, "pending") == "0x0"


@pytest.mark.parametrize("what, waiting, is_mined", [("pool", 1, False), ("drop", 0, False), ("mine", 0, True)])
def test_a_reorganisation_replaces_blocks(node, what, waiting, is_mined):
    node.test_mine(2)
    sent = node.send()
    before = node.eth_getBlockByNumber("0x3")["hash"]
    node.test_reorg(2, 4, what)
    assert node.height == 5
    assert node.eth_getBlockByNumber("0x3")["hash"] != before
    assert len(node.test_pool()) == waiting
    receipt = node.eth_getTransactionReceipt(sent)
    assert (receipt is not None) == is_mined
    if waiting:
        node.test_mine(1)
        assert node.eth_getTransactionReceipt(sent)["blockNumber"] == "0x6"
    parents = [node.eth_getBlockByNumber(hex(number)) for number in range(node.height + 1)]
    assert all(child["parentHash"] == parent["hash"] for parent, child in zip(parents, parents[1:]))


def test_replacements_cost_a_tenth_more(node):
    node.test_stall(True)
    first = node.send(nonce=0)
    with pytest.raises(RPCError, match="already known"):
        node.send(nonce=0)
    with pytest.raises(RPCError, match="underpriced"):
        node.send(nonce=0, value=2, price=10**11 * 109 // 100)
    second = node.send(nonce=0, value=2, price=10**11 * 110 // 100)
    assert node.test_pool() == [second]
    node.test_stall(False)
    assert node.eth_getTransactionReceipt(first) is None and node.eth_getTransactionReceipt(second)
    with pytest.raises(RPCError, match="nonce too low"):
        node.send(nonce=0)


def test_gaps_between_nonces_wait(node):
    late = node.send(nonce=1)
    assert node.eth_getTransactionReceipt(late) is None
    node.send(nonce=0)
    assert node.eth_getTransactionReceipt(late)["status"] == "0x1"


def test_bad_transactions_are_refused(node):
    with pytest.raises(RPCError, match="insufficient funds"):
        node.send(value=10**30)
    with pytest.raises(RPCError, match="intrinsic gas too low"):
        node.send(gas=20_000)
    with pytest.raises(RPCError, match="exceeds block gas limit"):
        node.send(gas=10**9)
    with pytest.raises(RPCError, match="rlp"):
        node.eth_sendRawTransaction("0x02c0")


def test_money_comes_from_the_faucet(node):
    node.test_fund("0x" + "77" * 20, 123)
    assert node.eth_getBalance("0x" + "77" * 20) == hex(123)


def test_batches_and_nonsense_are_answered(node):
    def ask(body: bytes):
        return json.loads(respond(node.node, body))

    batch = [{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}, 7,
             {"jsonrpc": "2.0", "id": "b", "method": "nothing", "params": []}]
    answers = ask(json.dumps(batch).encode())
    assert [answer.get("result") or answer["error"]["code"] for answer in answers] == ["0x60f", -32600, -32601]
    assert ask(b"{")["error"]["code"] == -32700
    assert ask(b'{"id":1,"method":"eth_getBalance","params":[]}')["error"]["code"] == -32602
    assert ask(b'{"id":1,"method":"eth_getBalance","params":["xyz"]}')["error"]["code"] == -32602
    assert ask(b'{"id":1,"method":"test_mine","params":{"count":2}}')["result"] == "0x2"


def test_faults_over_http(node):
    server = serve(node.node, "127.0.0.1", 0)
    try:
        def ask(method):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=20)
            connection.request("POST", "/", json.dumps({"jsonrpc": "2.0", "id": 5, "method": method, "params": []}))
            response = connection.getresponse()
            return response.status, response.read()

        assert json.loads(ask("eth_blockNumber")[1]) == {"jsonrpc": "2.0", "id": 5, "result": "0x0"}
        node.test_fail("http", ["eth_blockNumber"], 1)
        assert ask("eth_chainId")[0] == 200 and ask("eth_blockNumber")[0] == 503 and ask("eth_blockNumber")[0] == 200
        node.test_fail("close")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask("eth_blockNumber")
        node.test_fail("garbage")
        with pytest.raises(ValueError):
            json.loads(ask("eth_blockNumber")[1])
        node.node.faults.plan(kind="result", result="0xff")
        assert json.loads(ask("eth_blockNumber")[1])["result"] == "0xff"
        node.test_fail("error", None, 2)
        assert "error" in json.loads(ask("eth_blockNumber")[1])
        node.test_heal()
        assert "result" in json.loads(ask("eth_blockNumber")[1])
    finally:
        server.stop()


# Clique


class Five:
    """A network that moves only when it is told to."""

    def __init__(self, **changes):
        options = {"host": "127.0.0.1", "period": 0, "epoch": 30_000, "interval": 1, "finalized": "none",
                   "paused": True, "signers": 5, "chain_id": CHAIN_ID, "accounts": 2,
                   "signer_phrase": "apus test signer"} | changes
        self.network = clique_network.Network(type("Options", (), options))
        for node in self.network.nodes:
            node.start()
        self.clients = [Client(node) for node in self.network.nodes]

    def __getattr__(self, name):
        return getattr(self.network, name)

    @property
    def heads(self) -> list[int]:
        return [node.chain.head.number for node in self.network.nodes]

    @property
    def is_one(self) -> bool:
        return len({node.chain.head.hash for node in self.network.nodes}) == 1

    def close(self):
        for node in {node for group in self.network.groups for node in group} | set(self.network.nodes):
            node.stop()


@pytest.fixture
def five():
    made = Five()
    yield made
    made.close()


def test_five_signers_take_turns(five):
    five.clique_step(10)
    assert five.heads == [10] * 5 and five.is_one
    chain = five.nodes[0].chain
    assert all(block.header.difficulty == 2 for block in chain.canonical[1:])
    assert {clique_network.signer_of(block) for block in chain.canonical[1:]} == set(five.members)
    assert five.clique_status()[0]["final"] == 7


def test_three_of_five_go_on_and_two_stop(five):
    five.clique_stop([3, 4])
    five.clique_step(6)
    assert five.heads == [6, 6, 6, 0, 0]
    five.clique_stop([2])
    five.clique_step(6)
    # Each of the two may have sealed once more.
    assert 6 <= five.heads[0] == five.heads[1] <= 8
    stalled = five.heads[0]
    five.clique_step(6)
    assert five.heads[0] == stalled
    with pytest.raises(OSError):
        http.client.HTTPConnection("127.0.0.1", five.nodes[3].port, timeout=5).request("POST", "/", "{}")
    sent = five.clients[0].send()
    five.clique_start([2])
    five.clique_step(1)
    assert five.heads[:3] == [stalled + 1] * 3
    assert five.clients[2].eth_getTransactionReceipt(sent)["status"] == "0x1"
    five.clique_start()
    five.clique_step(1)
    assert five.is_one


def test_with_too_few_signers_nothing_becomes_final(five):
    five.clique_step(5)
    final = five.clique_status()[0]["final"]
    five.clique_stop([3, 4])
    five.clique_step(10)
    # Only as many blocks as the two that stopped had already sealed on top of.
    assert final <= five.clique_status()[0]["final"] <= 5


def test_an_equivocating_signer_keeps_both_sides_alive_and_one_side_loses(five):
    five.clique_step(3)
    doubles = five.clique_partition([[0, 1, 2], [2, 3, 4]])
    assert [(double["index"], double["group"]) for double in doubles] == [(2, 1)]
    left = five.clients[0].send(value=5, nonce=0)
    right = five.clients[4].send(value=6, nonce=0)
    five.clique_step(6)
    assert five.clients[1].eth_getTransactionReceipt(left) and five.clients[3].eth_getTransactionReceipt(right)
    assert five.clients[1].eth_getTransactionReceipt(right) is None
    five.clique_heal()
    five.clique_step(2)
    assert five.is_one
    kept = [bool(five.clients[0].eth_getTransactionReceipt(sent)) for sent in (left, right)]
    assert sorted(kept) == [False, True]


def test_blocks_that_break_the_rules_are_refused(five):
    five.clique_step(4)
    node = five.nodes[0]
    last = clique_network.signer_of(node.chain.head)
    assert last in five.recent_signers(node.chain, node.chain.head)
    sealer = next(other for other in five.nodes if other.address == last)
    assert sealer.seal() is None
    head = node.chain.head
    greedy, _ = sealer.chain.build(
        head, {"difficulty": 1, "extra_data": bytes(97), "timestamp": head.header.timestamp},
        [], lambda header: clique_network.sign_block_header(header, sealer.key),
    )
    with pytest.raises(Exception, match="signed recently"):
        node.receive(greedy, sealer.chain)
    stranger = KEYS[0]
    strange, _ = sealer.chain.build(
        head, {"difficulty": 1, "extra_data": bytes(97), "timestamp": head.header.timestamp},
        [], lambda header: clique_network.sign_block_header(header, stranger),
    )
    with pytest.raises(Exception, match="no member"):
        node.receive(strange, sealer.chain)
    able = next(other for other in five.nodes[1:] if other.address not in five.recent_signers(node.chain, head))
    wrong, _ = able.chain.build(
        head, {"difficulty": 3, "extra_data": bytes(97), "timestamp": head.header.timestamp},
        [], lambda header: clique_network.sign_block_header(header, able.key),
    )
    with pytest.raises(Exception, match="wrong difficulty"):
        node.receive(wrong, able.chain)
    assert node.chain.head is head


VECTORS = json.loads((ROOT / "Tests/EthereumTests/Vectors/jns-clique.json").read_text())


def vector_block(text: str) -> Block:
    header = rlp.decode(code_of(text), LondonBlockHeader)
    return Block(header, (), (), (), header.difficulty)


@pytest.mark.parametrize("last", range(len(VECTORS["rejected"]) + 1))
def test_the_rules_are_those_of_the_vectors(five, last):
    five.network.members = [code_of(address) for address in VECTORS["signers"]]
    chain = five.nodes[0].chain
    chain.genesis = vector_block(VECTORS["genesisRlp"])
    chain.forget()
    for vector in VECTORS["chain"]:
        block = vector_block(vector["rlp"])
        assert (block.hash.hex(), clique_network.signer_of(block).hex()) == (vector["hash"][2:], vector["signer"][2:])
        five.network.check(chain, block)
        chain.add(block)
    if last:
        with pytest.raises(ValidationError):
            five.network.check(chain, vector_block(VECTORS["rejected"][last - 1]["rlp"]))


def test_equivocation_leaves_two_sealed_headers_of_one_height(five):
    five.clique_step(2)
    recent = five.recent_signers(five.nodes[0].chain, five.nodes[0].chain.head)
    culprit = next(node.index for node in five.nodes if node.address not in recent)
    headers = [rlp.decode(code_of(header)) for header in five.clique_equivocate(culprit)]
    assert headers[0] != headers[1] and headers[0][8] == headers[1][8] and headers[0][0] == headers[1][0]
    assert not five.is_one
    five.clique_step(3)
    assert five.is_one


def test_a_wiped_node_learns_everything_again_and_a_wiped_network_nothing(five):
    sent = five.clients[0].send()
    five.clique_step(4)
    five.clique_wipe([1])
    assert five.heads[1] == 0 and five.clients[1].eth_getTransactionReceipt(sent) is None
    five.clique_step(1)
    assert five.clients[1].eth_getTransactionReceipt(sent)["status"] == "0x1"
    five.clique_wipe()
    five.clique_step(1)
    assert five.heads == [1] * 5 and five.clients[0].eth_getTransactionReceipt(sent) is None


def test_epoch_blocks_list_the_signers():
    five = Five(epoch=3)
    try:
        five.clique_step(6)
        extra = [block.header.extra_data for block in five.nodes[0].chain.canonical]
        assert [len(data) for data in extra] == [197, 97, 97, 197, 97, 97, 197]
        assert extra[3][32:132] == b"".join(five.members)
    finally:
        five.close()


def test_final_tags_exist_only_when_asked_for(five):
    five.clique_step(8)
    with pytest.raises(RPCError, match="finalized block not found"):
        five.clients[0].eth_getBlockByNumber("finalized")
    other = Five(finalized="seals")
    try:
        other.clique_step(8)
        assert other.clients[0].eth_getBlockByNumber("finalized")["number"] == "0x5"
    finally:
        other.close()


def test_the_contracts_run_on_clique(five):
    code = code_of(artifact("EternalStorage", "london")["initCode"]) + encode(["address"], [SENDER])
    sent = five.clients[0].send("0x", 0, code, 2_000_000)
    five.clique_step(1)
    store = five.clients[3].eth_getTransactionReceipt(sent)["contractAddress"]
    sent = set_uint(five.clients[1], store, STORE_KEY, 9)
    five.clique_step(1)
    assert five.clients[2].eth_getTransactionReceipt(sent)["status"] == "0x1"
    slot = hex(int.from_bytes(keccak((2).to_bytes(32, "big") + STORE_KEY), "big"))
    assert {client.eth_getStorageAt(store, slot) for client in five.clients} == {"0x" + (9).to_bytes(32, "big").hex()}
    proof = five.clients[4].eth_getProof(store, [slot], "latest")
    root = code_of(five.clients[4].eth_getBlockByNumber("latest")["stateRoot"])
    account = rlp.decode(trie_value(root, keccak(code_of(store)), proof["accountProof"]))
    value = trie_value(account[2], keccak(int(slot, 16).to_bytes(32, "big")), proof["storageProof"][0]["proof"])
    assert value == b"\x09"
