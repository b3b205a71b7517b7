import Glibc
package import Linux
import Wire

/// What a caller may do (SPEC section 9), by who it is at the other end of the socket.
package enum Role: Int, Sendable, Comparable {
    case observer
    case invoker
    case admin

    package static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }

    var name: String {
        switch self {
        case .observer: "observer"
        case .invoker: "invoker"
        case .admin: "admin"
        }
    }

    /// The least role that may call a method; methods that nobody knows are answered to everybody alike.
    static func needed(for method: HearthMethod) -> Role {
        switch method {
        case .info, .getFunction, .listFunctions, .listSandboxes, .listImages, .stats, .doctor, .getPlan, .pullLatency,
            .pullJournal, .predict:
            .observer
        case .invoke, .observe, .emitEvent: .invoker
        case .UNRECOGNIZED, .unspecified: .observer
        default: .admin
        }
    }
}

/// Users and groups with their roles.
package struct RoleTable: Sendable, Equatable {
    private var users: [UInt32: Role] = [:]
    private var groups: [UInt32: Role] = [:]
    /// For everybody else who may open the socket; nil refuses them.
    package var others: Role?

    package init() {}

    /// A user or group named for several roles has the highest.
    package mutating func give(_ role: Role, user: UInt32) { users[user] = max(users[user] ?? role, role) }
    package mutating func give(_ role: Role, group: UInt32) { groups[group] = max(groups[group] ?? role, role) }

    /// Everybody has at least this role.
    package mutating func giveEverybody(_ role: Role) { others = max(others ?? role, role) }

    /// The highest role that fits, of the user, the group, and every supplementary group. Root and the agent's own user are
    /// admin unless the table names them.
    package func role(of peer: UnixSocket.PeerCredentials) -> Role? {
        var found = users[peer.uid]
        if found == nil, peer.uid == 0 || peer.uid == geteuid() { found = .admin }
        let byGroup = ([peer.gid] + peer.groups).compactMap { groups[$0] }.max()
        return [found, byGroup, others].compactMap(\.self).max()
    }
}
