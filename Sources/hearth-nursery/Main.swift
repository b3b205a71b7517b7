import CNursery
import NurseryABI

/// hearth-nursery IMAGES CODE RUNTIMES LINGER NETWORKS [UID]
///
/// Makes sandboxes for hearthd: the only code of Hearth that needs privilege once hearthd runs. One thread, no allocator,
/// no C library. Descriptor 2 is the log, descriptor 3 a listening SOCK_SEQPACKET socket. The first three arguments are the
/// directories with images, code and the runtimes' bootstraps; LINGER is how many seconds it goes on without a hearthd;
/// NETWORKS how many network namespaces it holds ready; UID the user whose hearthd it serves, beside root's.
@main
struct Main {
    static func main() {
        do throws(Failure) {
            try start()
        } catch {
            log("cannot start", error.error)
            cn_exit(1)
        }
    }

    private static func start() throws(Failure) {
        guard 6...7 ~= cn_argument_count(), let images = cn_argument(1), let code = cn_argument(2),
            let runtimes = cn_argument(3), let linger = number(cn_argument(4)), let networks = number(cn_argument(5)),
            let peer = cn_argument_count() == 6 ? 0 : number(cn_argument(6)), let user = UInt32(exactly: peer)
        else {
            log(
                "usage: hearth-nursery IMAGES CODE RUNTIMES LINGER-SECONDS NETWORKS [UID], listening socket as descriptor 3"
            )
            cn_exit(2)
        }
        // No tenant's process may ever look into this one (CVE-2016-9962).
        _ = cn_prctl(PR_SET_DUMPABLE, 0)
        _ = cn_umask(0o022)
        cn_default_signals()
        let sources = try MountNamespaces.Sources.open(images: images, code: code, runtimes: runtimes)
        var nursery = try Nursery.start(
            mounts: try MountNamespaces.build(from: sources), linger: linger, networks: NetworkPool(target: networks),
            user: user)
        nursery.run()
    }

    /// A small decimal number.
    private static func number(_ text: UnsafePointer<CChar>?) -> Int? {
        guard let text, let length = boundedLength(text, 11), length > 0 else { return nil }
        var value = 0
        for index in 0..<length {
            let digit = Int(text[index]) - 48
            guard digit >= 0, digit <= 9 else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}
