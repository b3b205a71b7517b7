import Glibc
package import Linux

/// A program that a test started, its output in files of their own: no pipe that nobody reads can hold it up.
package final class Command: Sendable {
    package struct Output: Sendable {
        package let exit: Linux.Process.Exit?
        package let bytes: [UInt8]
        package let errorBytes: [UInt8]
        package var text: String { String(decoding: bytes, as: UTF8.self) }
        package var errors: String { String(decoding: errorBytes, as: UTF8.self) }
        /// The exit status; 128 + N after signal N, -1 when it had to be killed by the test.
        package var status: Int32 {
            switch exit {
            case .status(let status)?: status
            case .signal(let signal)?: 128 + signal
            case nil: -1
            }
        }
    }

    package let pid: Int32
    private let process: Linux.Process
    private let output: OwnedFD
    private let errors: OwnedFD

    /// - Parameter input: a descriptor for its stdin, which stays the caller's; nil is /dev/null.
    package init(_ argv: [String], environment: [String: String] = [:], input: Int32? = nil) throws {
        let null = try Files.open("/dev/null", flags: O_RDWR)
        output = try MemoryFile.empty(name: "stdout")
        errors = try MemoryFile.empty(name: "stderr")
        var variables = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"]
        variables.merge(environment) { _, new in new }
        process = try Linux.Process.spawn(
            argv, environment: variables.map { "\($0.key)=\($0.value)" },
            descriptors: [input ?? null.rawValue, output.rawValue, errors.rawValue])
        withExtendedLifetime(null) {}
        pid = process.pid
    }

    package func signal(_ number: Int32) throws { try process.signal(number) }

    /// Waits for its end; what does not end in time is killed, and has no exit.
    package func wait(within seconds: Double = 1.5 * patience) throws -> Output {
        var exit = try process.wait(timeout: Int64(seconds * 1e9))
        if exit == nil {
            try process.signal(SIGKILL)
            _ = try process.wait(timeout: 10_000_000_000)
            exit = nil
        }
        return Output(exit: exit, bytes: try contents(output), errorBytes: try contents(errors))
    }

    /// What it has written so far.
    package func written() throws -> String { String(decoding: try contents(output), as: UTF8.self) }

    private func contents(_ file: borrowing OwnedFD) throws -> [UInt8] {
        try Files.read("/proc/self/fd/\(file.rawValue)", limit: 64 << 20)
    }

    /// Runs a program to its end.
    package static func run(
        _ argv: [String], environment: [String: String] = [:], input: [UInt8]? = nil,
        within seconds: Double = 1.5 * patience
    ) throws -> Output {
        guard let input else { return try Command(argv, environment: environment).wait(within: seconds) }
        let pipe = try DescriptorPair.pipe().take()
        let writer = pipe.second
        // Only the program may hold the reading end: its end is what ends the writing.
        let started = Swift.Result { try Command(argv, environment: environment, input: pipe.first) }
        close(pipe.first)
        let command = try started.get()
        // A program that does not read to the end is its own affair.
        let feeding = Background {
            // The signal of a broken pipe goes to the thread that writes, and would end the tests.
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &set, nil)
            try? Message.writeAll(writer, input)
            close(writer)
        }
        let output = try command.wait(within: seconds)
        try feeding.join()
        return output
    }
}
