import CLinux

/// Questions to the kernel about what it can do.
package enum Probes {
    /// The ABI version of Landlock (landlock_create_ruleset(2)); 0 where there is none or it is not switched on.
    package static func landlockABI() -> Int {
        max(0, clx_landlock_abi())
    }
}
