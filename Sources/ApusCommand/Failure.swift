import Apus
import ArgumentParser
import ControlAPI
import Foundation

/// How a failed command ends: a sentence for a person and an exit code for a script.
struct Failure: Error {
    enum Kind: Int32 {
        case refused = 1
        case notFound = 2
        case notYet = 3
        case portInUse = 4
        case folderInUse = 5
        case nameTaken = 6
        case lied = 7
        case unproved = 8
        case usage = 64
        case unavailable = 69
    }

    var kind: Kind
    var sentence: String

    private static let notFoundNames: Set<String> = [
        "accountNotFound", "noAccount", "contactNotFound", "requestNotFound", "conversationNotFound", "nameNotFound",
    ]
    private static let notYetNames: Set<String> = ["conversationNotReady", "network"]

    /// Prints what is to be said and ends the process.
    static func exit(with error: any Error) -> Never {
        switch error {
        case let failure as Failure: end(failure.sentence, failure.kind)
        case let error as RPCError:
            end(error.message, kind(of: error.data?.code ?? ""))
        case let error as ApusError: end(error.reason, .refused)
        case is ControlClient.NotRunning, is ControlClient.ConnectionLost:
            end("The daemon went away. Try again; its log is daemon.log in the data folder.", .unavailable)
        default:
            Program.exit(withError: error)
        }
    }

    private static func kind(of code: String) -> Kind {
        if notFoundNames.contains(code) { return .notFound }
        if notYetNames.contains(code) { return .notYet }
        switch code {
        case "nameServerLied": return .lied
        case "nameUnsigned": return .unproved
        default: return .refused
        }
    }

    private static func end(_ sentence: String, _ kind: Kind) -> Never {
        FileHandle.standardError.write(Data("apus: \(sentence)\n".utf8))
        Foundation.exit(kind.rawValue)
    }
}
