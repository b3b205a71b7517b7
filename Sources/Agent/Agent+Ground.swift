import Glibc
import Linux
package import Logging
import Sandbox
import Wire

/// What an agent takes while it still has privilege: its socket, its groups, its nursery.
package struct AgentGround: Sendable {
    let listener: SharedFD
    let cgroups: CgroupTree
    let connection: SharedFD
    let nursery: StartedNurseryBox?

    /// Nothing of a start that failed is left: not the nursery, not its groups. One that was there before has sandboxes of
    /// its own and stays.
    func release() {
        guard nursery != nil else { return }
        if let duplicate = try? connection.duplicate() { NurseryProcess.end(duplicate) }
        // The nursery was the last of its group: the tree can go before it is reaped.
        cgroups.remove()
    }
}

extension Agent {
    /// The part of a start that needs privilege; then, with `user` in the configuration, hearthd becomes that user for good.
    ///
    /// To be called before there is a second thread: the threads that follow inherit what is given up here.
    package nonisolated static func prepare(
        _ configuration: AgentConfiguration, logger: Logger
    ) throws(AgentError) -> AgentGround {
        let user = try serviceUser(configuration)
        let state = configuration.state
        do throws(Errno) {
            for directory in [state, state + "/images", state + "/code"] {
                try Files.makeDirectories(directory, mode: 0o700)
            }
            // The first time with this user, everything that root or another one left there.
            if let user, try Files.owner(state) != user.uid { try Files.changeOwnerOfTree(state, to: user) }
            if let user {
                for directory in ["images", "code"] { try Files.changeOwner(state + "/" + directory, to: user) }
            }
            if let directory = socketDirectory(configuration), !Files.exists(directory) {
                try Files.makeDirectories(directory)
                if let user { try Files.changeOwner(directory, to: user) }
            }
        } catch {
            throw AgentError(
                .internal, "the state directory \(state): \(error)",
                remedy: "give a directory that hearthd may write to",
                errno: error)
        }
        // sun_path has 108 bytes; the nursery's socket lies in the state directory.
        for path in [configuration.socket, state + "/nursery.sock"] where path.utf8.count > 107 {
            throw .invalid("the socket path \(path) is longer than 107 bytes", remedy: "use a shorter directory")
        }
        let listener = try claimSocket(configuration)
        do throws(AgentError) {
            let ground = try takeGround(configuration, listener, user, logger)
            guard let user else { return ground }
            do throws(AgentError) {
                try become(user, configuration, ground)
            } catch {
                ground.release()
                throw error
            }
            return ground
        } catch {
            try? Files.unlink(configuration.socket)
            throw error
        }
    }

    nonisolated private static func socketDirectory(_ configuration: AgentConfiguration) -> String? {
        guard let end = configuration.socket.lastIndex(of: "/"), end != configuration.socket.startIndex else {
            return nil
        }
        return String(configuration.socket[..<end])
    }

    /// Nil where hearthd stays who it is.
    nonisolated private static func serviceUser(_ configuration: AgentConfiguration) throws(AgentError) -> UserIDs? {
        guard let text = configuration.user else { return nil }
        let user: UserIDs
        do throws(Errno) {
            user = try UserIDs(parsing: text)
        } catch {
            throw .invalid(
                "the user '\(text)': \(error == .noEntry ? "there is none of that name" : "\(error)")",
                remedy: "give a user's name, a uid, or uid:gid; 'systemd-sysusers' makes the user hearth")
        }
        if geteuid() == 0 { return user }
        guard geteuid() == user.uid else {
            throw .invalid(
                "hearthd runs as uid \(geteuid()) and cannot become '\(text)'",
                remedy: "start it as root, or without 'user'")
        }
        return nil
    }

    nonisolated private static func become(
        _ user: UserIDs, _ configuration: AgentConfiguration, _ ground: AgentGround
    ) throws(AgentError) {
        do throws(SandboxError) { try ground.cgroups.handOver(to: user) } catch { throw AgentError(error) }
        do throws(Errno) {
            for socket in [configuration.socket, configuration.state + "/nursery.sock"] where Files.exists(socket) {
                try Files.changeOwner(socket, to: user)
            }
            try Privileges.drop(to: user)
        } catch {
            throw AgentError(
                .internal, "giving up privilege for user \(user.uid): \(error)",
                remedy: "start hearthd as root with every capability, or without 'user'", errno: error)
        }
    }

    nonisolated private static func takeGround(
        _ configuration: AgentConfiguration, _ listener: SharedFD, _ user: UserIDs?, _ logger: Logger
    ) throws(AgentError) -> AgentGround {
        let cgroups: CgroupTree
        do throws(SandboxError) {
            let service = try connectService(configuration)
            cgroups = try CgroupTree(
                instance: instanceTag(configuration.state), parent: configuration.cgroupParent ?? service?.home,
                nursery: service?.process)
        } catch {
            throw AgentError(error)
        }
        let missing = configuration.requireControllers.filter { !cgroups.controllers.contains($0) }
        guard missing.isEmpty else {
            cgroups.remove()
            throw AgentError(
                .failedPrecondition, "cgroup v2 has no controller \(missing.joined(separator: ", ")) on this machine",
                remedy: "boot with cgroup_no_v1=all, or take it out of require_controllers")
        }
        if let error = cgroups.deviceFilterError {
            logger.warning(
                "sandboxes have no cgroup device filter",
                metadata: ["error": "\(error)", "details": "hearth doctor"])
        }
        if !cgroups.hasMemory || !cgroups.hasPids {
            logger.warning(
                "limits fall back to rlimits: cgroup v2 lacks controllers here",
                metadata: ["has": "\(cgroups.controllers.sorted())", "details": "hearth doctor"])
        }
        do throws(AgentError) {
            let (connection, nursery) = try findNursery(configuration, cgroups, user: user?.uid, logger)
            return AgentGround(listener: listener, cgroups: cgroups, connection: connection, nursery: nursery)
        } catch {
            cgroups.remove()
            throw error
        }
    }
}
