import Testing

@testable import Linux

@Suite struct MountTableTests {
    @Test func readsFieldsAndOptionalFields() {
        let text = """
            36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue
            40 35 0:3 / /proc ro,nosuid - proc proc rw
            """
        let entries = MountTable(parsing: text).entries
        #expect(entries.count == 2)
        #expect(
            entries[0]
                == MountTable.Entry(
                    mountPoint: "/mnt2", root: "/mnt1", fileSystem: "ext3", source: "/dev/root",
                    options: ["rw", "noatime"]))
        #expect(entries[1].mountPoint == "/proc" && entries[1].options == ["ro", "nosuid"])
    }

    @Test(arguments: [
        ("/a\\040b", "/a b"), ("/tab\\011", "/tab\t"), ("/line\\012x", "/line\nx"), ("/back\\134slash", "/back\\slash"),
        ("/\\134040", "/\\040"), ("/hash\\043", "/hash#"), ("/end\\04", "/end\\04"), ("/bad\\0x9", "/bad\\0x9"),
        ("/big\\777", "/big\\777"), ("/\\303\\244", "/ä"), ("", ""), ("\\", "\\"),
    ])
    func escapes(_ written: String, _ meant: String) {
        #expect(MountTable.unescape(Substring(written)) == meant)
    }

    @Test(arguments: [
        "", "\n\n", "garbage", "1 2 3:4 / /x rw -", "1 2 3:4 / /x rw - ext4", "- - - - - - - - -", "1 2 3 4 5 - 6 7 8",
    ])
    func strangeLinesArePassedOver(_ text: String) {
        #expect(MountTable(parsing: text).entries.isEmpty)
    }

    @Test func readsItsOwn() throws {
        let entries = try MountTable.current().entries
        #expect(entries.contains { $0.mountPoint == "/" })
        #expect(entries.contains { $0.fileSystem == "proc" && $0.mountPoint == "/proc" })
    }
}
