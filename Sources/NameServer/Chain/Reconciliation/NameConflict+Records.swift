import Ethereum
import JSON
import Keys
package import NameRegistry
package import Runtime

extension NameConflict {
    /// Two records of a name, both kept.
    package static func between(
        local: NameRecord,
        chain: NameRecord,
        at time: WallTime,
        resolution: String?
    ) -> NameConflict {
        NameConflict(
            id: 0,
            name: local.name,
            local: line(local),
            chain: line(chain),
            detected: time,
            resolution: resolution
        )
    }

    private static func line(_ record: NameRecord) -> String {
        var members: [String: JSONValue] = ["name": .string(record.name.text), "owner": .string(record.owner.hex)]
        if let account = record.account { members["addr"] = .string("0x" + account.hex) }
        if !record.evidenceDigest.isZero { members["evidence"] = .string(record.evidenceDigest.hex) }
        return JSONValue.object(members).line
    }
}
