import TestSupport
import Testing

/// What all tests of a suite share, because making it takes long.
///
/// ``SharingWorld`` makes it before the suite's first test and stops it after the last one.
protocol SharedWorld: Sendable {
    static var shared: TaskLocal<Self?> { get }

    static func start() async throws -> Self
    func stop() async
}

extension SharedWorld {
    /// The one that this suite shares.
    static func current() throws -> Self {
        guard let world = shared.get() else { throw PeerError("The suite shares no \(Self.self)") }
        return world
    }
}

/// Gives a suite its world.
struct SharingWorld<World: SharedWorld>: SuiteTrait, TestScoping {
    init(_ world: World.Type) {}

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let world = try await World.start()
        do {
            try await World.shared.withValue(world) { try await function() }
        } catch {
            await world.stop()
            throw error
        }
        await world.stop()
    }
}
