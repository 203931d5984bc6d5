import Foundation
import Keys
import MessagePack
import Runtime
import TestSupport
import Testing

@testable import DHT

@Suite struct PacketVectorTests {
    @Test func `every captured packet decodes`() throws {
        let packets = try Vectors.packets()
        #expect(packets.count == 96)
        for vector in packets {
            let packet = try #require(try? Packet(vector["hex"].hex), "\(vector["name"].text)")
            let decoded = vector["decoded"]
            #expect(UInt64(packet.transaction) == decoded["t"].unsigned, "\(vector["name"].text)")
            #expect(UInt64(packet.network) == decoded["n"].unsigned)
            #expect(packet.isClient == decoded["s"].boolean)
            guard !decoded["p"].isPresent else {
                #expect(packet.kind == .part)
                continue
            }
            let body = [decoded["a"], decoded["r"], decoded["u"]].first { $0.isPresent }
            #expect(packet.sender.bytes == body?["id"]["$bin"].hex)
            #expect(packet.key.bytes == body?["h"]["$bin"].hex || body?["h"].isPresent == false)
        }
    }

    @Test func `every captured packet of a kind that we send is encoded byte for byte`() throws {
        var encoded = 0
        for vector in try Vectors.packets() {
            let bytes = vector["hex"].hex
            guard let again = try encode(bytes, agent: vector["decoded"]["v"].text, name: vector["name"].text) else {
                continue
            }
            #expect(Hexadecimal.encode(again) == vector["hex"].text, "\(vector["name"].text)")
            encoded += 1
        }
        #expect(encoded >= 80)
    }

    /// The packet written again from its fields; `nil` for what we never send.
    private func encode(_ bytes: [UInt8], agent: String, name: String) throws -> [UInt8]? {
        let packet = try Packet(bytes)
        let writer = PacketWriter(id: packet.sender, network: packet.network, isClient: packet.isClient, agent: agent)
        var output = MessagePackWriter()
        let transaction = packet.transaction
        switch packet.kind {
        case .request(.ping):
            writer.ping(transaction, to: &output)
        case .request(.find):
            writer.find(transaction, target: packet.target, want: packet.want, to: &output)
        case .request(.get):
            writer.get(transaction, key: packet.key, query: packet.query ?? Query(), to: &output)
        case .request(.put):
            writer.put(
                transaction,
                key: packet.key,
                values: try values(packet, bytes),
                created: packet.created,
                token: token(packet, bytes),
                to: &output
            )
        case .request(.refresh):
            writer.refresh(
                transaction,
                key: packet.key,
                valueID: packet.valueID,
                token: token(packet, bytes),
                to: &output
            )
        case .request(.listen):
            writer.listen(
                transaction,
                key: packet.key,
                socket: packet.socket,
                query: packet.query ?? Query(),
                token: token(packet, bytes),
                to: &output
            )
        case .request(.update):
            encodeUpdate(packet, bytes, writer, try values(packet, bytes), to: &output)
        case .reply:
            guard try encodeReply(packet, bytes, writer, to: &output) else { return nil }
        case .failure(let code):
            guard let failure = failure(code, name), name.hasSuffix("4.3.1") || code == 404 else { return nil }
            writer.failure(transaction, failure, to: &output)
        case .part:
            try encodePart(bytes, writer, transaction, to: &output)
        case .legacyUpdate:
            return nil
        }
        return output.bytes
    }

    private func encodeUpdate(
        _ packet: Packet,
        _ bytes: [UInt8],
        _ writer: PacketWriter,
        _ values: OutgoingValues,
        to output: inout MessagePackWriter
    ) {
        let token = token(packet, bytes)
        guard packet.values == nil else {
            return writer.update(
                packet.transaction,
                key: packet.key,
                socket: packet.socket,
                values: values,
                token: token,
                to: &output
            )
        }
        let isExpiry = !packet.expired.isEmpty
        writer.update(
            packet.transaction,
            socket: packet.socket,
            change: isExpiry ? .expired : .refreshed,
            ids: isExpiry ? packet.expired : packet.refreshed,
            token: token,
            to: &output
        )
    }

    private func encodeReply(
        _ packet: Packet,
        _ bytes: [UInt8],
        _ writer: PacketWriter,
        to output: inout MessagePackWriter
    ) throws -> Bool {
        let address = packet.address.map { Array(bytes[$0]) } ?? []
        let requester = try #require(Endpoint(address: address, port: 1))
        if packet.valueID != 0 {
            writer.confirmation(packet.transaction, of: packet.valueID, to: requester, to: &output)
            return true
        }
        let hasContent = packet.nodes4 != nil || packet.nodes6 != nil || packet.values != nil || packet.fields != nil
        guard hasContent else {
            let token = packet.token.map { Array(bytes[$0]) }
            writer.acknowledgement(packet.transaction, to: requester, token: token, to: &output)
            return true
        }
        var answer = PacketWriter.Answer(token: token(packet, bytes))
        answer.nodes4 = contacts(bytes, packet.nodes4, .ipv4)
        answer.nodes6 = contacts(bytes, packet.nodes6, .ipv6)
        answer.values = try values(packet, bytes)
        if let range = packet.fields {
            let rows = try FieldRows.decode(bytes.span.bytes.extracting(range))
            // Upstream writes whole keys where we write their ids.
            guard rows.allSatisfy({ $0.owner == nil }) else { return false }
            answer.rows = ([.id], rows.map { Value(id: $0.id ?? 0) })
        }
        writer.answer(packet.transaction, answer, to: requester, to: &output)
        return true
    }

    private func encodePart(
        _ bytes: [UInt8],
        _ writer: PacketWriter,
        _ transaction: UInt32,
        to output: inout MessagePackWriter
    ) throws {
        let piece = try #require(try MessagePackValue.decode(bytes)["p"]?.map?.first)
        writer.part(
            transaction,
            index: Int(piece.key.unsigned ?? 0),
            offset: Int(piece.value["o"]?.unsigned ?? 0),
            bytes: (piece.value["d"]?.bytes ?? [])[...],
            to: &output
        )
    }

    private func token(_ packet: Packet, _ bytes: [UInt8]) -> [UInt8] {
        packet.token.map { Array(bytes[$0]) } ?? []
    }

    private func values(_ packet: Packet, _ bytes: [UInt8]) throws -> OutgoingValues {
        guard let range = packet.values else { return .none }
        let array = try ValueArray(decoding: bytes.span.bytes.extracting(range))
        guard !array.announced.isEmpty else { return OutgoingValues(array.values.map(\.encoded)) }
        return OutgoingValues(array.announced.map { [UInt8](repeating: 0, count: $0.size) })
    }

    private func contacts(_ bytes: [UInt8], _ range: Range<Int>?, _ family: Endpoint.Family) -> [Contact] {
        var result: [Contact] = []
        if let range { _ = CompactNodes.visit(bytes.span.bytes, range, family: family) { result.append($0) } }
        return result
    }

    private func failure(_ code: UInt64, _ name: String) -> ProtocolFailure? {
        switch (code, name) {
        case (203, "error-203-get@4.3.1"): .noKey(.get)
        case (203, "error-203-listen@4.3.1"): .noKey(.listen)
        case (203, "error-203-put@4.3.1"): .noKey(.put)
        case (401, "error-401-listen@4.3.1"): .wrongToken(.listen)
        case (401, _): .wrongToken(.put)
        case (404, _): .unknownStorage
        default: nil
        }
    }
}
