import Keys
import TestSupport
import Testing

extension InteropTests {
    /// Nodes of ours and of the real library, in both directions.
    @Suite(.needs(Peers.missingForNetworks ?? (Peers.dhtPeer == nil ? "the program DHTPeer is not built" : nil)))
    struct DHTInteropTests {
        private static let sizes = [1, 500, 700, 1280, 20_000, 60_000]

        private func bytes(_ count: Int) -> [UInt8] {
            var generator = SeededGenerator(seed: UInt64(count))
            return generator.bytes(count)
        }

        private func key(_ name: String) -> InfoHash { InfoHash(hashing: name) }

        @Test(.needs(OpenDHT.debian.missing)) func `OpenDHT 2.4.12 is met`() {
            #expect(DHTSetting.all.contains { $0.version == .debian })
        }

        @Test(.needs(OpenDHT.newest.missing)) func `OpenDHT 4.4.2 is met`() {
            #expect(DHTSetting.all.contains { $0.version == .newest })
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all, DHTSide.allCases)
        func `what a node has is found by one that joins`(setting: DHTSetting, holder side: DHTSide) async throws {
            try await DHTWorld.with(setting) { world in
                let holder = try await world.node(side)
                for count in Self.sizes {
                    // Nobody else is there yet, so the answer is that nobody confirmed it.
                    let put = try await holder.put(bytes(count), at: key("\(count)"), userType: "size")
                    #expect(!put.isConfirmed)
                }
                try await holder.put([1], at: key("mixed"), userType: "one")
                try await holder.put([2], at: key("mixed"), userType: "two words")
                let reader = try await world.node(side.other, joining: holder)
                for count in Self.sizes {
                    let found = try await reader.get(key("\(count)"))
                    #expect(found.map(\.data) == [bytes(count)])
                    #expect(found.map(\.userType) == ["size"])
                }
                #expect(try await reader.get(key("nothing")).isEmpty)
                #expect(try await reader.get(key("mixed")).count == 2)
                #expect(try await reader.get(key("mixed"), where: "WHERE user_type=one").map(\.data) == [[1]])
                #expect(try await reader.get(key("mixed"), where: "WHERE user_type=three").isEmpty)
                if side == .ours {
                    #expect(try await reader.get(key("mixed"), where: "WHERE user_type=\"two words\"").count == 1)
                    #expect(try await reader.pings() > 0)
                } else {
                    let rows = try await reader.query(key("mixed"), "SELECT id,user_type,owner WHERE value_type=0")
                    #expect(rows.sorted() == ["one", "two words"].map { "\($0) \(InfoHash.zero.hex)" })
                    #expect(try await reader.query(key("mixed"), "SELECT user_type WHERE user_type=one") == ["one "])
                }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all, DHTSide.allCases)
        func `what is put is stored by the other side`(setting: DHTSetting, storer side: DHTSide) async throws {
            try await DHTWorld.with(setting) { world in
                let storer = try await world.node(side)
                let putter = try await world.node(side.other, joining: storer)
                for count in Self.sizes {
                    let put = try await putter.put(bytes(count), at: key("\(count)"), userType: "size")
                    #expect(put.isConfirmed)
                }
                #expect(try await storer.storedValues() == Self.sizes.count)
                for count in Self.sizes {
                    // Copies that differ would come as two values.
                    #expect(try await storer.get(key("\(count)")).map(\.data) == [bytes(count)])
                }
                // A third one hears of the putter from the storer alone.
                let third = try await world.node(side.other, joining: storer)
                let before = try await third.get(key("500"))
                #expect(before.map(\.data) == [bytes(500)])
                try await eventually(within: .seconds(30), "the third node knows the putter") {
                    try await third.knows(putter) ? () : nil
                }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all, DHTSide.allCases)
        func `a listener hears what comes and what goes`(setting: DHTSetting, listener side: DHTSide) async throws {
            try await DHTWorld.with(setting) { world in
                let putter = try await world.node(side.other)
                // What only the putter has is gone when it says so.
                try await putter.put([9], at: key("room"), type: side == .ours ? nil : 5, id: 9)
                // A client stores nothing, so all that it hears comes as updates.
                let listener = try await world.node(side, joining: putter, options: side == .ours ? ["--client"] : [])
                try await listener.listen(at: key("room"))
                try await listener.hears([9], at: key("room"))
                try await putter.put([1], at: key("room"))
                try await listener.hears([1], at: key("room"))
                try await putter.put(bytes(20_000), at: key("room"))
                try await listener.hears(bytes(20_000), at: key("room"))
                #expect(!listener.hasHeardExpiration(of: "9"))

                if side == .ours {
                    try await putter.keep(type: 0, for: 2)
                    let short = try await putter.put([3], at: key("room"))
                    try await listener.hears([3], at: key("room"))
                    try await listener.hearsExpiration(of: short.id, at: key("room"))
                    #expect(try await listener.get(key("room")).allSatisfy { $0.data != [3] })
                } else {
                    // Such values live for a minute, and the putter's own copy is the only one.
                    try await putter.advance(by: 61)
                    try await listener.hearsExpiration(of: "9", at: key("room"))
                    #expect(try await listener.get(key("room")).allSatisfy { $0.data != [9] })
                }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all, DHTSide.allCases)
        func `a permanent value is refreshed, and put on nodes that come`(
            setting: DHTSetting,
            putter side: DHTSide
        ) async throws {
            // The Python module of the older version cannot put permanently.
            guard side == .ours || setting.version == .newest else { return }
            try await DHTWorld.with(setting) { world in
                let putter = try await world.node(side)
                let first = try await world.node(side.other, joining: putter)
                if side == .theirs { try await putter.keep(type: 0, for: 15) }
                try await putter.put([1], at: key("kept"), permanent: true)
                await first.kill()

                let second = try await world.node(side.other, joining: putter)
                try await eventually(within: .seconds(60), "the value is on the node that came") {
                    try await second.storedValues() == 1 ? () : nil
                }
                // One that is not refreshed goes when its time is over, beside the one that is.
                if side == .ours { try await second.keep(type: 0, for: 8) }
                try await putter.put([2], at: key("kept"))
                #expect(try await second.storedValues() == 2)
                let moments = ContinuousClock.now
                try await eventually(within: .seconds(60), every: .milliseconds(500), "the other value is gone") {
                    if side == .ours {
                        // Its refreshes come ten seconds before ten minutes are over.
                        try await putter.advance(by: 300)
                    } else {
                        // Its refreshes come every five seconds.
                        try await second.advance(by: 30)
                    }
                    return try await second.storedValues() == 1 ? () : nil
                }
                #expect(ContinuousClock.now - moments > .seconds(5))
                #expect(try await second.get(key("kept")).contains { $0.data == [1] })
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all(of: .newest))
        func `signed and encrypted values and certificates go both ways`(setting: DHTSetting) async throws {
            try await DHTWorld.with(setting) { world in
                // A real node whose only company are clients does not think that it is connected.
                let first = try await world.node(.ours)
                let theirs = try await world.node(.theirs, joining: first, "--identity")
                let ours = try await world.node(.ours, joining: theirs, "--identity", "--client")
                try await theirs.put([1, 2, 3], at: key("signed"), signed: true)
                let found = try await ours.get(key("signed"))
                #expect(found.map(\.data) == [[1, 2, 3]])
                #expect(found.map(\.owner) == [theirs.keyID])
                try await ours.put([7], at: key("mine"), signed: true)
                #expect(try await theirs.get(key("mine")).map(\.owner) == [ours.keyID])

                // Theirs is where the long id says; ours is at both places.
                let long = theirs.longKeyID
                try await eventually(within: .seconds(30), "their certificate is found") {
                    try await ours.certificate(of: long).short == theirs.keyID ? () : nil
                }
                let reader = try await world.node(.ours, joining: theirs)
                #expect(try await reader.certificate(of: ours.longKeyID).short == ours.keyID)
                let another = try await world.node(.ours, joining: theirs)
                #expect(try await another.certificate(of: ours.keyID).long == ours.longKeyID)
                for count in [3, 20_000] {
                    let to = key("sealed \(count)")
                    #expect(try await ours.put(bytes(count), at: to, for: long).isConfirmed)
                    let opened = try await theirs.get(to)
                    #expect(opened.map(\.data) == [bytes(count)])
                    #expect(opened.map(\.owner) == [ours.keyID])
                    let back = key("back \(count)")
                    try await ours.listen(at: back)
                    #expect(try await theirs.put(bytes(count), at: back, for: ours.longKeyID).isConfirmed)
                    #expect(try await ours.hears(bytes(count), at: back).owner == theirs.keyID)
                }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all(of: .newest), DHTSide.allCases)
        func `a listener hears the next edition of a signed value`(
            setting: DHTSetting,
            listener side: DHTSide
        ) async throws {
            try await DHTWorld.with(setting) { world in
                let putter = try await world.node(side.other, "--identity")
                let listener = try await world.node(side, joining: putter, options: side == .ours ? ["--client"] : [])
                try await listener.listen(at: key("room"))
                for edition: UInt8 in 1...3 {
                    try await putter.put([edition], at: key("room"), id: 77, signed: true)
                    #expect(try await listener.hears([edition], at: key("room")).owner == putter.keyID)
                }
                #expect(try await listener.get(key("room")).map(\.data) == [[3]])
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all.filter { $0.family == .ipv4 })
        func `a node with both protocols is between nodes with one`(setting: DHTSetting) async throws {
            try await DHTWorld.with(setting, isDual: true) { world in
                let both = try await world.lab.host("both")
                let middle = try await world.node(.ours, options: [], on: both)
                let old = try await world.node(.theirs, options: [], on: world.host(families: "4"))
                let new = try await world.node(.theirs, options: [], on: world.host(families: "6"))
                try await old.join(both.address)
                try await new.join(both.address6)
                for (count, (putter, reader)) in [(10, (old, new)), (60_000, (new, old))] {
                    #expect(try await putter.put(bytes(count), at: key("\(count)")).isConfirmed)
                    #expect(try await reader.get(key("\(count)")).map(\.data) == [bytes(count)])
                    try await reader.listen(at: key("\(count)"))
                    try await putter.put([1, 2], at: key("\(count)"))
                    try await reader.hears([1, 2], at: key("\(count)"))
                }
                // What the one in the middle puts reaches both.
                #expect(try await middle.put([3], at: key("both")).isConfirmed)
                for node in [old, new] { #expect(try await node.storedValues() > 0) }
            }
        }

        @Test(.timeLimit(.minutes(2)), arguments: DHTSetting.all(of: .debian))
        func `dhtnode takes and gives what is signed, sealed and kept`(setting: DHTSetting) async throws {
            try await DHTWorld.with(setting) { world in
                let first = try await world.node(.ours)
                let shell = try await world.shell(joining: first)
                let ours = try await world.node(.ours, joining: first, "--identity", "--client")

                try await shell.type("s theirs signed-by-them", until: "success")
                let found = try await ours.get(key("theirs"))
                #expect(found.map(\.data) == [Array("signed-by-them".utf8)])
                #expect(found.map(\.owner) == [shell.keyID])
                for edition in ["signed-by-us", "edited-by-us"] {
                    try await ours.put(
                        Array(edition.utf8),
                        at: key("ours"),
                        userType: "text/plain",
                        id: 5,
                        signed: true
                    )
                    let line = try await shell.type("g ours", until: edition)
                    #expect(line.contains("signed (v\(edition == "signed-by-us" ? 0 : 1))"))
                }

                // Both publish their certificates at the short ids of their keys.
                let theirs = try await eventually(within: .seconds(30), "their certificate is found") {
                    let known = try await ours.certificate(of: shell.keyID)
                    return known.long.isEmpty ? nil : known
                }
                #expect(theirs.short == shell.keyID)
                #expect(try await ours.certificate(of: theirs.long).short == shell.keyID)
                try await ours.put(Array("for-you".utf8), at: key("sealed"), userType: "text/plain", for: shell.keyID)
                try await shell.type("g sealed", until: "for-you")
                try await ours.listen(at: key("inbox"))
                try await shell.type("e inbox \(ours.keyID) for-us")
                #expect(try await ours.hears(Array("for-us".utf8), at: key("inbox")).owner == shell.keyID)

                // What it keeps comes to nodes that come.
                try await shell.type("pp kept stays", until: "success")
                await first.kill()
                let second = try await world.node(.ours)
                try await second.join(shell.address, shell.port)
                try await eventually(within: .seconds(60), "the value is on the node that came") {
                    try await second.storedValues() > 0 ? () : nil
                }
                #expect(try await second.get(key("kept")).map(\.data) == [Array("stays".utf8)])
            }
        }
    }
}
