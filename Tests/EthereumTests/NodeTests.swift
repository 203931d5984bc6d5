import JSON
import Keys
import Runtime
import Synchronization
import TestSupport
import Testing

@testable import Ethereum

@Suite struct NodeTests {
    private static let word = Word(hashing: [1])
    private static let address = Address(hex: "0x50ae26586f6f3e242166ba49c41d08d2bd79f035") ?? .zero

    private static func log(_ block: UInt64, _ index: UInt64, address: Address = address) -> String {
        """
        {"address":"\(address.hex)","topics":["\(word.hex)"],"data":"0x01","blockNumber":"\(HexText.quantity(block))",\
        "blockHash":"\(Word(block).hex)","transactionHash":"\(word.hex)","logIndex":"\(HexText.quantity(index))"}
        """
    }

    @Test func `each method asks and reads as the standard says`() async throws {
        let transport = ScriptedTransport { method, _ in
            switch method {
            case "eth_blockNumber", "eth_estimateGas", "eth_getTransactionCount", "eth_gasPrice", "eth_getBalance":
                "\"0x10\""
            case "eth_call", "eth_getCode": "\"0x0102\""
            case "eth_getStorageAt": "\"0x01\""
            case "eth_feeHistory": #"{"baseFeePerGas":["0x1","0x2"]}"#
            default: nil
            }
        }
        let node = EthereumNode(transport)
        #expect(try await node.chainID() == 1_551)
        #expect(try await node.blockNumber() == 16)
        #expect(try await node.estimateGas(TransactionRequest(to: Self.address, data: [1])) == 16)
        #expect(try await node.transactionCount(of: Self.address, at: .pending) == 16)
        #expect(try await node.gasPrice() == 16)
        #expect(try await node.balance(of: Self.address) == 16)
        #expect(try await node.maximumPriorityFee() == 0)
        #expect(try await node.call(TransactionRequest(from: .zero, to: Self.address, value: 5, data: [1])) == [1, 2])
        #expect(try await node.code(of: Self.address, at: .number(7)) == [1, 2])
        #expect(try await node.storage(of: Self.address, slot: Self.word, at: .hash(Self.word)) == Word(1))
        #expect(try await node.baseFees(ofLast: 1) == [1, 2])
        let call = try #require(transport.parameters(of: "eth_call").first)
        #expect(
            call.line
                == #"[{"data":"0x01","from":"0x0000000000000000000000000000000000000000","to":"\#(Self.address.hex)","value":"0x5"},"latest"]"#
        )
        #expect(transport.parameters(of: "eth_getCode") == [[.string(Self.address.hex), "0x7"]])
        let atHash: JSONValue = ["blockHash": .string(Self.word.hex)]
        #expect(
            transport.parameters(of: "eth_getStorageAt") == [
                [.string(Self.address.hex), .string(Self.word.hex), atHash]
            ]
        )
    }

    @Test func `blocks are checked against their hashes`() async throws {
        let header = try BlockHeader(decoding: Vectors.proof["headerRlp"].hex)
        let hash = header.hash
        var forged = try #require(ScriptedBlock.json(header).object)
        forged["gasUsed"] = "0x1"
        let answers = Mutex([ScriptedBlock.json(header), .null, .object(forged), ScriptedBlock.json(header)])
        let node = EthereumNode(
            ScriptedTransport { method, _ in
                method.hasPrefix("eth_getBlock") ? answers.withLock { $0.removeFirst().line } : nil
            }
        )
        #expect(try await node.block(.hash(hash))?.header == header)
        #expect(try await node.block(.finalized) == nil)
        await #expect(throws: NodeError.malformed("a block whose members do not give its hash")) {
            try await node.block(.latest)
        }
        await #expect(throws: NodeError.malformed("a block of another number")) { try await node.block(.number(9_999)) }
    }

    @Test func `several blocks are asked in batches`() async throws {
        var header = try BlockHeader(decoding: Vectors.proof["headerRlp"].hex)
        let headers = (0..<10).map { number in
            header.number = UInt64(number)
            return header
        }
        let transport = ScriptedTransport { method, parameters in
            guard method == "eth_getBlockByNumber", let number = parameters[0]?.string.flatMap(HexText.integer) else {
                return nil
            }
            return headers.indices.contains(Int(number)) ? ScriptedBlock.json(headers[Int(number)]).line : "null"
        }
        var options = NodeOptions.quick
        options.batchLimit = 4
        let blocks = try await EthereumNode(transport, options: options).blocks(2...11)
        #expect(blocks.map { $0?.number } == [2, 3, 4, 5, 6, 7, 8, 9, nil, nil])
    }

    @Test func `a transaction is sent once and its hash compared`() async throws {
        let key = try EthereumKey(secret: Array(repeating: 1, count: 32))
        let transaction = try Transaction(
            chainID: 1_551,
            nonce: 0,
            fees: .legacy(gasPrice: 1),
            gasLimit: 21_000,
            to: .zero,
            data: []
        ).signed(by: key)
        let node = EthereumNode(
            ScriptedTransport { method, _ in
                method == "eth_sendRawTransaction" ? "\"\(transaction.hash.hex)\"" : nil
            }
        )
        #expect(try await node.send(transaction) == transaction.hash)
        let liar = EthereumNode(
            ScriptedTransport { method, _ in
                method == "eth_sendRawTransaction" ? "\"\(Word.zero.hex)\"" : nil
            }
        )
        await #expect(throws: NodeError.malformed("a transaction was taken under another hash")) {
            try await liar.send(transaction)
        }
        let second = ScriptedTransport { _, _ in "\"\(transaction.hash.hex)\"" }
        let first = ScriptedTransport { request, _ throws(NodeTransportError) in
            guard request["method"]?.string == "eth_chainId" else { throw .unreachable("closed") }
            return #"{"id":\#(request["id"]?.line ?? ""),"result":"0x60f"}"#
        }
        await #expect(throws: NodeError.unreachable("node 0: closed")) {
            try await EthereumNode(first, second).send(transaction)
        }
        #expect(second.methods.isEmpty)
    }

    @Test func `reverts carry the contract's reason`() async throws {
        let data = ABIFunction("Error", [.string]).encode([.string("not logic")])
        for error in [
            #"{"code":3,"message":"execution reverted","data":"\#(HexText.data(data))"}"#,
            #"{"code":-32000,"message":"reverted","data":{"data":"\#(HexText.data(data))"}}"#,
        ] {
            let node = EthereumNode(ScriptedTransport { method, _ in method == "eth_call" ? "error:" + error : nil })
            let thrown = await #expect(throws: NodeError.self) {
                try await node.call(TransactionRequest(to: .zero, data: []))
            }
            guard case .refused(let refusal) = thrown else {
                Issue.record("\(String(describing: thrown))")
                continue
            }
            #expect(refusal.isRevert)
            #expect(refusal.revertReason == "not logic")
            #expect(thrown?.description == "The contract refused: not logic")
        }
    }

    @Test func `receipts are pending, done or reverted`() async throws {
        let hash = Self.word.hex
        let receipt = """
            {"transactionHash":"\(hash)","blockNumber":"0x5","blockHash":"\(Word(5).hex)","status":"STATUS",\
            "gasUsed":"0x5208","contractAddress":null,"logs":[\(Self.log(5, 0))]}
            """
        let answers = Mutex([
            "null", receipt.replacing("STATUS", with: "0x1"), receipt.replacing("STATUS", with: "0x0"),
            receipt.replacing("STATUS", with: "0x2"), receipt.replacing(hash, with: Word.zero.hex),
        ])
        let node = EthereumNode(
            ScriptedTransport { method, _ in
                method == "eth_getTransactionReceipt" ? answers.withLock { $0.removeFirst() } : nil
            }
        )
        #expect(try await node.receipt(of: Self.word) == nil)
        let done = try #require(try await node.receipt(of: Self.word))
        #expect(done.succeeded)
        #expect(done.logs.count == 1)
        #expect(done.contract == nil)
        #expect(try await node.receipt(of: Self.word)?.succeeded == false)
        await #expect(throws: NodeError.malformed("a receipt")) { try await node.receipt(of: Self.word) }
        await #expect(throws: NodeError.malformed("a receipt")) { try await node.receipt(of: Self.word) }
    }

    @Test func `a range of log entries is halved until the node answers`() async throws {
        let transport = ScriptedTransport { method, parameters in
            guard method == "eth_getLogs", let from = parameters[0]?["fromBlock"]?.string.flatMap(HexText.integer),
                let to = parameters[0]?["toBlock"]?.string.flatMap(HexText.integer)
            else { return nil }
            guard to - from < 300 else { return #"error:{"code":-32005,"message":"more than 10000 results"}"# }
            return "[" + (from...to).filter { $0 % 100 == 0 }.map { Self.log($0, 1) }.joined(separator: ",") + "]"
        }
        let node = EthereumNode(transport)
        let logs = try await node.logs(LogFilter(addresses: [Self.address], events: [Self.word]), in: 1...5_000)
        #expect(logs.map(\.blockNumber) == (1...50).map { $0 * 100 })
        let asked = transport.parameters(of: "eth_getLogs").compactMap { $0[0] }
        #expect(asked.first?["topics"]?.line == "[[\"\(Self.word.hex)\"]]")
        #expect(asked.first?["toBlock"] == "0x7d0")
    }

    @Test(arguments: [
        ("[{}]", "a log entry"),
        ("{}", "log entries are no array"),
        ("[" + log(9, 0) + "]", "a log entry outside of the blocks that were asked for"),
        ("[" + log(2, 1) + "," + log(2, 1) + "]", "log entries are not in order"),
        ("[" + log(2, 1) + "," + log(1, 2) + "]", "log entries are not in order"),
        ("[" + log(2, 1, address: .zero) + "]", "a log entry that was not asked for"),
    ])
    func `log entries that were not asked for are refused`(answer: String, error: String) async {
        let node = EthereumNode(ScriptedTransport { method, _ in method == "eth_getLogs" ? answer : nil })
        await #expect(throws: NodeError.malformed(error)) {
            try await node.logs(LogFilter(addresses: [Self.address]), in: 1...3)
        }
    }

    @Test func `the next endpoint is asked when one fails, and the first again later`() async throws {
        let isDown = Mutex(true)
        let first = ScriptedTransport { request, _ throws(NodeTransportError) in
            guard isDown.withLock({ !$0 }) else { throw .unreachable("closed") }
            return #"{"id":\#(request["id"]?.line ?? ""),"result":"0x60f"}"#
        }
        let second = ScriptedTransport { method, _ in method == "eth_blockNumber" ? "\"0x2\"" : nil }
        var options = NodeOptions.quick
        options.firstPause = .milliseconds(20)
        options.longestPause = .milliseconds(20)
        let node = EthereumNode(first, second, options: options)
        #expect(try await node.blockNumber() == 2)
        #expect(first.methods == ["eth_chainId"])
        // While it pauses, it is asked last.
        isDown.withLock { $0 = false }
        let answer = try await eventually(within: .seconds(20), "the first endpoint is asked again") { () -> UInt64? in
            let number = try await node.blockNumber()
            return number == 1_551 ? number : nil
        }
        #expect(answer == 1_551)
    }

    @Test func `an endpoint of another chain is not asked`() async throws {
        let other = ScriptedTransport { method, _ in method == "eth_chainId" ? "\"0x1\"" : "\"0x63\"" }
        let right = ScriptedTransport { method, _ in method == "eth_blockNumber" ? "\"0x2\"" : nil }
        #expect(try await EthereumNode(other, right).blockNumber() == 2)
        #expect(other.methods == ["eth_chainId"])
        await #expect(throws: NodeError.otherChain(expected: 1_551, actual: 1)) {
            try await EthereumNode(other).blockNumber()
        }
    }

    @Test func `requests at once and in each second are bounded`() async throws {
        let running = Mutex((now: 0, most: 0))
        let transport = ScriptedTransport { request, _ throws(NodeTransportError) in
            running.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1)) }
            try? await Task.sleep(for: .milliseconds(2))
            running.withLock { $0.now -= 1 }
            return #"{"id":\#(request["id"]?.line ?? ""),"result":"0x60f"}"#
        }
        var options = NodeOptions()
        options.concurrentRequests = 3
        options.requestsPerSecond = 100_000
        let node = EthereumNode(transport, options: options)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 { group.addTask { _ = try await node.blockNumber() } }
            try await group.waitForAll()
        }
        #expect(running.withLock { $0.most } == 3)
        options.waitingRequests = 0
        options.concurrentRequests = 1
        let narrow = EthereumNode(transport, options: options)
        let outcomes = await withTaskGroup(of: NodeError?.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    do throws(NodeError) {
                        _ = try await narrow.blockNumber()
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.contains(.busy))
        #expect(outcomes.contains(nil))
    }

    @Test func `a quota spreads requests over time`() async throws {
        var options = NodeOptions()
        options.requestsPerSecond = 20
        let quota = RequestQuota(options, clock: SystemTime())
        let clock = ContinuousClock()
        let time = try await clock.measure {
            for _ in 0..<26 {
                try await quota.enter()
                await quota.leave()
            }
        }
        // Twenty at once, then one each 50 ms.
        #expect(time >= .milliseconds(250))
    }

    @Test func `waiting for a turn ends when it is cancelled`() async throws {
        var options = NodeOptions()
        options.concurrentRequests = 1
        let quota = RequestQuota(options, clock: SystemTime())
        try await quota.enter()
        let waiting = Task { () -> NodeError? in
            do throws(NodeError) {
                try await quota.enter()
                return nil
            } catch {
                return error
            }
        }
        waiting.cancel()
        #expect(await waiting.value == .cancelled)
        await quota.leave()
        try await quota.enter()
    }

    @Test func `operators agree, contradict, are behind or silent`() async throws {
        var header = try BlockHeader(decoding: Vectors.proof["headerRlp"].hex)
        header.number = 10
        func node(final: UInt64, gasUsed: UInt64 = 0) -> EthereumNode {
            var header = header
            header.gasUsed = gasUsed
            let blocks = [10, final].map { number in
                header.number = number
                return ScriptedBlock.json(header)
            }
            return EthereumNode(
                ScriptedTransport { method, parameters in
                    guard method == "eth_getBlockByNumber" else { return nil }
                    return (parameters[0] == "finalized" ? blocks[1] : blocks[0]).line
                }
            )
        }
        let silent = EthereumNode(ScriptedTransport { _, _ throws(NodeTransportError) in throw .unreachable("closed") })
        header.gasUsed = 0
        let operators = [node(final: 10), node(final: 12), node(final: 9), node(final: 12, gasUsed: 5), silent]
        let outcome = await QuorumTrust.ask(operators, number: 10, hash: header.hash)
        #expect([outcome.agreeing, outcome.contradicting, outcome.behind, outcome.silent] == [2, 1, 1, 1])
        #expect(QuorumTrust(needed: 2).accepts(outcome))
        #expect(!QuorumTrust(needed: 3).accepts(outcome))
    }
}
