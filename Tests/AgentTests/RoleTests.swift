import AgentTestSupport
import Glibc
import HearthClient
import Linux
import Testing
import Wire

extension AgentTests {
    /// Who may do what, decided by who the kernel says is at the other end: processes of other users try.
    @Suite @TestThread
    struct RoleTests {
        private static let configuration = """
            socket_mode: "0666"
            admins: [62001]
            invokers: [62002, 62006]
            observers: [62003, 62006]
            invoker_groups: [63001]
            observer_groups: [63002]
            admin_groups: [63003]

            """

        /// Runs `hearth` as another user.
        private func hearth(
            _ agent: TestAgent, uid: UInt32, gid: UInt32, groups: [UInt32] = [], _ arguments: String...
        ) throws -> Command.Output {
            let membership =
                groups.isEmpty ? "--clear-groups" : "--groups=" + groups.map(String.init).joined(separator: ",")
            return try Command.run(
                [
                    "/usr/bin/setpriv", "--reuid=\(uid)", "--regid=\(gid)", membership,
                    try BuildProducts.executable("hearth"),
                ] + arguments, environment: ["HEARTH_SOCKET": agent.socket])
        }

        /// What the user may do, found by trying.
        private func found(_ agent: TestAgent, uid: UInt32, gid: UInt32, groups: [UInt32] = []) throws -> String {
            let list = try hearth(agent, uid: uid, gid: gid, groups: groups, "function", "list")
            let invoke = try hearth(agent, uid: uid, gid: gid, groups: groups, "invoke", "hello")
            let delete = try hearth(agent, uid: uid, gid: gid, groups: groups, "function", "delete", "nothing")
            if list.status != 0 {
                #expect(invoke.status != 0 && delete.status != 0)
                #expect(list.errors.contains("no role"), "\(list.errors)")
                return "none"
            }
            if invoke.status != 0 {
                #expect(invoke.errors.contains("the role observer may not"), "\(invoke.errors)")
                #expect(delete.errors.contains("the role observer may not"), "\(delete.errors)")
                return "observer"
            }
            #expect(invoke.text == "hello\n", "\(invoke.errors)")
            if delete.errors.contains("the role invoker may not") { return "invoker" }
            #expect(delete.errors.contains("nothing"), "\(delete.errors)")
            return "admin"
        }

        @Test func rolesComeFromUsersAndGroups() throws {
            let scratch = try ScratchDirectory()
            guard chmod(scratch.path, 0o755) == 0 else { throw Errno.current }
            let agent = try TestAgent(configuration: Self.configuration, scratch: scratch)
            try agent.client().put("hello", .command) { $0.argv = ["/bin/echo", "hello"] }
            let cases: [(UInt32, UInt32, [UInt32], String)] = [
                (62001, 62001, [], "admin"), (62002, 62002, [], "invoker"), (62003, 62003, [], "observer"),
                (62004, 62004, [], "none"),
                // The primary group, a supplementary one, the highest of several.
                (62004, 63001, [], "invoker"), (62004, 62004, [7, 63002], "observer"),
                (62004, 63002, [63001, 9], "invoker"), (62003, 62003, [63003], "admin"),
                // A list's group is no user, and the other way round.
                (63001, 62004, [], "none"), (62004, 62001, [62001], "none"),
                // Named twice.
                (62006, 62006, [], "invoker"),
            ]
            for (uid, gid, groups, expected) in cases {
                let role = try found(agent, uid: uid, gid: gid, groups: groups)
                #expect(role == expected, "uid \(uid) gid \(gid) groups \(groups)")
            }
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }

        @Test func aStarIsEverybody() throws {
            let scratch = try ScratchDirectory()
            guard chmod(scratch.path, 0o755) == 0 else { throw Errno.current }
            let agent = try TestAgent(
                configuration: "socket_mode: \"0666\"\nobservers: [\"*\"]\nadmins: [62001]\n", scratch: scratch)
            try agent.client().put("hello", .command) { $0.argv = ["/bin/echo", "hello"] }
            #expect(try found(agent, uid: 62009, gid: 62009) == "observer")
            #expect(try found(agent, uid: 62001, gid: 62009) == "admin")
            let problems = agent.stop()
            #expect(problems.isEmpty, "\(problems)")
        }
    }
}
