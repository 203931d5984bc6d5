import Foundation
import Glibc
import Synchronization

/// What a real peer, or the harness around it, did wrong.
public struct PeerError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// A program that a test started.
///
/// It leads a process group of its own, which is killed with it. Nothing here waits without a deadline.
public final class ChildProcess: Sendable {
    public enum Output: Sendable {
        case discard
        /// Appended to a file.
        case file(String)
        /// Handed over line by line, on a thread of its own.
        case lines(@Sendable (String) -> Void)
    }

    public enum Exit: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    public let name: String
    public let pid: Int32
    private let input: Mutex<Int32?>
    private let exits = Mailbox<Exit>()
    private let outputEnds = Mailbox<Bool>()

    /// Starts a program, which is searched in `PATH`.
    ///
    /// The environment is exactly the given one.
    public init(
        _ arguments: [String],
        environment: [String: String] = ChildProcess.plainEnvironment,
        hasInput: Bool = false,
        output: Output = .discard,
        error: Output = .discard
    ) throws {
        Self.ignoreBrokenPipes
        name = arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? ""
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var childEnds: [Int32] = []
        defer { for end in childEnds { close(end) } }

        let inputEnd = try Self.connectInput(hasInput, &actions, &childEnds)
        let outputEnd = try Self.connect(output, to: STDOUT_FILENO, &actions, &childEnds)
        let errorEnd = try Self.connect(error, to: STDERR_FILENO, &actions, &childEnds)
        // A socket that a child holds too would not look closed to its peer.
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            guard let descriptor = Int32(entry), descriptor > STDERR_FILENO else { continue }
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF))

        var started: pid_t = 0
        let problem = Self.withCStrings(arguments) { argv in
            Self.withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                Self.spawning.withLock { _ in
                    posix_spawnp(&started, arguments.first ?? "", &actions, &attributes, argv, envp)
                }
            }
        }
        guard problem == 0 else {
            for end in [inputEnd, outputEnd, errorEnd] where end != nil { close(end ?? -1) }
            throw PeerError("Cannot start \(arguments.joined(separator: " ")): \(String(cString: strerror(problem)))")
        }
        pid = started
        input = Mutex(inputEnd)
        read(outputEnd, for: output, reportsEnd: true)
        read(errorEnd, for: error, reportsEnd: false)
        awaitExit()
    }

    /// What a program needs in order to run at all, and nothing of the person who runs the tests.
    public static let plainEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG": "C.UTF-8",
    ]

    /// A peer that died must not take the tests with it when they write to it.
    private static let ignoreBrokenPipes: Void = {
        _ = Glibc.signal(SIGPIPE, SIG_IGN)
    }()

    // MARK: Talking

    /// Writes a line to the program's standard input; false when it does not listen any more.
    @discardableResult
    public func send(_ line: String) -> Bool {
        input.withLock { descriptor in
            guard let descriptor else { return false }
            var bytes = Array((line + "\n").utf8)[...]
            while !bytes.isEmpty {
                let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else { return false }
                bytes = bytes.dropFirst(written)
            }
            return true
        }
    }

    public func closeInput() {
        input.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }

    // MARK: Ending

    public var exit: Exit? { exits.all.first }

    public func signal(_ number: Int32) {
        guard exit == nil else { return }
        kill(pid, number)
    }

    /// Kills the program and what it started in its process group.
    public func killGroup() {
        guard exit == nil else { return }
        kill(-pid, SIGKILL)
    }

    /// How the program ended, or `nil` when it still runs after the time is over.
    public func waitForExit(within timeout: Duration) async -> Exit? {
        await exits.first(within: timeout)
    }

    /// Waits until the standard output has been handed over whole.
    public func waitForOutputEnd(within timeout: Duration) async {
        _ = await outputEnds.first(within: timeout)
    }

    /// Ends the program: end of input, then SIGTERM, then SIGKILL.
    public func stop(patience: Duration = .seconds(5)) async {
        closeInput()
        guard await waitForExit(within: .milliseconds(200)) == nil else { return }
        signal(SIGTERM)
        guard await waitForExit(within: patience) == nil else { return }
        killGroup()
        _ = await waitForExit(within: .seconds(10))
    }

    deinit {
        closeInput()
        killGroup()
    }

    // MARK: Plumbing

    private static func connectInput(
        _ hasInput: Bool,
        _ actions: inout posix_spawn_file_actions_t,
        _ childEnds: inout [Int32]
    ) throws -> Int32? {
        guard hasInput else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
            return nil
        }
        let (reading, writing) = try pipe()
        childEnds.append(reading)
        posix_spawn_file_actions_adddup2(&actions, reading, STDIN_FILENO)
        return writing
    }

    private static func connect(
        _ output: Output,
        to descriptor: Int32,
        _ actions: inout posix_spawn_file_actions_t,
        _ childEnds: inout [Int32]
    ) throws -> Int32? {
        switch output {
        case .discard:
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
            return nil
        case .file(let path):
            posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
            return nil
        case .lines:
            let (reading, writing) = try pipe()
            childEnds.append(writing)
            posix_spawn_file_actions_adddup2(&actions, writing, descriptor)
            return reading
        }
    }

    /// Guards the moment between making a pipe and marking it close-on-exec, so that no child that starts meanwhile keeps
    /// an end of it open.
    private static let spawning = Mutex(())

    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        return try spawning.withLock { _ in
            guard Glibc.pipe(&ends) == 0 else { throw PeerError("Cannot make a pipe") }
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            return (ends[0], ends[1])
        }
    }

    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
    ) -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return body(copies + [nil])
    }

    private func read(_ descriptor: Int32?, for output: Output, reportsEnd: Bool) {
        guard let descriptor, case .lines(let handle) = output else {
            if reportsEnd { outputEnds.post(true) }
            return
        }
        let ends = outputEnds
        Thread.detachNewThread {
            var pending: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { break }
                pending.append(contentsOf: buffer.prefix(count))
                while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                    handle(String(decoding: pending[..<end], as: UTF8.self))
                    pending.removeFirst(end + 1)
                }
            }
            if !pending.isEmpty { handle(String(decoding: pending, as: UTF8.self)) }
            close(descriptor)
            if reportsEnd { ends.post(true) }
        }
    }

    private func awaitExit() {
        let (pid, exits) = (pid, exits)
        Thread.detachNewThread {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            let signal = status & 0x7F
            exits.post(signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal))
        }
    }
}
