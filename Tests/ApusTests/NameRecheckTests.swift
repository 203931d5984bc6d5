import Keys
import Names
import Runtime
import Testing

@testable import Apus

@Suite struct NameRecheckTests {
    private let id = InfoHash(high: 1, middle: 1, low: 1)
    private let other = InfoHash(high: 2, middle: 2, low: 2)
    private let third = InfoHash(high: 3, middle: 3, low: 3)

    private func contact(conflict: InfoHash? = nil, checked: Int64 = 0) -> ContactRow {
        var contact = ContactRow(
            id: id.hex,
            alias: "",
            added: 1,
            removed: 0,
            confirmed: true,
            banned: false,
            conversation: "",
            invited: 0,
            answerDue: false
        )
        contact.registeredName = "alice"
        contact.nameChecked = checked
        contact.nameConflict = conflict?.hex ?? ""
        return contact
    }

    @Test func `another account is warned of once, and never taken over`() {
        #expect(NameRecheck.make(.found(id), for: contact()) == .unchanged)
        #expect(NameRecheck.make(.found(other), for: contact()) == .warn(other: other))
        #expect(NameRecheck.make(.found(other), for: contact(conflict: other)) == .unchanged)
        #expect(NameRecheck.make(.found(third), for: contact(conflict: other)) == .warn(other: third))
        #expect(NameRecheck.make(.found(id), for: contact(conflict: other)) == .settled)
        #expect(NameRecheck.make(.absent, for: contact()) == .unchanged)
        #expect(NameRecheck.make(.withdrawn, for: contact(conflict: other)) == .unchanged)
    }

    @Test(arguments: [(0, false), (86_399, false), (86_400, true), (-1, true)] as [(Int64, Bool)])
    func `a name is looked up once a day`(age: Int64, isDue: Bool) {
        let now = WallTime(seconds: 1_000_000)
        let checked = now.milliseconds - age * 1000
        #expect(NameRecheck.isDue(contact(checked: checked), at: now) == isDue)
        var unnamed = contact(checked: checked)
        unnamed.registeredName = ""
        #expect(!NameRecheck.isDue(unnamed, at: now))
        var former = contact(checked: checked)
        former.removed = 2
        #expect(!NameRecheck.isDue(former, at: now))
    }
}
