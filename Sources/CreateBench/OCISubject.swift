import Glibc
import Linux

/// crun or runc: `RUNTIME run` on a bundle like the floor's sandbox, each container in a cgroup below one of our own.
package final class OCISubject: CreateSubject {
    package let name: String
    private let runtime: String
    private let floor: String
    private let program: String
    private var bundle: OCIBundle?
    private var helper: HelperSubject?
    private var cgroupDirectory: String?

    /// - Parameters:
    ///   - runtime: path of the runtime.
    ///   - floor: path of hearth-floor, which starts it.
    ///   - program: path of the static program (hearth-stamp).
    package init(name: String, runtime: String, floor: String, program: String) {
        self.name = name
        self.runtime = runtime
        self.floor = floor
        self.program = program
    }

    package nonisolated(nonsending) func prepare() async throws(BenchError) {
        let mountPoint = try about("reading the mounts") { () throws(Errno) in try Cgroup.mountPoint() }
        guard let mountPoint else {
            throw .nothingToMeasure("\(name) needs a cgroup v2 mount: mount -t cgroup2 none /sys/fs/cgroup")
        }
        let group = "/hearth-bench-\(name).\(getpid())"
        cgroupDirectory = mountPoint + group
        let bundle = try OCIBundle(program: program, cgroup: group + "/container")
        var argv = [floor, "spawn"]
        if mountPoint != "/sys/fs/cgroup" { argv.append("--cgroup2") }
        argv += ["--", runtime, "--root", bundle.path + "/state", "run", "--bundle", bundle.path, "hearth-bench"]
        self.bundle = consume bundle
        let helper = HelperSubject(name: name, argv: argv)
        self.helper = helper
        try await helper.prepare()
    }

    package nonisolated(nonsending) func create() async throws(BenchError) -> Int64 {
        guard let helper else { throw .helper(subject: name, said: "it is not running") }
        return try await helper.create()
    }

    package nonisolated(nonsending) func teardown() async {
        await helper?.teardown()
        helper = nil
        bundle = nil
        if let cgroupDirectory { try? Cgroup.removeTree(cgroupDirectory) }
    }
}
