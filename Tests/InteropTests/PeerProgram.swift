import Foundation
import Synchronization

/// Another program that a test talks to line by line.
final class PeerProgram: Sendable {
    struct Gone: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        var lines: [String] = []
        var partial: [UInt8] = []
        var isOver = false
        var waiters: [(id: Int, wakeUp: CheckedContinuation<Void, Never>)] = []
        var nextWaiter = 0
    }

    private let process: Process
    private let input: FileHandle
    private let output: FileHandle
    private let state = Mutex(State())

    /// The path of an installed program, or `nil`.
    static func path(of name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/"].map { $0 + name }.first(where: FileManager.default.isExecutableFile)
    }

    init(_ path: String, _ arguments: [String]) throws {
        let inputPipe = Pipe()
        let outputPipe = Pipe()
        process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = inputPipe
        process.standardOutput = outputPipe
        process.standardError = FileHandle.nullDevice
        input = inputPipe.fileHandleForWriting
        output = outputPipe.fileHandleForReading
        output.readabilityHandler = { [weak self] handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            self?.took([UInt8](data))
        }
        try process.run()
    }

    deinit {
        stop()
    }

    func stop() {
        output.readabilityHandler = nil
        // A peer that waits for its input would not heed a polite request.
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    private func took(_ bytes: [UInt8]) {
        let waiters = state.withLock { state in
            if bytes.isEmpty { state.isOver = true }
            state.partial += bytes
            while let end = state.partial.firstIndex(of: UInt8(ascii: "\n")) {
                state.lines.append(String(decoding: state.partial[..<end], as: UTF8.self))
                state.partial.removeSubrange(...end)
            }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.wakeUp.resume() }
    }

    func send(_ line: String) throws {
        try input.write(contentsOf: Data((line + "\n").utf8))
    }

    /// The next line that passes a test; lines before it are forgotten.
    func line(
        within limit: Duration = .seconds(30),
        where matches: @escaping @Sendable (String) -> Bool
    ) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let (found, isOver) = state.withLock { state -> (String?, Bool) in
                while !state.lines.isEmpty {
                    let line = state.lines.removeFirst()
                    if matches(line) { return (line, false) }
                }
                return (nil, state.isOver)
            }
            if let found { return found }
            guard !isOver, ContinuousClock.now < deadline else {
                throw Gone(description: isOver ? "The peer ended" : "The peer did not say what was expected")
            }
            await waitForMore(until: deadline)
        }
    }

    private func waitForMore(until deadline: ContinuousClock.Instant) async {
        let id = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let alarm = Task {
            try? await Task.sleep(until: deadline)
            self.release(id)
        }
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                guard state.lines.isEmpty, !state.isOver, ContinuousClock.now < deadline else { return true }
                state.waiters.append((id, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
        alarm.cancel()
    }

    private func release(_ id: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else { return nil }
            return state.waiters.remove(at: index).wakeUp
        }
        waiter?.resume()
    }
}
