import Foundation

/// A program that ran to its end.
public struct CommandResult: Sendable {
    public let command: String
    public let exit: ChildProcess.Exit
    public let output: String
    public let error: String

    public var succeeded: Bool { exit == .code(0) }

    public var lines: [String] {
        output.split(whereSeparator: \.isNewline).map(String.init)
    }

    /// This result, unless the program failed.
    public func orThrow() throws -> CommandResult {
        guard succeeded else { throw PeerError("\(command) ended with \(exit): \(error.suffix(2_000))") }
        return self
    }
}

/// Runs a program to its end.
///
/// Its output goes through files, so a daemon that it leaves behind cannot keep anybody waiting for the end of a pipe.
public func run(
    _ arguments: [String],
    environment: [String: String] = ChildProcess.plainEnvironment,
    input: String? = nil,
    within timeout: Duration = .seconds(60)
) async throws -> CommandResult {
    let folder = try TemporaryFolder()
    // An object may be let go after its last use, and this one takes its files along.
    defer { withExtendedLifetime(folder) {} }
    let (output, error) = (folder.path + "/out", folder.path + "/err")
    let child = try ChildProcess(
        arguments,
        environment: environment,
        hasInput: input != nil,
        output: .file(output),
        error: .file(error)
    )
    if let input { child.send(input) }
    child.closeInput()
    let exit = await child.waitForExit(within: timeout)
    let command = arguments.joined(separator: " ")
    let result = CommandResult(
        command: command,
        exit: exit ?? .signal(SIGKILL),
        output: (try? String(contentsOfFile: output, encoding: .utf8)) ?? "",
        error: (try? String(contentsOfFile: error, encoding: .utf8)) ?? ""
    )
    guard exit != nil else {
        child.killGroup()
        throw PeerError("\(command) did not end within \(timeout): \(result.error.suffix(2_000))")
    }
    return result
}

/// A folder that is deleted with its owner.
public final class TemporaryFolder: Sendable {
    public let path: String

    /// A new folder under `/tmp`: paths of Unix sockets must stay short.
    public init(named name: String = "apus") throws {
        var template = Array("/tmp/\(name)-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw PeerError("Cannot make a temporary folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A folder inside, made when it is missing.
    public func folder(_ name: String) throws -> String {
        let inner = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        return inner
    }

    /// Leaves the folder where it is, for a person to look at.
    public var isKept: Bool { ProcessInfo.processInfo.environment["APUS_KEEP_FOLDERS"] == "1" }

    deinit {
        if !isKept { try? FileManager.default.removeItem(atPath: path) }
    }
}

/// Asks again and again until the answer is there.
public func eventually<Answer>(
    within timeout: Duration,
    every interval: Duration = .milliseconds(100),
    _ what: String,
    isolation: isolated (any Actor)? = #isolation,
    _ ask: () async throws -> Answer?
) async throws -> Answer {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    while true {
        if let answer = try await ask() { return answer }
        guard clock.now < deadline else { throw PeerError("Not within \(timeout): \(what)") }
        try await clock.sleep(for: interval)
    }
}
