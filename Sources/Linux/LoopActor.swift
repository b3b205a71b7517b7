/// The global actor of everything that the event loop owns. Its executor is the loop's own thread, so the compiler
/// checks what a lock would only hope for: sessions, pool and sandboxes are touched by that one thread.
@globalActor
package actor LoopActor {
    package static let shared = LoopActor()

    /// The loop behind the actor.
    package static nonisolated let loop = EventLoop()

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        Self.loop.asUnownedSerialExecutor()
    }
}
