import Foundation

/// The text that tells of a new commit.
///
/// Source: conversation protocol, "Notifications".
package struct CommitNotification: Equatable, Sendable {
    package var conversation: String
    package var commit: String
    /// The device that has the commit.
    package var device: String

    package init(conversation: String, commit: String, device: String) {
        self.conversation = conversation
        self.commit = commit
        self.device = device
    }

    private struct Body: Codable {
        var commit: String
        var deviceId: String
        var id: String
    }

    /// The largest body that is read.
    static let sizeLimit = 4096

    /// Reads any JSON object with the three members.
    package init?(decoding text: String) {
        guard text.utf8.count <= Self.sizeLimit,
            let body = try? JSONDecoder().decode(Body.self, from: Data(text.utf8))
        else { return nil }
        self.init(conversation: body.id, commit: body.commit, device: body.deviceId)
    }

    package var encoded: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = Body(commit: commit, deviceId: device, id: conversation)
        guard let data = try? encoder.encode(body) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
