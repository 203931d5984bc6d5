import Foundation

/// The loop of libFuzzer, which mutates inputs towards new branches and calls back with each.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The parser that this process feeds, named by `APUS_FUZZ_TARGET`.
private let selected: @Sendable ([UInt8]) -> Void = {
    let name = ProcessInfo.processInfo.environment["APUS_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget.all[name] else {
        print("APUS_FUZZ_TARGET names one of: \(FuzzTarget.all.keys.sorted().joined(separator: " "))")
        exit(2)
    }
    return target
}()

/// The entry point, by the name under which the build system looks for it in a target of this name.
@_cdecl("FuzzTargets_main")
public func fuzzTargetsMain(
    _ count: CInt,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
) -> CInt {
    if count > 1, let first = arguments[1], String(cString: first) == "--list" {
        for name in FuzzTarget.all.keys.sorted() { print(name) }
        return 0
    }
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
