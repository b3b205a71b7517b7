import CFuzzer
import FuzzTargets
import Glibc

/// hearth-fuzz NAME [option or corpus of libFuzzer]...: runs one target. Without arguments it lists them.
@main
struct HearthFuzz {
    /// Set once, before the fuzzer starts; C calls back without a context.
    nonisolated(unsafe) private static var target: FuzzTarget?

    static func main() {
        guard CommandLine.arguments.count > 1 else {
            for target in FuzzTarget.all { print(target.name, target.maximumLength) }
            return
        }
        guard let target = FuzzTarget.named(CommandLine.arguments[1]) else {
            print("no target '\(CommandLine.arguments[1])'; without arguments hearth-fuzz lists them")
            exit(2)
        }
        Self.target = target
        var arguments = CommandLine.arguments
        arguments.remove(at: 1)
        arguments.insert("-max_len=\(target.maximumLength)", at: 1)
        // The fuzzer keeps the pointers, so they are never freed.
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var count = Int32(arguments.count)
        let status = pointers.withUnsafeMutableBufferPointer { buffer in
            var base = buffer.baseAddress
            return LLVMFuzzerRunDriver(&count, &base) { data, size in
                HearthFuzz.target?.run(Array(UnsafeBufferPointer(start: data, count: size)))
                return 0
            }
        }
        exit(status)
    }
}
