import Ethereum
import Foundation
import Keys
import NameRegistry
import TestSupport
import Testing

@Suite struct SnapshotTests {
    private let vector: JSONVector

    init() throws {
        vector = try JSONVector(file: "jns-contract", in: .module)["snapshot"]
    }

    private static func record(_ text: String, _ number: UInt32 = 1) throws -> NameRecord {
        NameRecord(
            name: try #require(Name(canonical: text)),
            owner: Address(InfoHash(high: 1, middle: 1, low: number)),
            account: InfoHash(high: 2, middle: 2, low: number),
            evidenceDigest: .zero
        )
    }

    private func records() throws -> [NameRecord] {
        try vector["records"].elements.map { element in
            NameRecord(
                name: try #require(Word(hex: element["name32"].text).flatMap { Name($0) }),
                owner: try #require(Address(hex: element["owner"].text)),
                account: try #require(Address(hex: element["addr"].text)).hash,
                evidenceDigest: try #require(Word(hex: element["evidence"].text))
            )
        }
    }

    @Test func `leaves, paths and the root are those of the vectors`() throws {
        let records = try records()
        let tree = SnapshotTree(leaves: records.map(SnapshotHash.leaf))
        var streamed = SnapshotRoot()
        #expect(tree.root == Word(hex: vector["root"].text))
        for (index, element) in vector["records"].elements.enumerated() {
            let leaf = SnapshotHash.leaf(records[index])
            let steps = try element["path"].elements.map { step in
                SnapshotPath.Step(
                    hash: try #require(Word(hex: step["hash"].text)),
                    side: try #require(SnapshotPath.Side(rawValue: step["side"].text))
                )
            }
            #expect(leaf == Word(hex: element["leaf"].text))
            #expect(tree.path(to: index) == SnapshotPath(steps: steps))
            #expect(SnapshotPath(steps: steps).root(of: leaf) == tree.root)
            streamed.append(records[index])
        }
        #expect(streamed.root == tree.root)
        #expect(tree.path(to: records.count) == nil)
        let example = vector["absentExample"]
        let name = try #require(Word(hex: example["name32"].text).flatMap { Name($0) })
        let (left, right) = (example["leftIndex"].integer, example["rightIndex"].integer)
        let absence = SnapshotAbsence(
            before: SnapshotMember(record: records[left], path: try #require(tree.path(to: left))),
            after: SnapshotMember(record: records[right], path: try #require(tree.path(to: right)))
        )
        #expect(absence.isProved(name, by: tree.root))
        #expect(!absence.isProved(records[left].name, by: tree.root))
        #expect(!absence.isProved(name, by: .zero))
    }

    @Test(arguments: Array(0...33)) func `of each size the streamed root is the tree's`(_ count: Int) throws {
        let leaves = (0..<count).map { Word(UInt64($0 + 1)) }
        let tree = SnapshotTree(leaves: leaves)
        var streamed = SnapshotRoot()
        for leaf in leaves { streamed.append(leaf: leaf) }
        #expect(streamed.root == tree.root)
        #expect(streamed.count == UInt64(count))
        for (index, leaf) in leaves.enumerated() {
            #expect(tree.path(to: index)?.root(of: leaf) == tree.root)
        }
    }

    @Test(arguments: [1, 2, 3, 5, 6, 7, 11]) func `only neighbours prove that a name is absent`(_ count: Int) throws {
        let records = try (0..<count).map { try Self.record("n\($0 + 10)", UInt32($0)) }
        let tree = SnapshotTree(leaves: records.map(SnapshotHash.leaf))
        let inner = records.indices.map { index in
            tree.path(to: index).map { SnapshotMember(record: records[index], path: $0) }
        }
        let members = [nil] + inner + [nil]
        let texts = ["aaa"] + (0..<count).map { "n\($0 + 10)x" }
        for (gap, text) in texts.enumerated() {
            let name = try #require(Name(canonical: text))
            for left in members.indices.dropLast() {
                for right in members.indices where right > left {
                    let absence = SnapshotAbsence(before: members[left], after: members[right])
                    #expect(absence.isProved(name, by: tree.root) == (left == gap && right == gap + 1))
                }
            }
        }
        for record in records {
            for left in members.indices.dropLast() {
                let absence = SnapshotAbsence(before: members[left], after: members[left + 1])
                #expect(!absence.isProved(record.name, by: tree.root))
            }
        }
    }

    @Test func `an empty snapshot has no name`() throws {
        let name = try #require(Name(canonical: "anybody"))
        #expect(SnapshotAbsence(before: nil, after: nil).isProved(name, by: SnapshotTree(leaves: []).root))
        #expect(!SnapshotAbsence(before: nil, after: nil).isProved(name, by: Word(1)))
    }

    @Test func `a path that is too long leads nowhere`() {
        let step = SnapshotPath.Step(hash: .zero, side: .left)
        #expect(SnapshotPath(steps: Array(repeating: step, count: 64)).root(of: .zero) != nil)
        #expect(SnapshotPath(steps: Array(repeating: step, count: 65)).root(of: .zero) == nil)
        #expect(SnapshotPath(steps: Array(repeating: step, count: 100_000)).root(of: .zero) == nil)
    }
}
