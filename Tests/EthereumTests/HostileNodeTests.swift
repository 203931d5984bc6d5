import AsyncHTTPClient
import JSON
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Ethereum

/// Nodes that answer what no node should; none of it may hang, crash or fill the memory.
@Suite struct HostileNodeTests {
    @Test(arguments: [
        ("", NodeError.malformed("it is no JSON")),
        ("nonsense", .malformed("it is no JSON")),
        ("null", .malformed("the answer has another id than the question")),
        ("[]", .malformed("a batch has another count of answers than of questions")),
        (#"{"id":2}"#, .malformed("neither a result nor an error")),
        (#"{"id":3,"result":"0x1"}"#, .malformed("the answer has another id than the question")),
        (#"{"id":"2","result":"0x1"}"#, .malformed("the answer has another id than the question")),
        (#"{"result":"0x1"}"#, .malformed("the answer has another id than the question")),
        (#"{"id":2,"error":{}}"#, .malformed("an error without a code")),
        (#"{"id":2,"error":"no"}"#, .malformed("an error without a code")),
        (#"{"id":9,"error":{"code":1,"message":"x"}}"#, .malformed("the answer has another id than the question")),
        (#"{"id":null,"error":{"code":1,"message":"x"}}"#, .refused(NodeRefusal(code: 1, message: "x"))),
        (#"{"id":2,"error":{"code":1,"message":7}}"#, .refused(NodeRefusal(code: 1, message: ""))),
        (#"{"id":2,"result":null}"#, .malformed("eth_blockNumber is no number")),
        (#"{"id":2,"result":16}"#, .malformed("eth_blockNumber is no number")),
        (#"{"id":2,"result":"0x"}"#, .malformed("eth_blockNumber is no number")),
        (#"{"id":2,"result":"0x10000000000000000"}"#, .malformed("eth_blockNumber is no number")),
        (#"{"id":2,"result":["0x1"]}"#, .malformed("eth_blockNumber is no number")),
        (String(repeating: "[", count: 100_000), .tooLarge),
        (String(repeating: #"{"a":"#, count: 10_000), .tooLarge),
        ("[" + String(repeating: "0,", count: 300_000) + "0]", .tooLarge),
    ])
    func `an answer that is none is refused`(answer: String, error: NodeError) async {
        let transport = ScriptedTransport(script: { _, count in
            count == 1 ? #"{"id":1,"result":"0x60f"}"# : answer
        })
        let node = EthereumNode(transport)
        await #expect(throws: error) { try await node.blockNumber() }
    }

    @Test func `a long message of a refusal is cut`() async throws {
        let long = String(repeating: "x", count: 1 << 20)
        let node = EthereumNode(ScriptedTransport { _, _ in #"error:{"code":-1,"message":"\#(long)"}"# })
        let error = await #expect(throws: NodeError.self) { try await node.call(TransactionRequest(to: nil, data: [])) }
        #expect((error?.description.utf8.count ?? .max) < 2 * NodeRefusal.maximumMessageLength)
    }

    @Test(arguments: [
        (#"[{"id":6,"result":2},{"id":5,"result":1}]"#, nil),
        (
            #"[{"id":5,"result":1},{"id":5,"result":2}]"#,
            "an answer has an id that was not asked, or was answered already"
        ),
        (
            #"[{"id":5,"result":1},{"id":7,"result":2}]"#,
            "an answer has an id that was not asked, or was answered already"
        ),
        (#"[{"id":5,"result":1}]"#, "a batch has another count of answers than of questions"),
        (#"[{"id":5,"result":1},null]"#, "an answer has an id that was not asked, or was answered already"),
        (#"{"id":5,"result":1}"#, "one answer to a batch"),
    ])
    func `a batch is answered in any order, once each`(answer: String, trouble: String?) throws {
        func decode() throws(NodeError) -> [JSONValue?] {
            try NodeMessage.decode(Array(answer.utf8), firstID: 5, count: 2).map { try? $0.get() }
        }
        if let trouble {
            #expect(throws: NodeError.malformed(trouble)) { try decode() }
        } else {
            #expect(try decode() == [1, 2])
        }
    }

    @Test func `a refusal of a whole batch is the answer to each`() throws {
        let text = Array(#"{"id":null,"error":{"code":-32600,"message":"too many"}}"#.utf8)
        let answers = try NodeMessage.decode(text, firstID: 1, count: 3)
        #expect(answers == Array(repeating: .failure(NodeRefusal(code: -32_600, message: "too many")), count: 3))
    }

    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func `reading answers is total`(seed: UInt64) {
        let original = Array(#"[{"id":1,"result":{"a":[1,"\u00e4"]}},{"id":2,"error":{"code":3,"data":"0x00"}}]"#.utf8)
        var mutations = ByteMutations(seed: seed)
        for _ in 0..<500 {
            let text = mutations.next(of: original)
            if let answers = try? NodeMessage.decode(text, firstID: 1, count: 2) { #expect(answers.count == 2) }
        }
    }

    // MARK: Over HTTP

    private static let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

    private func ask(
        _ behaviour: RawServer.Behaviour,
        answerLimit: Int = 1 << 16,
        timeout: Duration = .seconds(20)
    ) async throws -> Result<UInt64, NodeError> {
        try await RawServer.run(behaviour) { port in
            let client = HTTPClient(
                eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
                configuration: HTTPNodeTransport.configuration
            )
            var options = NodeOptions.quick
            options.attemptTimeout = timeout
            let transport = HTTPNodeTransport(url: "http://127.0.0.1:\(port)", client: client, answerLimit: answerLimit)
            let node = EthereumNode(endpoints: [NodeEndpoint(name: "raw", transport: transport)], options: options)
            let result: Result<UInt64, NodeError>
            do throws(NodeError) {
                result = .success(try await node.chainID())
            } catch {
                result = .failure(error)
            }
            try await client.shutdown()
            return result
        }
    }

    @Test(.timeLimit(.minutes(1))) func `an honest answer over HTTP is read`() async throws {
        let body = #"{"jsonrpc":"2.0","id":1,"result":"0x60f"}"#
        let result = try await ask(.answer(Self.ok + "Content-Length: \(body.utf8.count)\r\n\r\n" + body))
        #expect(result == .success(1_551))
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-x\r\n\r\n",
        ]
    )
    func `other answers of HTTP make the endpoint unreachable`(answer: String) async throws {
        guard case .failure(.unreachable) = try await ask(.answer(answer)) else {
            Issue.record("it was accepted")
            return
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a closed connection makes the endpoint unreachable`() async throws {
        for behaviour in [RawServer.Behaviour.answer(""), .answer(Self.ok + "Content-Length: 100\r\n\r\n{")] {
            guard case .failure(.unreachable) = try await ask(behaviour) else {
                Issue.record("it was accepted")
                return
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func `a body beyond the limit is not read`() async throws {
        let announced = try await ask(
            .answer(Self.ok + "Content-Length: 70000\r\n\r\n" + String(repeating: " ", count: 70_000))
        )
        #expect(announced == .failure(.tooLarge))
        #expect(try await ask(.endless(Self.ok + "Transfer-Encoding: chunked\r\n\r\n")) == .failure(.tooLarge))
    }

    @Test(.timeLimit(.minutes(1))) func `a node that never answers is given up`() async throws {
        let silent = try await ask(.silent, timeout: .milliseconds(200))
        #expect(silent == .failure(.timedOut))
        let slow = try await ask(.stalling(Self.ok + "Content-Length: 100\r\n\r\n{"), timeout: .milliseconds(200))
        #expect(slow == .failure(.timedOut))
    }
}

/// A server that writes bytes to whoever connects.
private enum RawServer {
    enum Behaviour: Sendable {
        /// Writes a text after the first bytes arrive, and closes.
        case answer(String)
        /// Writes a text, then chunks without end.
        case endless(String)
        /// Writes a text and nothing more.
        case stalling(String)
        case silent
    }

    static func run<Value>(_ behaviour: Behaviour, _ body: (Int) async throws -> Value) async throws -> Value {
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(behaviour))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        do {
            let value = try await body(server.localAddress?.port ?? 0)
            try await server.close()
            return value
        } catch {
            try await server.close()
            throw error
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let behaviour: Behaviour
        private var answered = false

        init(_ behaviour: Behaviour) {
            self.behaviour = behaviour
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !answered else { return }
            answered = true
            switch behaviour {
            case .silent: break
            case .answer(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                context.close(promise: nil)
            case .stalling(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            case .endless(let text):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
                writeChunk(context)
            }
        }

        private func writeChunk(_ context: ChannelHandlerContext) {
            let chunk = ByteBuffer(string: "1000\r\n" + String(repeating: " ", count: 4_096) + "\r\n")
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(chunk)).whenSuccess { handler.value.writeChunk(bound.value) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
