public import JSON

extension JSONValue {
    /// A copy with another value at a place; `nil` takes the member out.
    public func replacing(_ path: [String], with value: JSONValue?) -> JSONValue {
        guard let first = path.first else { return value ?? .null }
        let rest = Array(path.dropFirst())
        switch self {
        case .object(var members):
            guard !rest.isEmpty else {
                members[first] = value
                return .object(members)
            }
            members[first] = members[first]?.replacing(rest, with: value)
            return .object(members)
        case .array(var elements):
            guard let index = Int(first), elements.indices.contains(index) else { return self }
            if rest.isEmpty, value == nil {
                elements.remove(at: index)
            } else {
                elements[index] = elements[index].replacing(rest, with: value)
            }
            return .array(elements)
        default: return self
        }
    }
}
