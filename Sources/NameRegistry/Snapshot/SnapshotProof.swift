public import Ethereum

/// The way from a leaf of a snapshot to its root.
///
/// Source: names protocol, "Snapshot".
public struct SnapshotPath: Hashable, Sendable {
    public enum Side: String, Hashable, Sendable {
        case left
        case right
    }

    /// The node beside the way, and on which side it is.
    public struct Step: Hashable, Sendable {
        public let hash: Word
        public let side: Side

        public init(hash: Word, side: Side) {
            self.hash = hash
            self.side = side
        }
    }

    /// From the leaf up.
    public let steps: [Step]

    /// The longest way that is accepted, far more than any registry needs.
    public static let maximumStepCount = 64

    public init(steps: [Step]) {
        self.steps = steps
    }

    /// The root that a leaf leads to; `nil` for a way that is too long.
    public func root(of leaf: Word) -> Word? {
        guard steps.count <= Self.maximumStepCount else { return nil }
        return steps.reduce(leaf) { hash, step in
            step.side == .left ? SnapshotHash.node(step.hash, hash) : SnapshotHash.node(hash, step.hash)
        }
    }

    /// Whether a leaf that this way leads from is the first one, or the last one.
    func isOuter(_ side: Side) -> Bool {
        steps.allSatisfy { $0.side != side }
    }
}

/// A record of a snapshot with the proof that it is there.
public struct SnapshotMember: Hashable, Sendable {
    public let record: NameRecord
    public let path: SnapshotPath

    public init(record: NameRecord, path: SnapshotPath) {
        self.record = record
        self.path = path
    }

    public func isProved(by root: Word) -> Bool {
        path.root(of: SnapshotHash.leaf(record)) == root
    }
}

/// Proves that a snapshot does not have a name: by the two records between which it would be, and that nothing is between
/// them.
public struct SnapshotAbsence: Hashable, Sendable {
    /// The record before; `nil` when the name would be the first one.
    public let before: SnapshotMember?
    /// The record behind; `nil` when the name would be the last one.
    public let after: SnapshotMember?

    public init(before: SnapshotMember?, after: SnapshotMember?) {
        self.before = before
        self.after = after
    }

    public func isProved(_ name: Name, by root: Word) -> Bool {
        switch (before, after) {
        case (nil, nil): root == .zero
        case (let before?, nil):
            before.record.name < name && before.isProved(by: root) && before.path.isOuter(.right)
        case (nil, let after?):
            name < after.record.name && after.isProved(by: root) && after.path.isOuter(.left)
        case (let before?, let after?):
            before.record.name < name && name < after.record.name && before.isProved(by: root)
                && after.isProved(by: root) && Self.areNeighbours(before, after)
        }
    }

    /// Whether two ways meet at one node, which the left one reaches from its right edge and the right one from its left.
    private static func areNeighbours(_ left: SnapshotMember, _ right: SnapshotMember) -> Bool {
        let (leftSteps, rightSteps) = (left.path.steps, right.path.steps)
        var common = 0
        while common < min(leftSteps.count, rightSteps.count),
            leftSteps[leftSteps.count - 1 - common] == rightSteps[rightSteps.count - 1 - common]
        {
            common += 1
        }
        guard leftSteps.count > common, rightSteps.count > common else { return false }
        let (leftTop, rightTop) = (leftSteps.count - 1 - common, rightSteps.count - 1 - common)
        let leftInner = SnapshotPath(steps: Array(leftSteps[..<leftTop]))
        let rightInner = SnapshotPath(steps: Array(rightSteps[..<rightTop]))
        return leftSteps[leftTop].side == .right && rightSteps[rightTop].side == .left
            && leftInner.isOuter(.right) && rightInner.isOuter(.left)
            && leftInner.root(of: SnapshotHash.leaf(left.record)) == rightSteps[rightTop].hash
            && rightInner.root(of: SnapshotHash.leaf(right.record)) == leftSteps[leftTop].hash
    }
}
