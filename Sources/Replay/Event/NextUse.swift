/// When each function is asked for next: only clairvoyants may look.
struct NextUse {
    /// The next request of each function, and the request of the same function after each request; -1 for none.
    private var next: [Int32] = []
    private var following: [Int32] = []
    private let trace: EventTrace
    private static let never = Int64.max / 4
    /// Requests looked ahead at most for a function with many idle sandboxes.
    private static let farthestLook = 64

    /// Costs memory only where it is `needed`.
    init(_ trace: EventTrace, needed: Bool) {
        self.trace = trace
        guard needed else { return }
        next = [Int32](repeating: -1, count: trace.units.count)
        following = [Int32](repeating: -1, count: trace.requests.count)
        for index in trace.requests.indices.reversed() {
            let unit = Int(trace.requests[index].unit)
            following[index] = next[unit]
            next[unit] = Int32(index)
        }
    }

    /// Request `index` has come: its function's next use is the one after it.
    mutating func pass(_ index: Int) {
        guard !next.isEmpty else { return }
        next[Int(trace.requests[index].unit)] = following[index]
    }

    /// The arrival of the function's next request but `skipped`: a sandbox behind so many idle ones is needed then at
    /// the earliest.
    func time(_ unit: Int, skipping skipped: Int) -> Int64 {
        var request = next[unit]
        for _ in 0..<min(skipped, Self.farthestLook) {
            guard request >= 0 else { return Self.never }
            request = following[Int(request)]
        }
        return request < 0 ? Self.never : trace.requests[Int(request)].arrival
    }
}
