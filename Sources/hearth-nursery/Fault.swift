import CNursery
import NurseryABI

/// Stopping at a step of a creation, for the tests that kill somebody there. Only in debug builds: in a release build the
/// flag is refused like any other that is not known, and nothing of this is in the program.
enum Fault {
    #if DEBUG
        static var flag: UInt32 { HN_CREATE_TEST_FAULT.rawValue }

        /// Whether the request's field fits its flag.
        static func isAllowed(_ request: hn_request) -> Bool {
            if request.fault == 0 { return true }
            return request.op == UInt16(HN_CREATE.rawValue) && request.flags & flag != 0
        }

        /// PID 1 has come to a step.
        static func reach(_ step: hn_fault, _ plan: BirthPlan) {
            guard plan.fault == step.rawValue else { return }
            InitServer.reportFailure(Failure(0, HN_STAGE_FAULT), of: HP_READY, cookie: 0)
            // Changing ids has cleared PDEATHSIG until the next step: what finds the parent's death then is the code that
            // follows, so it must get there.
            guard step == HN_FAULT_CREDENTIALS else { sleep() }
            var parent = cn_pollfd(fd: Nursery.childParent, events: Int16(CN_EPOLLIN), revents: 0)
            _ = cn_poll(&parent, 1, -1)
        }

        /// The nursery has come to a step.
        static func reach(_ step: hn_fault, _ plan: BirthPlan, _ nursery: borrowing Nursery) {
            guard plan.fault == step.rawValue else { return }
            var reply = Reply.make(HN_CREATE, cookie: 0)
            reply.stage = HN_STAGE_FAULT.rawValue
            nursery.send(reply)
            sleep()
        }

        private static func sleep() -> Never {
            while true {
                // A descriptor of -1 is ignored: nothing but a signal ends this.
                var nothing = cn_pollfd(fd: -1, events: 0, revents: 0)
                _ = cn_poll(&nothing, 1, -1)
            }
        }
    #else
        static var flag: UInt32 { 0 }

        @inline(__always)
        static func isAllowed(_ request: hn_request) -> Bool { request.fault == 0 }

        @inline(__always)
        static func reach(_ step: hn_fault, _ plan: BirthPlan) {}

        @inline(__always)
        static func reach(_ step: hn_fault, _ plan: BirthPlan, _ nursery: borrowing Nursery) {}
    #endif
}
