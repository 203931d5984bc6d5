import Ethereum
import Foundation
import Keys
import NameRegistry
import NameServer
import Runtime
import TestSupport
import Testing

/// Dumps of old servers.
@Suite(.timeLimit(.minutes(2))) struct NameImportTests {
    private let place: StorePlace
    private let real: JSONVector

    init() async throws {
        place = try await StorePlace(.sqlite)
        real = try JSONVector(file: "jns-registration", in: .module)
    }

    private func write(_ text: String) throws -> String {
        let path = place.folder.path + "/dump.json"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private static func record(_ name: String, _ number: Int, _ more: String = "") -> String {
        """
        {"name": "\(name)", "addr": "0x\(Sample.account(number).hex)", "owner": "0x\(Sample.owner(number).hash.hex)"\(more)}
        """
    }

    /// The registration that a real daemon sent, as a dump has it.
    private func realRecord(name: String? = nil, signature: String? = nil) throws -> String {
        let body = JSONVector(try JSONSerialization.jsonObject(with: Data(real["body"].text.utf8)))
        return """
            {"name":"\(name ?? real["name"].text)","addr":"0x\(body["addr"].text)","owner":"0x\(body["owner"].text)",\
            "publickey":"\(body["publickey"].text)","signature":"\(signature ?? body["signature"].text)"}
            """
    }

    @Test func `a dump with a comma too many and empty evidence is imported`() async throws {
        let path = try write(
            """
            [
            \(try realRecord()),
            \(Self.record("old-one", 1)),
            \(Self.record("old-two", 2, #", "publickey": "0", "signature": "0""#)),
            \(Self.record("old-three", 3, #", "publickey": "", "signature": null"#)),
            \(Self.record("old-four", 4, #", "publickey": 0, "signature": 0"#)),
            ]
            """
        )
        let store = try await place.open()
        var problems: [String] = []
        let report = try await NameImport(into: store).run(
            path: path,
            problem: { name, problem in problems.append("\(name): \(problem)") }
        )
        #expect(problems == [])
        #expect(report.records == 5)
        #expect(report.inserted == 5)
        #expect(report.unsigned == 4)
        #expect(report.isWhole)
        let again = try await NameImport(into: store).run(path: path)
        #expect(again.identical == 5)
        #expect(again.inserted == 0)
        let signed = try await store.find(try #require(Name(canonical: real["name"].text)))
        #expect(signed?.evidence != nil)
        let head = try await store.read { try $0.lastLocalEntry() }
        await store.close()
        try await place.expectSame(head: head, names: [])
    }

    @Test func `bad evidence, taken names and nonsense are reported and left out`() async throws {
        let path = try write(
            """
            [\(try realRecord(name: "somebody-else")),
            \(try realRecord(signature: "AAAA")),
            \(Self.record("half", 1, #", "publickey": "AAAA""#)),
            \(Self.record("Capital", 2)),
            \(Self.record("twice", 3)), \(Self.record("twice", 4)), \(Self.record("account", 3)),
            {"name": "nested", "addr": {"a": 1}}, {}, {"name": 5},
            {"name":"zero","addr":"0x0000000000000000000000000000000000000000","owner":"0x1"}]
            """
        )
        let store = try await place.open()
        var problems: [String] = []
        let report = try await NameImport(into: store).run(path: path, problem: { name, _ in problems.append(name) })
        #expect(report.records == 11)
        #expect(report.inserted == 1)
        #expect(report.badEvidence == 3)
        #expect(report.malformed == 5)
        #expect(report.nameTaken == 1)
        #expect(report.accountTaken == 1)
        #expect(problems.count == 10)
        var options = NameImport.Options()
        options.badEvidence = .unsigned
        let lenient = try await NameImport(into: store, options: options).run(path: path)
        // Of the two with the real account only the first can have a name.
        #expect(lenient.inserted == 2)
        #expect(lenient.unsigned == 2)
        await store.close()
    }

    @Test func `an import that was interrupted goes on where it was`() async throws {
        struct Interrupted: Error {}
        let path = try write("[" + (0..<100).map { Self.record("name-\($0)", $0) }.joined(separator: ",\n") + "]")
        let store = try await place.open()
        var options = NameImport.Options()
        options.batch = 10
        let cut = Task { [options] in
            try await NameImport(into: store, options: options).run(
                path: path,
                progress: { report in
                    if report.records == 30 { withUnsafeCurrentTask { $0?.cancel() } }
                }
            )
        }
        await #expect(throws: CancellationError.self) { try await cut.value }
        let rest = try await NameImport(into: store, options: options).run(path: path)
        #expect(rest.resumedAt > 0)
        #expect(rest.records == 70)
        #expect(rest.inserted == 70)
        let count = try await store.read { try $0.recordCount() }
        #expect(count == 100)
        await store.close()
    }

    @Test func `a dump that was cut off says so`() async throws {
        let store = try await place.open()
        let path = try write("[\(Self.record("name-1", 1)),\(Self.record("name-2", 2).dropLast(5))")
        let report = try await NameImport(into: store).run(path: path)
        #expect(report.inserted == 1)
        #expect(!report.isWhole)
        await store.close()
    }

    @Test(arguments: ["hello", "[1]", "[\"name\"]", "[{\"name\":\"" + String(repeating: "a", count: 70_000) + "\"}]"])
    func `a file that is no dump is refused`(_ text: String) async throws {
        let store = try await place.open()
        let path = try write(text)
        await #expect(throws: NameImportError.self) { try await NameImport(into: store).run(path: path) }
        await #expect(throws: NameImportError.self) { try await NameImport(into: store).run(path: path + "-missing") }
        await store.close()
    }
}
