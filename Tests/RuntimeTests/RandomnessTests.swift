import Runtime
import Testing

@Suite struct RandomnessTests {
    @Test func `one seed gives one sequence`() {
        var first = Randomness.seeded(7)
        var second = Randomness.seeded(7)
        var other = Randomness.seeded(8)
        let numbers = (0..<100).map { _ in first.next() }
        let again = (0..<100).map { _ in second.next() }
        let different = (0..<100).map { _ in other.next() }
        #expect(numbers == again)
        #expect(numbers != different)
    }

    @Test func `secure numbers do not repeat`() {
        var random = Randomness.secure
        let numbers = (0..<1_000).map { _ in random.next() }
        #expect(Set(numbers).count == numbers.count)
    }

    @Test(arguments: 0...33) func `as many bytes come as were asked for`(count: Int) {
        var random = Randomness.seeded(1)
        let bytes = random.bytes(count)
        #expect(bytes.count == count)
    }

    @Test func `durations stay in their range`() {
        var random = Randomness.seeded(1)
        for _ in 0..<1_000 {
            let duration = random.duration(in: .milliseconds(10) ... .milliseconds(20))
            #expect(duration >= .milliseconds(10) && duration <= .milliseconds(20))
        }
    }

    @Test func `a copy of a secure source does not repeat its numbers`() {
        var source = Randomness.secure
        _ = source.next()
        var copy = source
        let ours = (0..<200).map { _ in source.next() }
        let theirs = (0..<200).map { _ in copy.next() }
        #expect(Set(ours).isDisjoint(with: theirs))
    }
}
