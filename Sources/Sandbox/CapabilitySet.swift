import CCap

/// A set of capabilities (capabilities(7)), named as libcap names them.
package struct CapabilitySet: Sendable, Hashable {
    package let mask: UInt64

    package static let none = CapabilitySet(mask: 0)

    package init(mask: UInt64) {
        self.mask = mask
    }

    /// Names such as `cap_net_bind_service` or `NET_BIND_SERVICE`, in any case.
    package init(names: [String]) throws(SandboxError) {
        var mask: UInt64 = 0
        for name in names {
            let lower = name.lowercased()
            var value: cap_value_t = 0
            // cap_from_name reads up to the first strange character: "net_admin=ep" would pass for the name.
            guard lower.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }),
                cap_from_name(lower.hasPrefix("cap_") ? lower : "cap_" + lower, &value) == 0, value < 64
            else {
                throw .invalid("'\(name)' is no capability; see capabilities(7) for their names")
            }
            mask |= 1 << UInt64(value)
        }
        self.mask = mask
    }

    package var names: [String] {
        (0..<64).filter { mask & (1 << UInt64($0)) != 0 }.map { value in
            guard let name = cap_to_name(cap_value_t(value)) else { return "cap_\(value)" }
            defer { cap_free(name) }
            return String(cString: name)
        }
    }
}
