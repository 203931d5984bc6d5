import NIOCore
import NIOPosix
import Synchronization

/// Records that were read and checked together.
struct DumpBatch: Sendable {
    var records: [DumpRecord]
    /// Where the next batch begins in the file.
    var end: Int
    var isLast: Bool
    var isWhole: Bool
}

/// Reads a dump and checks its evidence on threads that may block.
final class DumpSource: Sendable {
    private let reader: Mutex<DumpReader>
    private let verifies: Bool
    let byteCount: Int
    let fingerprint: String

    init(path: String, offset: Int, verifies: Bool) throws(NameImportError) {
        let reader = try DumpReader(path: path, offset: offset)
        byteCount = reader.byteCount
        fingerprint = try reader.fingerprint()
        self.reader = Mutex(reader)
        self.verifies = verifies
    }

    /// The next records; checking signatures takes all processors.
    func next(_ count: Int, on pool: NIOThreadPool) async throws -> DumpBatch {
        let (objects, read) = try await pool.runIfActive { try self.read(count) }
        let slice = max(1, (objects.count + System.coreCount - 1) / System.coreCount)
        var batch = read
        batch.records = try await withThrowingTaskGroup(of: (Int, [DumpRecord]).self) { [verifies] group in
            for start in stride(from: 0, to: objects.count, by: slice) {
                group.addTask {
                    let end = min(objects.count, start + slice)
                    return try await pool.runIfActive {
                        (start, objects[start..<end].map { DumpRecord($0, verifies: verifies) })
                    }
                }
            }
            let slices = try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            return slices.sorted { $0.key < $1.key }.flatMap(\.value)
        }
        return batch
    }

    private func read(_ count: Int) throws -> ([[UInt8]], DumpBatch) {
        try reader.withLock { reader in
            var objects: [[UInt8]] = []
            while objects.count < count, let object = try reader.next() { objects.append(object) }
            let batch = DumpBatch(
                records: [],
                end: reader.offset,
                isLast: reader.hasEnded,
                isWhole: reader.isWhole
            )
            return (objects, batch)
        }
    }
}
