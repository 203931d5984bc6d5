import MessagePack
import Testing

@Suite struct MessagePackWriterTests {
    @Test(arguments: golden) func `golden bytes are written`(example: Golden) {
        #expect(example.value.encoded == example.bytes)
    }

    @Test(arguments: longForms) func `the shortest encoding is written`(example: Golden) throws {
        let bytes = example.value.encoded
        #expect(bytes.count < example.bytes.count)
        #expect(try MessagePackValue.decode(bytes) == example.value)
    }

    @Test(arguments: [(31, 1), (32, 2), (255, 2), (256, 3), (65_535, 3), (65_536, 5)])
    func `text takes the shortest header`(length: Int, header: Int) {
        let value = MessagePackValue.text(String(repeating: "a", count: length))
        #expect(value.encoded.count == length + header)
    }

    @Test(arguments: [(255, 2), (256, 3), (65_535, 3), (65_536, 5)])
    func `bytes take the shortest header`(length: Int, header: Int) {
        let value = MessagePackValue.binary([UInt8](repeating: 7, count: length))
        #expect(value.encoded.count == length + header)
    }

    @Test(arguments: [(15, 1), (16, 3), (65_535, 3), (65_536, 5)])
    func `containers take the shortest header`(count: Int, header: Int) {
        let elements = [MessagePackValue](repeating: .null, count: count)
        #expect(MessagePackValue.array(elements).encoded.count == count + header)
        let pairs = elements.map { MessagePackValue.Pair($0, $0) }
        #expect(MessagePackValue.map(pairs).encoded.count == 2 * count + header)
    }

    @Test func `fields are found by their text key`() {
        let value = MessagePackValue.fields(["id": .unsigned(7), "data": .binary([1, 2])])
        #expect(value["id"]?.unsigned == 7)
        #expect(value["data"]?.bytes == [1, 2])
        #expect(value["other"] == nil)
        #expect(MessagePackValue.null["id"] == nil)
    }
}
