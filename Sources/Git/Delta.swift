/// The delta format of packs: copies from a base and new bytes.
///
/// Source: gitformat-pack(5).
enum Delta {
    /// Rebuilds an object, of at most `limit` bytes.
    static func apply(_ delta: [UInt8], to base: [UInt8], limit: Int) throws(GitError) -> [UInt8] {
        var offset = 0
        guard try size(delta, &offset) == base.count else { throw .malformedDelta }
        let resultSize = try size(delta, &offset)
        guard resultSize <= limit else { throw .limitExceeded("size of an object") }
        var result: [UInt8] = []
        result.reserveCapacity(min(resultSize, 1 << 20))
        while offset < delta.count {
            let instruction = delta[offset]
            offset += 1
            if instruction & 0x80 != 0 {
                let start = try number(delta, &offset, presence: instruction & 0x0F, width: 4)
                let announced = try number(delta, &offset, presence: instruction >> 4 & 0x07, width: 3)
                let count = announced == 0 ? 0x10000 : announced
                guard start <= base.count, count <= base.count - start, count <= resultSize - result.count else {
                    throw .malformedDelta
                }
                result.append(contentsOf: base[start..<(start + count)])
            } else {
                let count = Int(instruction)
                guard count > 0, count <= delta.count - offset, count <= resultSize - result.count else {
                    throw .malformedDelta
                }
                result.append(contentsOf: delta[offset..<(offset + count)])
                offset += count
            }
        }
        guard result.count == resultSize else { throw .malformedDelta }
        return result
    }

    /// The size of the result a delta announces.
    static func resultSize(_ delta: [UInt8]) throws(GitError) -> Int {
        var offset = 0
        _ = try size(delta, &offset)
        return try size(delta, &offset)
    }

    private static func size(_ delta: [UInt8], _ offset: inout Int) throws(GitError) -> Int {
        var value = 0
        var shift = 0
        while true {
            guard offset < delta.count, shift <= 42 else { throw .malformedDelta }
            let byte = delta[offset]
            offset += 1
            value |= Int(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 { return value }
        }
    }

    private static func number(
        _ delta: [UInt8],
        _ offset: inout Int,
        presence: UInt8,
        width: Int
    ) throws(GitError) -> Int {
        var value = 0
        for index in 0..<width where presence >> UInt8(index) & 1 == 1 {
            guard offset < delta.count else { throw .malformedDelta }
            value |= Int(delta[offset]) << (8 * index)
            offset += 1
        }
        return value
    }
}
