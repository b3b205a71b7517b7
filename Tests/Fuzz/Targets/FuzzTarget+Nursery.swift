// Of the module SimulatedNursery, which cannot be imported beside the C library.
@_silgen_name("hearth_simulated_nursery")
private func simulateNursery(_ input: [UInt8])

@_silgen_name("hearth_simulated_init")
private func simulateInit(_ input: [UInt8])

extension FuzzTarget {
    /// The nursery, from hearthd's packets on; the kernel below it is pretended (SimulatedKernel) and fails as the input says.
    static let nurseryRequests = FuzzTarget(name: "nursery-requests", maximumLength: 8192) { simulateNursery($0) }

    /// A sandbox's PID 1, from the packets on its socket on.
    static let initMessages = FuzzTarget(name: "init-messages", maximumLength: 8192) { simulateInit($0) }
}
