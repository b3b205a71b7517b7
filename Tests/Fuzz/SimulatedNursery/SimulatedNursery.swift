import CNursery

// Both are called by name, without an import of this module: it knows the kernel's headers, whose `timespec` and C's cannot be seen
// by one compilation.

/// The nursery, with everything a hearthd may send, connections that come and go, and sandboxes that die.
@_silgen_name("hearth_simulated_nursery")
func simulateNursery(_ input: [UInt8]) { SimulatedNursery.requests(input) }

/// A sandbox's PID 1, with everything that may arrive on its socket.
@_silgen_name("hearth_simulated_init")
func simulateInit(_ input: [UInt8]) { SimulatedNursery.messages(input) }

/// The nursery and PID 1, whole, on a pretended kernel (SimulatedKernel/include/simulated.h says what the input is).
private enum SimulatedNursery {
    static func requests(_ input: [UInt8]) {
        run(input, control: -1) {
            do throws(Failure) {
                let sources = try MountNamespaces.Sources.open(
                    images: path("/images"), code: path("/code"), runtimes: path("/runtimes"))
                var nursery = try Nursery.start(
                    mounts: try MountNamespaces.build(from: sources), linger: 1, networks: NetworkPool(target: 2),
                    user: 990)
                sim_allow_failures()
                nursery.run()
            } catch {
                // Only without failures does the start run, so it cannot come here.
                fatalError("the nursery did not start: \(error)")
            }
        }
    }

    static func messages(_ input: [UInt8]) {
        run(input, control: SandboxInit.control) {
            let signals = cn_child_signals()
            sim_allow_failures()
            // A kernel without Landlock: there is no directory to open here.
            guard let rules = try? Landlock(abi: 0).ruleset() else { return }
            var server = InitServer(signals: Int32(signals), rules: rules, capabilities: 0)
            server.run()
        }
    }

    private static func run(_ input: [UInt8], control: Int32, _ body: @convention(c) () -> Void) {
        input.withUnsafeBufferPointer { bytes in
            sim_run(sim_input(bytes: bytes.baseAddress, count: bytes.count), control, body)
        }
    }
}
