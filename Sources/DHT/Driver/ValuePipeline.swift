/// What waits to be opened for one get or listener, in the order in which it came.
struct ValuePipeline {
    enum Item: Sendable {
        case value(Value)
        case expired(Value.ID)
        case finished(Bool)
    }

    /// Values opened in one go elsewhere.
    static let batch = 16
    /// Items that wait at most; a flood of values beyond is dropped.
    static let capacity = 4096

    private var waiting: [Item] = []
    private(set) var isBusy = false

    mutating func append(_ item: Item) {
        if case .value = item, waiting.count >= Self.capacity { return }
        waiting.append(item)
    }

    /// The next items to work on; `nil` when there are none or some are being worked on.
    mutating func next() -> [Item]? {
        guard !isBusy, !waiting.isEmpty else { return nil }
        isBusy = true
        let batch = Array(waiting.prefix(Self.batch))
        waiting.removeFirst(batch.count)
        return batch
    }

    mutating func isDone() {
        isBusy = false
    }
}
