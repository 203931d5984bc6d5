extension Endpoint {
    /// A set of address families.
    package struct Families: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        package init(_ family: Family) {
            rawValue = 1 << family.rawValue
        }

        package static let ipv4 = Families(.ipv4)
        package static let ipv6 = Families(.ipv6)
        package static let both: Families = [.ipv4, .ipv6]

        package func includes(_ family: Family) -> Bool {
            rawValue & 1 << family.rawValue != 0
        }

        /// The families in their order.
        package var members: [Family] {
            Family.all.filter(includes)
        }
    }
}

extension Endpoint.Family {
    package static let all: [Endpoint.Family] = [.ipv4, .ipv6]

    package var sibling: Endpoint.Family {
        self == .ipv4 ? .ipv6 : .ipv4
    }
}

/// One of something for each address family.
struct PerFamily<Element> {
    var ipv4: Element
    var ipv6: Element

    init(_ make: (Endpoint.Family) -> Element) {
        ipv4 = make(.ipv4)
        ipv6 = make(.ipv6)
    }

    subscript(family: Endpoint.Family) -> Element {
        _read {
            switch family {
            case .ipv4: yield ipv4
            case .ipv6: yield ipv6
            }
        }
        _modify {
            switch family {
            case .ipv4: yield &ipv4
            case .ipv6: yield &ipv6
            }
        }
    }
}

extension PerFamily: Sendable where Element: Sendable {}
