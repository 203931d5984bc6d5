import Foundation
import Keys
import Runtime
import TestSupport

/// A node of the real library in Python: 2.4.12 as Debian has it, or a newer one.
struct PythonDHTPeer {
    let program: PeerProgram
    let port: Int
    let keyID: InfoHash

    /// Debian's Python, if it has the library.
    static let old: String? = {
        let modules = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/python3/dist-packages")) ?? []
        return modules.contains { $0.hasPrefix("opendht.") } ? PeerProgram.path(of: "python3") : nil
    }()

    /// A Python with version 4 of the library, if it could be installed.
    static let new: String? = Peers.newestOpenDHTPython

    static func start(_ interpreter: String, bootstrap: Int? = nil) async throws -> PythonDHTPeer {
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Peers/dht_peer.py").path
        let program = try PeerProgram(interpreter, [script])
        let ready = try fields(try await program.line { $0.contains("\"ready\"") })
        let peer = PythonDHTPeer(
            program: program,
            port: ready["port"].integer,
            keyID: InfoHash(hex: ready["key"].text) ?? .zero
        )
        if let bootstrap { try program.send("{\"do\": \"bootstrap\", \"port\": \(bootstrap)}") }
        return peer
    }

    private static func fields(_ line: String) throws -> JSONVector {
        JSONVector(try JSONSerialization.jsonObject(with: Data(line.utf8)))
    }

    func tell(_ command: String, key: InfoHash, data: [UInt8]? = nil, to reader: InfoHash? = nil) throws {
        var fields = ["do": command, "key": key.hex]
        if let data { fields["data"] = Hexadecimal.encode(data) }
        if let reader { fields["to"] = reader.hex }
        try program.send(String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self))
    }

    /// The next event of a kind.
    func event(_ kind: String) async throws -> JSONVector {
        try Self.fields(try await program.line { $0.contains("\"event\": \"\(kind)\"") })
    }

    /// Puts a value and waits until the peer says that it was taken.
    func put(_ data: [UInt8], at key: InfoHash, as command: String = "put", to reader: InfoHash? = nil) async throws {
        try tell(command, key: key, data: data, to: reader)
        let done = try await event("put")
        guard done["ok"].boolean else { throw PeerProgram.Gone(description: "The peer could not put") }
    }
}
