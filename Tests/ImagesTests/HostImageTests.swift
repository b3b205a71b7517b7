import Glibc
import Linux
import Testing

@testable import Images

@Suite struct HostImageTests {
    /// A made-up node with what must come along and what must not.
    func node(_ directory: TemporaryDirectory, merged: Bool = true) throws {
        try directory.write("root:$y$hash:1::::::\n", to: "node/etc/shadow", mode: 0o640)
        try directory.write("root:x:0:0:SECRET-NODE:/root:/bin/zsh\n", to: "node/etc/passwd")
        try directory.write("10.1.2.3 SECRET-HOST\n", to: "node/etc/hosts")
        try directory.write("SECRET-HOST\n", to: "node/etc/hostname")
        try directory.write("cache", to: "node/etc/ld.so.cache")
        try directory.write("hidden", to: "node/etc/timezone", mode: 0o600)
        try directory.write("-----BEGIN RSA PRIVATE KEY-----\nx\n", to: "node/etc/ssl/private/node.key", mode: 0o644)
        try directory.write("-----BEGIN PRIVATE KEY-----\nx\n", to: "node/etc/ssl/certs/careless.pem")
        try directory.write("-----BEGIN CERTIFICATE-----\nx\n", to: "node/etc/ssl/certs/ca-certificates.crt")
        try directory.link("node/etc/ssl/certs/ca.pem", to: "/usr/share/ca-certificates/ca.crt")
        try directory.link("node/etc/ssl/certs/0123.0", to: "ca.pem")
        try directory.link("node/etc/ssl/certs/private.pem", to: "../private/node.key")
        try directory.link("node/etc/ssl/certs/leak.pem", to: directory.path + "/node/etc/ssl/private/node.key")
        try directory.link("node/etc/ssl/certs/home.pem", to: directory.path + "/node/root/.profile")
        try directory.write("SECRET", to: "node/root/.profile")
        try directory.write("password", to: "node/etc/java-17-openjdk/management/jmxremote.password")
        try directory.write("x=1\n", to: "node/etc/java-17-openjdk/net.properties")
        try directory.write("[global]\n", to: "node/etc/pip.conf")
        try directory.link("node/etc/alternatives/java", to: "/usr/lib/jvm/bin/java")
        try directory.link("node/etc/alternatives/evil", to: "/root/evil")
        try directory.link("node/etc/alternatives/dots", to: "/usr/../root/evil")
        try directory.link("node/etc/localtime", to: "/usr/share/zoneinfo/Etc/UTC")
        try #require(mkfifo(directory.path + "/node/etc/services", 0o644) == 0)
        for name in ["bin", "lib"] {
            try directory.write("x", to: "node/usr/\(name)/x")
            if merged { try directory.link("node/" + name, to: "usr/" + name) }
        }
        if !merged { try directory.write("x", to: "node/bin/sh") }
    }

    @Test func takesWhatIsPublicAndNothingElse() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try node(directory)
        let image = try store.prepareHost(node: directory.path + "/node")
        #expect(image.kind == .host && image.name == "host" && image.notes.isEmpty)
        #expect(image.directory == "host-" + image.digest.prefix(12))
        let root = store.rootfs(of: image)
        #expect(try Files.readText(root + "/etc/ld.so.cache") == "cache")
        #expect(try Files.readText(root + "/etc/java-17-openjdk/net.properties") == "x=1\n")
        #expect(try Files.readText(root + "/etc/passwd").contains("user:x:1000:1000"))
        #expect(try Files.readText(root + "/etc/resolv.conf").isEmpty)
        #expect(try Files.linkTarget(root + "/bin") == Array("usr/bin".utf8))
        #expect(try Files.linkTarget(root + "/etc/alternatives/java") == Array("/usr/lib/jvm/bin/java".utf8))
        #expect(
            try Files.list(root + "/etc/ssl/certs") == ["0123.0", "ca-certificates.crt", "ca.pem"])
        for name in [
            "etc/shadow", "etc/gshadow", "etc/timezone", "etc/ssl/private", "etc/services", "etc/pip.conf",
            "etc/java-17-openjdk/management/jmxremote.password", "etc/alternatives/evil", "etc/alternatives/dots",
            "root/.profile",
        ] { #expect(!Files.exists(root + "/" + name), "\(name)") }
        for path in try directory.everything() where path.hasPrefix("images/" + image.directory) {
            let status = try Files.status(directory.path + "/" + path)
            guard status.kind == .file else { continue }
            let text = try Files.readText(directory.path + "/" + path)
            #expect(!text.contains("SECRET") && !text.contains("PRIVATE KEY") && !text.contains("$y$"), "\(path)")
        }
    }

    @Test func sameNodeSameImage() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try node(directory)
        let path = directory.path + "/node"
        let first = try store.prepareHost(node: path)
        let inode = try Files.status(store.rootfs(of: first)).identity
        #expect(try store.prepareHost(node: path) == first)
        #expect(try Files.status(store.rootfs(of: first)).identity == inode)
        #expect(try Files.list(store.root + "/.staging").isEmpty)
        // What is not taken over changes nothing; what is, makes a new image.
        try directory.write("other", to: "node/etc/shadow", mode: 0o640)
        #expect(try store.prepareHost(node: path) == first)
        try directory.write("cache 2", to: "node/etc/ld.so.cache")
        let second = try store.prepareHost(node: path)
        #expect(second.directory != first.directory)
        #expect(try store.find("host") == second)
        #expect(try store.collect(keeping: []) == [first.directory])
    }

    @Test func unmergedNodeIsSaid() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        try node(directory, merged: false)
        let image = try store.prepareHost(node: directory.path + "/node")
        #expect(image.notes.count == 1 && image.notes[0].contains("/bin apart from /usr"))
        #expect(try Files.status(store.rootfs(of: image) + "/bin").kind == .directory)
    }

    /// The machine that the tests run on.
    @Test func thisNode() throws {
        let directory = try TemporaryDirectory()
        let store = try directory.imageStore()
        let image = try store.prepareHost()
        let root = store.rootfs(of: image)
        for name in MountPoints.paths + ["home", "root", "mnt", "srv", "etc"] {
            #expect(try Files.status(root + "/" + name).kind == .directory, "\(name)")
        }
        #expect(try Files.list(root + "/root").isEmpty && Files.list(root + "/home").isEmpty)
        #expect(try Files.list(root + "/usr").isEmpty)
        let forbidden = ["shadow", "gshadow", "ssh", "sudoers", "ssl/private", "machine-id", "subuid", "fstab"]
        for name in forbidden { #expect(!Files.exists(root + "/etc/" + name), "\(name)") }

        var links = 0
        for path in try directory.everything() where path.hasPrefix("images/\(image.directory)/rootfs/") {
            let status = try Files.status(directory.path + "/" + path)
            #expect(status.mode & 0o022 == 0 || status.kind == .link, "\(path)")
            switch status.kind {
            case .file:
                let bytes = try Files.read(directory.path + "/" + path, limit: 8 << 20)
                #expect(!HostFiles.holdsPrivateKey(bytes), "\(path)")
            case .link:
                links += 1
                let target = String(decoding: try Files.linkTarget(directory.path + "/" + path), as: UTF8.self)
                let inner = String(path.dropFirst("images/\(image.directory)/rootfs/".utf8.count))
                try expectInside(target, of: inner, root: root)
            case .directory: break
            case .special: Issue.record("\(path)")
            }
        }
        #expect(links > 2)
    }

    /// A link means something in /usr (which is mounted), in the image itself, or the sandbox's own /proc, /run, /tmp.
    private func expectInside(_ target: String, of link: String, root: String) throws {
        let absolute = target.hasPrefix("/") ? target : "/" + TreePath(trusted: link).parent.text + "/" + target
        var parts: [Substring] = []
        for part in absolute.split(separator: "/") where part != "." {
            if part == ".." {
                try #require(!parts.isEmpty, "\(link) leaves the root")
                parts.removeLast()
            } else {
                parts.append(part)
            }
        }
        let first = parts.first ?? ""
        if ["usr", "proc", "run", "tmp"].contains(first) { return }
        #expect(Files.exists(root + "/" + parts.joined(separator: "/")), "\(link) -> \(target)")
    }
}
