"""A node's transaction pool and its JSON-RPC over HTTP, for the test nodes.

Answers are formed as go-ethereum forms them, error codes and texts included.
"""
import json
import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import rlp
from eth.constants import CREATE_CONTRACT_ADDRESS, ZERO_ADDRESS
from eth_keys import keys as eth_keys
from eth_utils import ValidationError, keccak

from evm_chain import Chain, Block, Failed, Reverted, hexed, word

MAX_LOG_BLOCKS = 2_000
PRIORITY_FEE = 10**9
MAX_BODY = 4 << 20


class RPCError(Exception):
    def __init__(self, code: int, message: str, data=None):
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


def invalid(message: str) -> RPCError:
    return RPCError(-32602, message)


def quantity(text) -> int:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise invalid(f"{text!r} is no quantity")
    try:
        return int(text, 16)
    except ValueError:
        raise invalid(f"{text!r} is no quantity") from None


def data(text, length: int | None = None) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise invalid(f"{text!r} is no data")
    try:
        value = bytes.fromhex(text[2:])
    except ValueError:
        raise invalid(f"{text!r} is no data") from None
    if length is not None and len(value) != length:
        raise invalid(f"{text!r} has not {length} bytes")
    return value


class Pool:
    """Transactions that wait for a block."""

    def __init__(self):
        self.waiting = {}

    def __len__(self):
        return sum(len(queue) for queue in self.waiting.values())

    def all(self):
        return [transaction for queue in self.waiting.values() for _, transaction in sorted(queue.items())]

    def find(self, transaction_hash: bytes):
        return next((t for t in self.all() if t.hash == transaction_hash), None)

    def clear(self):
        self.waiting.clear()

    def add(self, transaction):
        queue = self.waiting.setdefault(transaction.sender, {})
        old = queue.get(transaction.nonce)
        if old is not None:
            if old.hash == transaction.hash:
                raise RPCError(-32000, "already known")
            pairs = [
                (old.max_fee_per_gas, transaction.max_fee_per_gas),
                (old.max_priority_fee_per_gas, transaction.max_priority_fee_per_gas),
            ]
            if any(new * 10 < before * 11 for before, new in pairs):
                raise RPCError(-32000, "replacement transaction underpriced")
        queue[transaction.nonce] = transaction

    def next_nonce(self, sender: bytes, nonce: int) -> int:
        queue = self.waiting.get(sender, {})
        while nonce in queue:
            nonce += 1
        return nonce

    def drop_mined(self, state):
        for sender, queue in list(self.waiting.items()):
            nonce = state.get_nonce(sender)
            for old in [key for key in queue if key < nonce]:
                del queue[old]
            if not queue:
                del self.waiting[sender]

    def executable(self, state, base_fee: int):
        """Those whose turn it is, dearest sender first."""
        ready = []
        for sender, queue in self.waiting.items():
            nonce, line = state.get_nonce(sender), []
            while nonce in queue and queue[nonce].max_fee_per_gas >= base_fee:
                line.append(queue[nonce])
                nonce += 1
            if line:
                ready.append(line)
        ready.sort(key=lambda line: -line[0].max_priority_fee_per_gas)
        return [transaction for line in ready for transaction in line]


class Faults:
    """What a test asked the node to do wrong."""

    KINDS = ("error", "http", "close", "garbage", "hang", "result")

    def __init__(self):
        self.plans = []
        self.delay = (0.0, None)

    def plan(self, kind="error", methods=None, count=1, code=-32000, message="test fault", status=503, result=None):
        if kind not in self.KINDS:
            raise invalid(f"kind is one of {', '.join(self.KINDS)}")
        self.plans.append({
            "kind": kind, "methods": methods, "left": count, "code": code, "message": message, "status": status,
            "result": result,
        })

    def take(self, methods: list[str]):
        for plan in self.plans:
            if plan["methods"] is None or any(method in plan["methods"] for method in methods):
                plan["left"] -= 1
                if plan["left"] <= 0:
                    self.plans.remove(plan)
                return plan
        return None

    def delay_of(self, methods: list[str]) -> float:
        seconds, only = self.delay
        return seconds if only is None or any(method in only for method in methods) else 0.0


class Node:
    """One node: a chain, a pool and the answers about them. Subclasses make the blocks."""

    def __init__(self, chain: Chain):
        self.chain = chain
        self.pool = Pool()
        self.faults = Faults()
        # Every access to the chain and the pool, from any thread.
        self.lock = threading.RLock()
        self.requests = {}

    # For subclasses

    def accepted(self, transaction):
        """A transaction came into the pool."""

    def final_number(self, tag: str) -> int:
        """The number of the newest block that is `safe` or `finalized`; raises if this network has none."""
        raise RPCError(-32000, f"{tag} block not found")

    # Requests

    def answer(self, method: str, parameters):
        handler = getattr(self, method, None) if method.startswith(("eth_", "net_", "web3_", "test_")) else None
        if handler is None:
            raise RPCError(-32601, f"the method {method} does not exist/is not available")
        self.requests[method] = self.requests.get(method, 0) + 1
        try:
            with self.lock:
                return handler(**parameters) if isinstance(parameters, dict) else handler(*parameters)
        except TypeError as error:
            if "argument" in str(error):
                raise invalid(str(error)) from None
            raise

    def block(self, tag, is_optional=False) -> Block | None:
        if isinstance(tag, dict):
            tag = tag.get("blockHash") or tag.get("blockNumber")
        chain = self.chain
        if tag in (None, "latest", "pending"):
            return chain.head
        if tag == "earliest":
            return chain.genesis
        if tag in ("safe", "finalized"):
            return chain.canonical[min(self.final_number(tag), chain.head.number)]
        if isinstance(tag, str) and len(tag) == 66:
            found = chain.blocks.get(data(tag, 32))
        else:
            number = quantity(tag)
            found = chain.canonical[number] if number <= chain.head.number else None
        if found is None and not is_optional:
            raise RPCError(-32000, "header not found")
        return found

    def message(self, fields: dict):
        if not isinstance(fields, dict):
            raise invalid("a call is an object")
        return {
            "sender": data(fields["from"], 20) if fields.get("from") else ZERO_ADDRESS,
            "to": data(fields["to"], 20) if fields.get("to") else CREATE_CONTRACT_ADDRESS,
            "data": data(fields.get("input") or fields.get("data") or "0x"),
            "value": quantity(fields.get("value") or "0x0"),
            "gas": quantity(fields["gas"]) if fields.get("gas") else None,
        }

    def reported(self, run):
        try:
            return run()
        except Reverted as error:
            reason = f": {error}" if str(error) else ""
            raise RPCError(3, f"execution reverted{reason}", hexed(error.output)) from None
        except Failed as error:
            raise RPCError(-32000, str(error)) from None

    def web3_clientVersion(self):
        return "ApusTestNode/1"

    def net_version(self):
        return str(self.chain.chain_id)

    def net_listening(self):
        return True

    def eth_chainId(self):
        return hex(self.chain.chain_id)

    def eth_syncing(self):
        return False

    def eth_accounts(self):
        return []

    def eth_blockNumber(self):
        return hex(self.chain.head.number)

    def eth_getBlockByNumber(self, tag, full=False):
        return self.formatted_block(self.block(tag, is_optional=True), full)

    def eth_getBlockByHash(self, block_hash, full=False):
        return self.formatted_block(self.chain.blocks.get(data(block_hash, 32)), full)

    def eth_call(self, fields, tag="latest", *_):
        block = self.block(tag)
        return hexed(self.reported(lambda: self.chain.call(block, **self.message(fields))))

    def eth_estimateGas(self, fields, tag="latest", *_):
        block = self.block(tag)
        return hex(self.reported(lambda: self.chain.estimate(block, **self.message(fields))))

    def eth_gasPrice(self):
        return hex(self.chain.head.header.base_fee_per_gas + PRIORITY_FEE)

    def eth_maxPriorityFeePerGas(self):
        return hex(PRIORITY_FEE)

    def eth_feeHistory(self, count, newest="latest", percentiles=()):
        last = self.block(newest)
        wanted = quantity(count) if isinstance(count, str) else count
        blocks = self.chain.canonical[max(0, last.number + 1 - min(wanted, 1024)):last.number + 1]
        after = self.chain.vm_class.create_header_from_parent(last.header).base_fee_per_gas
        answer = {
            "oldestBlock": hex(blocks[0].number),
            "baseFeePerGas": [hex(block.header.base_fee_per_gas) for block in blocks] + [hex(after)],
            "gasUsedRatio": [block.header.gas_used / block.header.gas_limit for block in blocks],
        }
        if percentiles:
            answer["reward"] = [[hex(PRIORITY_FEE) for _ in percentiles] for _ in blocks]
        return answer

    def eth_getTransactionCount(self, address, tag="latest"):
        account = data(address, 20)
        nonce = self.chain.state(self.block(tag)).get_nonce(account)
        return hex(self.pool.next_nonce(account, nonce) if tag == "pending" else nonce)

    def eth_getBalance(self, address, tag="latest"):
        return hex(self.chain.state(self.block(tag)).get_balance(data(address, 20)))

    def eth_getCode(self, address, tag="latest"):
        return hexed(self.chain.state(self.block(tag)).get_code(data(address, 20)))

    def eth_getStorageAt(self, address, slot, tag="latest"):
        return word(self.chain.state(self.block(tag)).get_storage(data(address, 20), quantity(slot)))

    def eth_getProof(self, address, slots, tag="latest"):
        for slot in slots:
            if quantity(slot) >= 2**256:
                raise invalid(f"{slot!r} is no slot")
        return self.chain.proof(self.block(tag), data(address, 20), slots)

    def eth_sendRawTransaction(self, raw):
        try:
            transaction = self.chain.decode_transaction(data(raw))
            sender = transaction.sender
        except RPCError:
            raise
        except Exception as error:
            raise RPCError(-32000, f"rlp: {error}") from None
        self.admit(transaction, sender)
        self.accepted(transaction)
        return hexed(transaction.hash)

    def admit(self, transaction, sender: bytes):
        """Puts a transaction into the pool if it can ever be executed."""
        state = self.chain.state(self.chain.head)
        nonce = state.get_nonce(sender)
        if transaction.chain_id != self.chain.chain_id:
            raise RPCError(-32000, "invalid chain id for signer")
        if transaction.hash in self.chain.places:
            raise RPCError(-32000, "already known")
        if transaction.nonce < nonce:
            raise RPCError(
                -32000, f"nonce too low: address {hexed(sender)}, tx: {transaction.nonce} state: {nonce}"
            )
        if transaction.gas > self.chain.head.header.gas_limit:
            raise RPCError(-32000, "exceeds block gas limit")
        if transaction.gas < transaction.intrinsic_gas:
            raise RPCError(-32000, "intrinsic gas too low")
        if transaction.max_priority_fee_per_gas > transaction.max_fee_per_gas:
            raise RPCError(-32000, "max priority fee per gas higher than max fee per gas")
        try:
            transaction.validate()
        except ValidationError as error:
            raise RPCError(-32000, str(error)) from None
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        if state.get_balance(sender) < cost:
            raise RPCError(-32000, "insufficient funds for gas * price + value")
        self.pool.add(transaction)

    def eth_getTransactionByHash(self, transaction_hash):
        wanted = data(transaction_hash, 32)
        if wanted in self.chain.places:
            return self.formatted_transaction(*self.chain.places[wanted])
        waiting = self.pool.find(wanted)
        return None if waiting is None else self.transaction_fields(waiting)

    def eth_getTransactionReceipt(self, transaction_hash):
        place = self.chain.places.get(data(transaction_hash, 32))
        return None if place is None else self.formatted_receipt(*place)

    def eth_getBlockReceipts(self, tag):
        block = self.block(tag, is_optional=True)
        if block is None:
            return None
        return [self.formatted_receipt(block, index) for index in range(len(block.transactions))]

    def eth_getLogs(self, query):
        if query.get("blockHash"):
            blocks = [self.block(query["blockHash"])]
        else:
            first = self.block_number(query.get("fromBlock"))
            last = min(self.block_number(query.get("toBlock")), self.chain.head.number)
            if last - first + 1 > MAX_LOG_BLOCKS:
                raise RPCError(-32005, f"query exceeds max block range {MAX_LOG_BLOCKS}")
            blocks = self.chain.canonical[first:last + 1]
        addresses = query.get("address")
        addresses = [addresses] if isinstance(addresses, str) else addresses
        addresses = {address.lower() for address in addresses} if addresses else None
        wanted = [
            None if topic is None else {t.lower() for t in ([topic] if isinstance(topic, str) else topic)}
            for topic in query.get("topics") or []
        ]
        return [
            log for block in blocks for log in block.logs
            if (addresses is None or log["address"] in addresses) and len(log["topics"]) >= len(wanted)
            and all(not some or topic in some for some, topic in zip(wanted, log["topics"]))
        ]

    def block_number(self, tag) -> int:
        return quantity(tag) if isinstance(tag, str) and tag.startswith("0x") else self.block(tag).number

    # Forms

    def formatted_block(self, block: Block | None, full: bool):
        if block is None:
            return None
        header = block.header
        fields = {
            "number": hex(block.number), "hash": hexed(block.hash), "parentHash": hexed(header.parent_hash),
            "sha3Uncles": hexed(header.uncles_hash), "miner": hexed(header.coinbase),
            "stateRoot": hexed(header.state_root), "transactionsRoot": hexed(header.transaction_root),
            "receiptsRoot": hexed(header.receipt_root), "logsBloom": hexed(header.bloom.to_bytes(256, "big")),
            "difficulty": hex(header.difficulty), "totalDifficulty": hex(block.total_difficulty),
            "gasLimit": hex(header.gas_limit), "gasUsed": hex(header.gas_used), "timestamp": hex(header.timestamp),
            "extraData": hexed(header.extra_data), "mixHash": hexed(header.mix_hash), "nonce": hexed(header.nonce),
            "uncles": [],
        }
        numbers = {
            "base_fee_per_gas": "baseFeePerGas", "blob_gas_used": "blobGasUsed", "excess_blob_gas": "excessBlobGas",
        }
        hashes = {
            "withdrawals_root": "withdrawalsRoot", "parent_beacon_block_root": "parentBeaconBlockRoot",
            "requests_hash": "requestsHash",
        }
        fields |= {name: hex(getattr(header, key)) for key, name in numbers.items() if hasattr(header, key)}
        fields |= {name: hexed(getattr(header, key)) for key, name in hashes.items() if hasattr(header, key)}
        if "withdrawalsRoot" in fields:
            fields["withdrawals"] = []
        fields["size"] = hex(
            len(rlp.encode(header)) + sum(len(transaction.encode()) for transaction in block.transactions)
        )
        fields["transactions"] = [
            self.formatted_transaction(block, index) if full else hexed(transaction.hash)
            for index, transaction in enumerate(block.transactions)
        ]
        return fields

    def transaction_fields(self, transaction) -> dict:
        return {
            "hash": hexed(transaction.hash), "nonce": hex(transaction.nonce), "from": hexed(transaction.sender),
            "to": hexed(transaction.to) if transaction.to else None, "value": hex(transaction.value),
            "gas": hex(transaction.gas), "maxFeePerGas": hex(transaction.max_fee_per_gas),
            "maxPriorityFeePerGas": hex(transaction.max_priority_fee_per_gas), "input": hexed(transaction.data),
            "type": hex(getattr(transaction, "type_id", None) or 0), "chainId": hex(self.chain.chain_id),
            "blockHash": None, "blockNumber": None, "transactionIndex": None,
            "gasPrice": hex(transaction.max_fee_per_gas),
        }

    def formatted_transaction(self, block: Block, index: int) -> dict:
        return self.transaction_fields(block.transactions[index]) | {
            "blockHash": hexed(block.hash), "blockNumber": hex(block.number), "transactionIndex": hex(index),
            "gasPrice": hex(block.gas_price(index)),
        }

    def formatted_receipt(self, block: Block, index: int) -> dict:
        transaction, receipt, contract = block.transactions[index], block.receipts[index], block.contracts[index]
        return {
            "transactionHash": hexed(transaction.hash), "transactionIndex": hex(index),
            "blockHash": hexed(block.hash), "blockNumber": hex(block.number), "from": hexed(transaction.sender),
            "to": hexed(transaction.to) if transaction.to else None, "gasUsed": hex(block.gas_used(index)),
            "cumulativeGasUsed": hex(receipt.gas_used), "contractAddress": hexed(contract) if contract else None,
            "effectiveGasPrice": hex(block.gas_price(index)),
            "type": hex(getattr(transaction, "type_id", None) or 0),
            "status": hex(int.from_bytes(receipt.state_root, "big")),
            "logsBloom": hexed(receipt.bloom.to_bytes(256, "big")),
            "logs": [log for log in block.logs if log["transactionIndex"] == hex(index)],
        }

    # Controls that every kind of node has

    def test_fail(self, kind="error", methods=None, count=1, **more):
        """The next `count` requests for one of `methods` (any, if absent) go wrong.

        kind: "error" (code, message), "http" (status), "close", "garbage", "hang" (no answer), "result" (result).
        """
        self.faults.plan(kind=kind, methods=methods, count=count, **more)
        return True

    def test_delay(self, seconds=0, methods=None):
        """Every answer, or every one of `methods`, comes that much later."""
        self.faults.delay = (float(seconds), methods)
        return True

    def test_heal(self):
        """No more faults and delays."""
        self.faults.plans.clear()
        self.faults.delay = (0.0, None)
        return True

    def test_requests(self):
        """How often each method was asked for."""
        return dict(self.requests)

    def test_pool(self):
        return [hexed(transaction.hash) for transaction in self.pool.all()]

    def test_dropPool(self):
        """Forgets all transactions that wait; how many."""
        count = len(self.pool)
        self.pool.clear()
        return count

    def test_header(self, tag="latest"):
        """The header of a block, encoded."""
        return hexed(rlp.encode(self.block(tag).header))


def respond(target, body: bytes) -> bytes:
    try:
        requests = json.loads(body)
    except ValueError:
        return json.dumps(failure(None, RPCError(-32700, "parse error"))).encode()
    if isinstance(requests, list):
        if not requests:
            return json.dumps(failure(None, RPCError(-32600, "empty batch"))).encode()
        return json.dumps([respond_one(target, request) for request in requests]).encode()
    return json.dumps(respond_one(target, requests)).encode()


def respond_one(target, request) -> dict:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return failure(None, RPCError(-32600, "invalid request"))
    identifier = request.get("id")
    try:
        result = target.answer(request["method"], request.get("params") or [])
        return {"jsonrpc": "2.0", "id": identifier, "result": result}
    except RPCError as error:
        return failure(identifier, error)
    except Exception as error:
        return failure(identifier, RPCError(-32603, f"{type(error).__name__}: {error}"))


def failure(identifier, error: RPCError) -> dict:
    fields = {"code": error.code, "message": error.message}
    if error.data is not None:
        fields["data"] = error.data
    return {"jsonrpc": "2.0", "id": identifier, "error": fields}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MAX_BODY:
            self.reply(413, b"{}")
            return
        body = self.rfile.read(length)
        target = self.server.target
        faults = getattr(target, "faults", None)
        plan = None
        if faults is not None:
            methods = methods_of(body)
            if not any(method.startswith("test_") for method in methods):
                plan = faults.take(methods)
                seconds = faults.delay_of(methods)
                if seconds:
                    time.sleep(seconds)
        if plan is None:
            self.reply(200, respond(target, body))
        else:
            self.go_wrong(plan, body)

    def go_wrong(self, plan: dict, body: bytes):
        kind = plan["kind"]
        if kind == "http":
            self.reply(plan["status"], b'{"error":"test fault"}')
        elif kind == "garbage":
            self.reply(200, b'{"jsonrpc":"2.0","id":1,"res')
        elif kind in ("close", "hang"):
            if kind == "hang":
                time.sleep(3600)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            request = json.loads(body)
            identifier = request.get("id") if isinstance(request, dict) else None
            answer = failure(identifier, RPCError(plan["code"], plan["message"]))
            if kind == "result":
                answer = {"jsonrpc": "2.0", "id": identifier, "result": plan["result"]}
            self.reply(200, json.dumps(answer).encode())

    def reply(self, status: int, body: bytes):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


def methods_of(body: bytes) -> list[str]:
    try:
        requests = json.loads(body)
    except ValueError:
        return []
    requests = requests if isinstance(requests, list) else [requests]
    return [str(request.get("method")) for request in requests if isinstance(request, dict)]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, target):
        super().__init__(address, Handler)
        self.target = target
        self.connections = set()

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients go away as they like."""

    def stop(self):
        """Closes the port and every connection."""
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(target, host: str, port: int) -> Server:
    server = Server((host, port), target)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


def account(text: str):
    """A key pair that everybody can make."""
    return eth_keys.PrivateKey(keccak(text.encode()))


def accounts(count: int):
    return [account(f"apus test account {index}") for index in range(count)]


def described(keys) -> dict:
    return {
        "keys": [hexed(key.to_bytes()) for key in keys],
        "addresses": [key.public_key.to_address() for key in keys],
    }


def obey_lines(find_target):
    """Takes requests by lines of the input, {"id": 1, "method": …, "params": […], more}, and answers by lines.

    `find_target` chooses from a request what answers it.
    """
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = respond_one(find_target(request), request)
        except Exception as error:
            answer = failure(None, RPCError(-32600, f"{type(error).__name__}: {error}"))
        if "error" in answer:
            answer = {"id": answer["id"], "error": answer["error"]["message"]}
        say(**answer)


def run_until_orphaned(find_target):
    """Obeys the input, and returns when the program that started this one has ended."""
    threading.Thread(target=obey_lines, args=(find_target,), daemon=True).start()
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)


speaking = threading.Lock()


def say(**fields):
    with speaking:
        print(json.dumps(fields), flush=True)
