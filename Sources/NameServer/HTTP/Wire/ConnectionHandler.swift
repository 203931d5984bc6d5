import NIOCore
import NIOHTTP1

/// One connection: one request after the other, each answered once and in time.
///
/// While a request is answered no more than one read goes on, so a client cannot pile up work. Every state has a deadline.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum State {
        case waiting
        /// A refusal waits for the end of the request, if there is one.
        case receiving(ServerRequest, limit: Int, refusal: Reply?)
        case answering(ServerRequest)
        /// The client does not read; nothing goes on before it does.
        case flushing
        /// The answer is out; what still comes is thrown away until the client has seen the answer.
        case lingering
        case closed
    }

    private let loop: LoopConnections
    private var state = State.waiting
    private var context: ChannelHandlerContext?
    private var peer = ClientKey.unknown
    private var pending = CircularBuffer<HTTPServerRequestPart>()
    private var isReadPending = false
    private var keepsConnection = true
    private var hasFailedParsing = false
    private var isInputClosed = false
    /// Tells the answer that is waited for from those that come too late.
    private var requestNumber: UInt64 = 0
    private var isProceeding = false

    /// The place in the list of the event loop.
    var index: Int?
    private(set) var deadline = NIODeadline.distantFuture
    private(set) var waitingSince = NIODeadline.now()

    /// Bytes that are thrown away behind a refusal, and for how long.
    private static let lingeringPatience = TimeAmount.seconds(2)

    init(loop: LoopConnections) {
        self.loop = loop
    }

    var isWaitingForRequest: Bool {
        if case .waiting = state { true } else { false }
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard index == nil else { return }
        peer = ClientKey(context.channel.remoteAddress)
        waitingSince = .now()
        deadline = waitingSince + TimeAmount(loop.listener.headerPatience)
        loop.add(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    private func end() {
        state = .closed
        loop.remove(self)
        pending.removeAll()
        context = nil
    }

    func closeAtOnce() {
        state = .closed
        context?.close(promise: nil)
    }

    func deadlineHasPassed() {
        deadline = .distantFuture
        switch state {
        case .answering(let request):
            ServerCounters.add(loop.responder.counters.timedOut)
            send(loop.responder.lateReply(to: request), to: request)
        case .receiving(let request, _, _):
            ServerCounters.add(loop.responder.counters.slowConnections)
            refuse(loop.responder.malformedReply(to: request), to: request)
        case .waiting, .flushing:
            ServerCounters.add(loop.responder.counters.slowConnections)
            closeAtOnce()
        case .lingering, .closed: closeAtOnce()
        }
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        switch state {
        // To stop listening for each answer would cost two calls of the system.
        case .answering where pending.isEmpty: context.read()
        case .answering, .flushing: isReadPending = true
        case .waiting, .receiving, .lingering, .closed: context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = Self.unwrapInboundIn(data)
        switch state {
        case .answering, .flushing: pending.append(part)
        case .waiting, .receiving: take(part)
        case .lingering, .closed: break
        }
    }

    private func take(_ part: HTTPServerRequestPart) {
        switch (part, state) {
        case (.head(let head), .waiting): start(head)
        case (.body(let bytes), .receiving(var request, let limit, let refusal)):
            guard refusal == nil else { return }
            guard request.body.readableBytes + bytes.readableBytes <= limit else {
                return refuse(loop.responder.malformedReply(to: request), to: request)
            }
            // The copy in the state would make the buffer copy its bytes.
            state = .waiting
            request.body.writeImmutableBuffer(bytes)
            state = .receiving(request, limit: limit, refusal: nil)
        case (.end, .receiving(let request, _, let refusal)):
            if let refusal {
                send(refusal, to: request)
            } else {
                answer(request)
            }
        case (.head, _), (.body, _), (.end, _): break
        }
    }

    private func start(_ head: HTTPRequestHead) {
        let method: ServerRequest.Method =
            switch head.method {
            case .GET: .get
            case .HEAD: .head
            case .POST: .post
            default: .other
            }
        var client = peer
        if loop.responder.trustsProxy {
            client = ForwardedFor.client(header: head.headers["x-forwarded-for"].last, peer: peer)
        }
        let request = ServerRequest(method: method, target: RequestTarget(head.uri), client: client)
        keepsConnection = head.isKeepAlive && keepsConnection
        requestNumber &+= 1
        let refusal = loop.responder.admit(request)
        let limit = NameServerListener.maximumBodySize
        deadline = .now() + TimeAmount(loop.listener.bodyPatience)
        state = .receiving(request, limit: limit, refusal: refusal)
        if let length = head.headers.first(name: "content-length"), Int(length).map({ $0 > limit }) ?? true {
            refuse(loop.responder.malformedReply(to: request), to: request)
        } else if head.version.minor >= 1, head.headers.contains(name: "expect") {
            if let refusal { return refuse(refusal, to: request) }
            let interim = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
            context?.writeAndFlush(Self.wrapOutboundOut(interim), promise: nil)
        }
    }

    // MARK: Answering

    private func answer(_ request: ServerRequest) {
        switch loop.responder.respond(to: request) {
        case .now(let reply): send(reply, to: request)
        case .soon(let work):
            let number = expectAnswer(to: request)
            let eventLoop = loop.eventLoop
            let connection = NIOLoopBound(self, eventLoop: eventLoop)
            work { reply in
                eventLoop.execute { connection.value.receive(reply(), for: number) }
            }
        case .later(let work):
            let number = expectAnswer(to: request)
            let eventLoop = loop.eventLoop
            let connection = NIOLoopBound(self, eventLoop: eventLoop)
            Task {
                let reply = await work()
                eventLoop.execute { connection.value.receive(reply, for: number) }
            }
        }
    }

    private func expectAnswer(to request: ServerRequest) -> UInt64 {
        let patience =
            request.method == .post ? loop.listener.registrationPatience : loop.listener.answerPatience
        deadline = .now() + TimeAmount(patience)
        state = .answering(request)
        return requestNumber
    }

    private func receive(_ reply: Reply, for number: UInt64) {
        guard number == requestNumber, case .answering(let request) = state else { return }
        send(reply, to: request)
    }

    /// Answers before the request is whole, and reads no further request.
    private func refuse(_ reply: Reply, to request: ServerRequest) {
        var reply = reply
        reply.closesConnection = true
        send(reply, to: request)
    }

    private func send(_ reply: Reply, to request: ServerRequest) {
        guard let context else { return }
        if reply.closesConnection || isInputClosed || hasFailedParsing { keepsConnection = false }
        requestNumber &+= 1
        let bytes = reply.encoded(
            keepsConnection: keepsConnection,
            hasBody: request.hasReplyBody,
            allocator: context.channel.allocator
        )
        guard keepsConnection else { return sendLast(bytes, context, lingers: lingers(behind: request)) }
        context.writeAndFlush(Self.wrapOutboundOut(bytes), promise: nil)
        if context.channel.isWritable {
            proceed()
        } else {
            state = .flushing
            deadline = .now() + TimeAmount(loop.listener.readingPatience)
        }
    }

    /// Whether bytes of the client may still be unread, which would make the system take the answer back.
    private func lingers(behind request: ServerRequest) -> Bool {
        if case .receiving(_, _, let refusal) = state, refusal == nil, !isInputClosed { return true }
        return hasFailedParsing || !pending.isEmpty
    }

    private func sendLast(_ bytes: ByteBuffer, _ context: ChannelHandlerContext, lingers: Bool) {
        state = lingers ? .lingering : .flushing
        pending.removeAll()
        deadline = .now() + (lingers ? Self.lingeringPatience : TimeAmount(loop.listener.readingPatience))
        context.writeAndFlush(Self.wrapOutboundOut(bytes)).assumeIsolated().whenComplete { _ in
            context.close(mode: lingers ? .output : .all, promise: nil)
        }
        if lingers { context.read() }
    }

    /// Goes on to what has come meanwhile.
    private func proceed() {
        state = .waiting
        waitingSince = .now()
        deadline = waitingSince + TimeAmount(loop.listener.idlePatience)
        // An answer that is there at once comes back to here, which must not nest as deep as a client likes.
        guard !isProceeding else { return }
        isProceeding = true
        while isReceiving, let part = pending.popFirst() { take(part) }
        isProceeding = false
        guard case .waiting = state else { return }
        if hasFailedParsing { return refuseUnreadable() }
        if isInputClosed { return closeAtOnce() }
        guard isReadPending else { return }
        isReadPending = false
        context?.read()
    }

    private var isReceiving: Bool {
        switch state {
        case .waiting, .receiving: true
        case .answering, .flushing, .lingering, .closed: false
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .flushing = state, keepsConnection, context.channel.isWritable { proceed() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: The other end

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            isInputClosed = true
            switch state {
            case .waiting, .receiving, .lingering: closeAtOnce()
            case .answering, .flushing, .closed: break
            }
        case is ChannelShouldQuiesceEvent:
            keepsConnection = false
            if case .waiting = state { closeAtOnce() }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return closeAtOnce() }
        hasFailedParsing = true
        switch state {
        case .waiting, .receiving: refuseUnreadable(isTooLong: error == .headerOverflow)
        case .answering, .flushing, .lingering, .closed: break
        }
    }

    private func refuseUnreadable(isTooLong: Bool = false) {
        ServerCounters.add(loop.responder.counters.malformedRequests)
        let request = ServerRequest(method: .get, target: .unknown, client: peer)
        let sentence = isTooLong ? "request header fields too large" : "bad request"
        let reply = Reply(isTooLong ? .headersTooLarge : .badRequest, .object { $0.add("error", sentence) })
        refuse(reply, to: request)
    }
}
