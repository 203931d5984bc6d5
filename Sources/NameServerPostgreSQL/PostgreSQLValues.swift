import CPostgreSQL
import NameServer

/// Values in the binary form of the protocol, one behind the other.
struct Parameters {
    private var bytes: [UInt8] = []
    private var ranges: [Range<Int>?] = []

    init(_ values: [SQLValue]) {
        for value in values {
            let start = bytes.count
            switch value {
            case .null:
                ranges.append(nil)
                continue
            case .integer(let number):
                for shift in stride(from: 56, through: 0, by: -8) {
                    bytes.append(UInt8(truncatingIfNeeded: number >> Int64(shift)))
                }
            case .text(let text): bytes += text.utf8
            case .bytes(let content): bytes += content
            }
            ranges.append(start..<bytes.count)
        }
        // An empty value behind all others still has an address.
        bytes.append(0)
    }

    /// Asks for a prepared statement with these values and a binary answer.
    func send(_ statement: String, on handle: OpaquePointer) -> Int32 {
        unsafe bytes.withUnsafeBytes { buffer in
            let base = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = unsafe ranges.map { range -> UnsafePointer<CChar>? in
                guard let range, let base = unsafe base else { return nil }
                return unsafe base + range.lowerBound
            }
            let lengths = ranges.map { Int32(clamping: $0?.count ?? 0) }
            let formats = [Int32](repeating: 1, count: ranges.count)
            return unsafe PQsendQueryPrepared(
                handle,
                statement,
                Int32(clamping: ranges.count),
                pointers,
                lengths,
                formats,
                1
            )
        }
    }
}

extension PostgreSQLConnection {
    /// Numbers of the types that our statements give back.
    private enum TypeNumber {
        static let bytea: Oid = 17
        static let bigint: Oid = 20
        static let text: Oid = 25
    }

    static func content(of result: OpaquePointer) -> SQLResult {
        let columns = unsafe PQnfields(result)
        let changes = unsafe PQcmdTuples(result).flatMap { unsafe Int(String(cString: $0)) } ?? 0
        // Scripts answer as text, and nobody reads that.
        guard columns > 0, unsafe PQfformat(result, 0) == 1 else { return SQLResult(rows: [], changes: changes) }
        let rows = (0..<(unsafe PQntuples(result))).map { row in
            (0..<columns).map { column in unsafe value(of: result, row, column) }
        }
        return SQLResult(rows: rows, changes: changes)
    }

    private static func value(of result: OpaquePointer, _ row: Int32, _ column: Int32) -> SQLValue {
        guard unsafe PQgetisnull(result, row, column) == 0 else { return .null }
        let start = unsafe PQgetvalue(result, row, column)
        let buffer = unsafe UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, row, column)))
        switch unsafe PQftype(result, column) {
        case TypeNumber.bytea: return .bytes(unsafe Array(buffer))
        case TypeNumber.bigint where buffer.count == 8:
            return .integer(unsafe Int64(bigEndian: buffer.loadUnaligned(as: Int64.self)))
        default: return .text(unsafe String(decoding: buffer, as: UTF8.self))
        }
    }
}
