import ICE
import NIOCore
import Runtime
import Testing

@Suite struct FrameDecoderTests {
    private func frames(_ pieces: [[UInt8]]) -> [[UInt8]] {
        var decoder = FrameDecoder()
        var result: [[UInt8]] = []
        for piece in pieces {
            decoder.append(ByteBuffer(bytes: piece))
            while let frame = decoder.next() { result.append(Array(frame.readableBytesView)) }
        }
        return result
    }

    @Test func `a frame may be split anywhere, also between the length bytes`() {
        let stream: [UInt8] = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9]
        for cut in 0...stream.count {
            #expect(frames([Array(stream[..<cut]), Array(stream[cut...])]) == [[1, 2, 3], [9]])
        }
        #expect(frames(stream.map { [$0] }) == [[1, 2, 3], [9]])
    }

    @Test func `the longest frame is whole only with its last byte`() {
        let payload = [UInt8](repeating: 7, count: 65_535)
        #expect(frames([[0xFF, 0xFF] + payload.dropLast()]).isEmpty)
        #expect(frames([[0xFF, 0xFF] + payload.dropLast(), [7]]) == [payload])
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func `decoding is total and holds no more than a frame`(seed: UInt64) {
        var randomness = Randomness.seeded(seed)
        var decoder = FrameDecoder()
        for _ in 0..<500 {
            decoder.append(ByteBuffer(bytes: randomness.bytes(Int.random(in: 0...4_000, using: &randomness))))
            while decoder.next() != nil {}
            #expect(decoder.pendingByteCount <= 65_536)
        }
    }
}
