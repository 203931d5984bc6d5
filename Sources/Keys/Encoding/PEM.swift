/// The text form of DER objects (RFC 7468): lines of 64 characters between a BEGIN and an END line.
package enum PEM {
    package static func encode(_ der: [UInt8], label: String) -> String {
        String(decoding: characters(der, label: label), as: UTF8.self)
    }

    /// The same text as ASCII.
    package static func characters(_ der: [UInt8], label: String) -> [UInt8] {
        var text = Array("-----BEGIN \(label)-----\n".utf8)
        text.append(contentsOf: Base64.characters(der, lineLength: 64))
        text.append(contentsOf: "\n-----END \(label)-----\n".utf8)
        return text
    }

    /// The contents of the blocks with a label, in order.
    ///
    /// Bytes outside the blocks are skipped. The answer is `nil` when a block has no end or its content is not base64, or
    /// when there are more blocks than the limit.
    package static func decode(_ text: [UInt8], label: String, limit: Int) -> [[UInt8]]? {
        let begin = Array("-----BEGIN \(label)-----".utf8)
        let end = Array("-----END \(label)-----".utf8)
        var blocks: [[UInt8]] = []
        var position = 0
        while let start = find(begin, in: text, from: position) {
            let content = start + begin.count
            guard blocks.count < limit, let stop = find(end, in: text, from: content) else { return nil }
            guard let der = Base64.decode(text[content..<stop]) else { return nil }
            blocks.append(der)
            position = stop + end.count
        }
        return blocks
    }

    private static func find(_ pattern: [UInt8], in text: [UInt8], from start: Int) -> Int? {
        var position = start
        while position + pattern.count <= text.count {
            var matched = 0
            while matched < pattern.count, text[position + matched] == pattern[matched] { matched += 1 }
            if matched == pattern.count { return position }
            // The dashes that matched may be the start of the pattern itself, so only one is skipped.
            position += 1
        }
        return nil
    }
}
