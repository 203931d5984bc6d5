import Foundation
import NameRegistry
import Runtime
import Synchronization

/// Answers look-ups on a thread of its own, all that wait in one transaction.
final class LookupReader {
    private static let batch = 256

    private let queue: JobQueue<Lookup>
    private let counters: StoreCounters
    private var keeper: ConnectionKeeper

    init(
        queue: JobQueue<Lookup>,
        counters: StoreCounters,
        open: @escaping @Sendable () throws(NameStoreError) -> any SQLConnection
    ) {
        self.queue = queue
        self.counters = counters
        keeper = ConnectionKeeper(open: open)
    }

    func run() {
        while let lookups = queue.take(upTo: Self.batch) {
            do throws(NameStoreError) {
                let sql = try keeper.connection(now: SystemTime().now)
                try sql.beginReading()
                answer(lookups, StoreTransaction(sql))
                sql.rollback()
            } catch {
                for lookup in lookups { lookup.fail(error) }
            }
        }
        keeper.close()
    }

    private func answer(_ lookups: [Lookup], _ transaction: StoreTransaction) {
        counters.lookups.add(UInt64(lookups.count), ordering: .relaxed)
        for lookup in lookups {
            do throws(NameStoreError) {
                switch lookup {
                case .name(let name, let answer):
                    answer(.success(try transaction.find(name)))
                case .account(let account, let answer):
                    answer(.success(try transaction.find(account)))
                }
            } catch {
                lookup.fail(error)
            }
        }
    }
}

/// Runs longer reads on a thread of its own, so that look-ups do not wait for them.
final class BodyReader {
    private let queue: JobQueue<ReadBody>
    private var keeper: ConnectionKeeper

    init(queue: JobQueue<ReadBody>, open: @escaping @Sendable () throws(NameStoreError) -> any SQLConnection) {
        self.queue = queue
        keeper = ConnectionKeeper(open: open)
    }

    func run() {
        while let bodies = queue.take(upTo: 1) {
            for body in bodies {
                do throws(NameStoreError) {
                    let sql = try keeper.connection(now: SystemTime().now)
                    try sql.beginReading()
                    body.run(StoreTransaction(sql))
                    sql.rollback()
                } catch {
                    body.fail(error)
                }
            }
        }
        keeper.close()
    }
}
