import Foundation
import Runtime

/// The lines that were typed, in a file of the data folder.
struct LineHistory {
    static let limit = 1000
    private static let sizeLimit = 4 << 20

    let folder: String
    let name: String

    func load() -> [String] {
        guard let content = try? DurableFile.read("\(folder)/\(name)", limit: Self.sizeLimit) else { return [] }
        return String(decoding: content, as: UTF8.self).split(separator: "\n").suffix(Self.limit).map { String($0) }
    }

    /// Keeps the last lines; a history that cannot be written is not worth a word.
    func save(_ lines: [String]) {
        try? FileManager.default.createDirectory(
            atPath: folder,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let kept = lines.suffix(Self.limit).map { $0.replacing("\n", with: " ") }.joined(separator: "\n")
        try? DurableFile.write(Array((kept + "\n").utf8), to: name, in: folder)
    }
}
