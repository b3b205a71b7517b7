import FoundationEssentials
import Linux
import Testing

@testable import CreateBench

@Suite("OCIBundle")
struct OCIBundleTests {
    @Test("config.json is what runtimes parse, rootfs has the program and every mount's place; both go with it")
    func contents() throws {
        let path: String
        do {
            let bundle = try OCIBundle(program: "/bin/true", cgroup: "/some/group")
            path = bundle.path
            let json = try Files.read(path + "/config.json")
            let configuration = try JSONDecoder().decode(OCIBundle.Configuration.self, from: Data(json))
            #expect(configuration.linux.cgroupsPath == "/some/group")
            #expect(configuration.process.capabilities.values.allSatisfy { $0.isEmpty })
            #expect(configuration.process.noNewPrivileges)
            #expect(configuration.linux.uidMappings[0].size == 65536)
            let copy = try Files.read(path + "/rootfs/app/program")
            #expect(copy == (try Files.read("/bin/true")))
            for mount in configuration.mounts where mount.destination != "/dev/shm" {
                #expect(Files.exists(path + "/rootfs" + mount.destination))
            }
        }
        #expect(!Files.exists(path))
    }

    @Test("a program that cannot be read is an error and leaves no directory")
    func missingProgram() {
        #expect(throws: BenchError.self) { _ = try OCIBundle(program: "/nonexistent", cgroup: "/g") }
    }

    @Test("no system call of the list is one that a sandbox must not have")
    func allowList() {
        let names = Set(OCIBundle.allowedSystemCalls)
        #expect(names.count == OCIBundle.allowedSystemCalls.count)
        #expect(names.isSuperset(of: ["read", "write", "exit_group", "clock_gettime", "execve"]))
        #expect(names.isDisjoint(with: ["mount", "umount2", "unshare", "setns", "ptrace", "bpf", "keyctl", "reboot"]))
    }
}
