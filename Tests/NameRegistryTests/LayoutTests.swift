import Ethereum
import Foundation
import Keys
import NameRegistry
import TestSupport
import Testing

struct LayoutTests {
    let vectors: JSONVector

    init() throws {
        vectors = try JSONVector(file: "jns-contract", in: .module)
    }

    @Test func `the tags of keys are those of the contracts`() {
        for tag in StoreKey.Tag.allCases {
            #expect(tag.word.hex == vectors["tags"]["jns.v1.\(tag.rawValue)"].text, "\(tag)")
        }
    }

    @Test func `the slots of a name are where the compiler puts them`() throws {
        let entries = vectors["keys"].elements
        #expect(entries.count == 3)
        for entry in entries {
            let name = try #require(Name(canonical: entry["name"].text))
            #expect(name.word.hex == entry["name32"].text)
            let keys = [
                ("owner", RegistryLayout.owner(of: name)), ("addr", RegistryLayout.account(of: name)),
                ("evidence", RegistryLayout.evidence(of: name)), ("nonce", RegistryLayout.nonce(of: name)),
            ]
            for (field, key) in keys {
                #expect(key.key.hex == entry[field]["key"].text, "\(field)")
                #expect(key.slot.hex == entry[field]["slot"].text, "\(field)")
            }
        }
    }

    @Test func `the slots of an account and of the single values are where the compiler puts them`() throws {
        let reverse = vectors["reverseKeys"][0]
        let key = RegistryLayout.name(of: try #require(Address(hex: reverse["addr"].text)).hash)
        #expect(key.key.hex == reverse["key"].text)
        #expect(key.slot.hex == reverse["slot"].text)
        let singletons = [
            ("seq", RegistryLayout.sequence), ("journal", RegistryLayout.journal), ("mode", RegistryLayout.mode),
            ("import", RegistryLayout.importOpen),
        ]
        for (field, key) in singletons {
            #expect(key.key.hex == vectors["singletons"][field]["key"].text, "\(field)")
            #expect(key.slot.hex == vectors["singletons"][field]["slot"].text, "\(field)")
        }
    }

    @Test func `the journal hashes operations as the contract does`() throws {
        let entries = vectors["journal"].elements
        #expect(entries.count == 5)
        var head = Word.zero
        for entry in entries {
            let account = try #require(Address(hex: entry["addr"].text))
            let operation = JournalOperation(
                sequence: entry["seq"].unsigned,
                kind: try #require(JournalOperation.Kind(rawValue: UInt8(entry["op"].integer))),
                name: try #require(Name(canonical: entry["name"].text)),
                owner: try #require(Address(hex: entry["owner"].text)),
                account: account.isZero ? nil : account.hash,
                evidenceDigest: try #require(Word(hex: entry["evidence"].text))
            )
            #expect(operation.digest.hex == entry["opHash"].text)
            head = operation.head(after: head)
            #expect(head.hex == entry["journal"].text)
        }
    }

    @Test func `a commitment is the one that the contract computes`() throws {
        let vector = vectors["commitment"]
        let real = try JSONVector(file: "jns-registration", in: .module)
        let registration = Registration(
            name: try #require(Name(canonical: vector["name"].text)),
            account: try #require(Address(hex: vector["addr"].text)).hash,
            owner: try #require(Address(hex: vector["owner"].text)),
            evidence: NameEvidence(publicKey: real["spkiDerHex"].hex, signature: real["signatureHex"].hex)
        )
        let commitment = Commitment.of(
            registration,
            chain: vector["chainId"].unsigned,
            logic: try #require(Address(hex: vector["logic"].text)),
            secret: try #require(Word(hex: vector["secret"].text))
        )
        #expect(commitment.hex == vector["commitment"].text)
    }

    @Test func `a word holds an address and a number`() throws {
        let address = try #require(Address(hex: "0x4F9DA333DCf4E5A53772791B95c161B2FC041859"))
        #expect(Word(address).hex == "0x0000000000000000000000004f9da333dcf4e5a53772791b95c161b2fc041859")
        #expect(Word(address).address == address)
        #expect(Word(0x0102).integer == 0x0102)
        #expect(Word(hashing: []).address == nil)
        #expect(Word(hashing: []).integer == nil)
        #expect(Word(hex: "0x00") == nil)
        #expect(Address(hex: "0x4F9DA333DCf4E5A53772791B95c161B2FC04185") == nil)
    }
}
