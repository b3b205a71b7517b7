/// A start or a claim whose memory and place are on their way: sandboxes were told to end for it.
struct Awaiting: Sendable {
    var function: Int
    var bytes: Int
    var places: Int
    /// Runs a request in an idle sandbox; else a start.
    var isClaim: Bool
}

/// First come, first served: what was promised to the ones before is not given to the ones behind, and a promise is
/// looked at again only when it is the oldest, so that a node that makes room for hundreds of starts at once does no
/// more work for each event.
struct AwaitingLine: Sendable {
    private var entries: [Awaiting] = []
    private var head = 0

    var isEmpty: Bool { head == entries.count }
    var first: Awaiting? { isEmpty ? nil : entries[head] }
    var count: Int { entries.count - head }

    mutating func append(_ entry: Awaiting) { entries.append(entry) }

    mutating func removeFirst() {
        head += 1
        if head > 64, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
    }
}

extension Pool {
    mutating func promise(_ entry: Awaiting) {
        awaiting.append(entry)
        charges.promised += entry.bytes
        charges.promisedPlaces += entry.places
        if entry.isClaim {
            functions[entry.function].awaitingClaims += 1
        } else {
            functions[entry.function].awaitingStarts += 1
            awaitingStarts += 1
        }
    }

    /// Serves the promises in order, as far as their memory has come.
    mutating func serveAwaiting() {
        while let entry = awaiting.first {
            // First in line: nothing is promised to anyone before it.
            let promised = (charges.promised, charges.promisedPlaces)
            charges.promised = 0
            charges.promisedPlaces = 0
            let outcome = serve(entry)
            charges.promised = promised.0
            charges.promisedPlaces = promised.1
            guard outcome else { return }
            awaiting.removeFirst()
            charges.promised -= entry.bytes
            charges.promisedPlaces -= entry.places
            if entry.isClaim {
                functions[entry.function].awaitingClaims -= 1
            } else {
                functions[entry.function].awaitingStarts -= 1
                awaitingStarts -= 1
            }
            refresh(entry.function)
            releaseFunction(entry.function)
        }
    }

    /// Whether the promise is done with: served, no longer wanted, or void because what it counted on is not coming.
    private mutating func serve(_ entry: Awaiting) -> Bool {
        let slot = entry.function
        guard !functions[slot].isDeleted, !functions[slot].queue.isEmpty else { return true }
        if entry.isClaim {
            guard functions[slot].idle.first >= 0 else { return true }
            let more = runCharge(functions[slot].idle.first) - sandboxes[functions[slot].idle.first].charge
            if isThere(more, places: 0, for: slot) {
                if yieldTo?.function == slot { yieldTo = nil }
                dispatch(functions[slot].queue.first, functions[slot].idle.first)
                return true
            }
            return !isComing(more, places: 0, for: slot)
        }
        guard startsNeeded(slot, besidesAwaiting: 1) > 0, now >= functions[slot].retryAt else { return true }
        let shelved = shelvedSandbox(slot)
        let bytes = max(0, startCharge(slot) - (shelved.map { sandboxes[$0].charge } ?? 0))
        let places = shelved == nil ? 1 : 0
        if isThere(bytes, places: places, for: slot) {
            if yieldTo?.function == slot { yieldTo = nil }
            begin(slot, from: shelved, .live, Origin(kind: .request))
            return true
        }
        return !isComing(bytes, places: places, for: slot)
    }

    private func isThere(_ bytes: Int, places: Int, for slot: Int) -> Bool {
        bytes <= available(for: slot) && (places == 0 || sandboxes.count + places <= configuration.maxSandboxes)
    }

    private func isComing(_ bytes: Int, places: Int, for slot: Int) -> Bool {
        bytes <= available(for: slot) + charges.evicting
            && (places == 0 || sandboxes.count - evictingCount + places <= configuration.maxSandboxes)
    }
}
