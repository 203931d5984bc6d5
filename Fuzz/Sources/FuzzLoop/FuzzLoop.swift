import Foundation

/// Feeds a parser with one input; it must return for every input.
public typealias FuzzTarget = @Sendable ([UInt8]) -> Void

/// The loop of libFuzzer, which mutates inputs towards new branches and calls back with each.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Set once before the loop begins, and only read then.
private nonisolated(unsafe) var selected: FuzzTarget = { _ in }

/// The main function of a program with these targets: lists them, or feeds the one that `APUS_FUZZ_TARGET` names.
public func fuzz(
    _ targets: [String: FuzzTarget],
    _ count: CInt,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    if count > 1, let first = arguments[1], String(cString: first) == "--list" {
        for name in targets.keys.sorted() { print(name) }
        return 0
    }
    guard let target = targets[ProcessInfo.processInfo.environment["APUS_FUZZ_TARGET"] ?? ""] else {
        print("APUS_FUZZ_TARGET names one of: \(targets.keys.sorted().joined(separator: " "))")
        return 2
    }
    selected = target
    var count = count
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = arguments
    return runFuzzer(&count, &arguments) { fuzzOneInput($0, $1) }
}

/// What libFuzzer calls with each input; under this name its own entry point, which is linked too, looks for it.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    selected(Array(UnsafeBufferPointer(start: bytes, count: size)))
    return 0
}
