/// Events in order, in storage that is used again: a warm request must not pay for an array of one event.
struct EventQueue<Event: Sendable>: Sendable {
    private var events: [Event?] = []
    private var head = 0

    mutating func append(_ event: Event) {
        events.append(event)
    }

    mutating func next() -> Event? {
        guard head < events.count else { return nil }
        // Taken out, not copied: the event's body is freed when its user is done with it.
        let event = events[head].take()
        head += 1
        if head == events.count {
            events.removeAll(keepingCapacity: true)
            head = 0
        }
        return event
    }
}
