import NurseryABI
import Testing

/// Numbers that two processes of different age must agree on: changing one is a new HN_VERSION.
@Suite struct ConstantsTests {
    @Test func magicSpellsItselfInMemory() {
        #expect(HN_MAGIC == 0x314e_4548)
        #expect(withUnsafeBytes(of: UInt32(HN_MAGIC).littleEndian) { Array($0) } == Array("HEN1".utf8))
        #expect(HN_VERSION == 2)
    }

    @Test func operationsOfTheNursery() {
        let operations = [
            HN_HELLO, HN_IMAGE, HN_CREATE, HN_TREE, HN_KILL, HN_KEEP, HN_LIST, HN_SHUTDOWN, HN_EXITED,
        ]
        #expect(operations.map(\.rawValue) == [1, 2, 3, 4, 5, 6, 7, 8, 64])
        #expect(HN_IMAGE_DIRECTORY.rawValue == 0 && HN_IMAGE_HOST.rawValue == 1)
        #expect(HN_CREATE_DEVPTS.rawValue == 1 && HN_CREATE_TEST_FAULT.rawValue == 2)
    }

    @Test func operationsOfPID1() {
        let operations = [
            HP_READY, HP_BIND, HP_BOUND, HP_SPAWN, HP_STARTED, HP_EXITED, HP_SIGNAL, HP_SEAL, HP_SEALED, HP_FAILED,
            HP_FILTER, HP_FILTERED,
        ]
        #expect(operations.map(\.rawValue) == Array(1...12))
        #expect(HP_SPAWN_TTY.rawValue == 1 && HP_SPAWN_SEARCH_PATH.rawValue == 2)
    }

    @Test func stagesAreOneToTwentyNine() {
        let stages = [
            HN_STAGE_NONE, HN_STAGE_REQUEST, HN_STAGE_TABLE, HN_STAGE_NETWORK, HN_STAGE_TREE, HN_STAGE_CLONE,
            HN_STAGE_ID_MAP, HN_STAGE_PARENT, HN_STAGE_CREDENTIALS, HN_STAGE_CGROUP_NAMESPACE, HN_STAGE_ROOT,
            HN_STAGE_PROC, HN_STAGE_TMP, HN_STAGE_SHM, HN_STAGE_DEVPTS, HN_STAGE_PIVOT, HN_STAGE_HOSTNAME,
            HN_STAGE_KEYRING, HN_STAGE_CAPABILITIES, HN_STAGE_SIGNALS, HN_STAGE_TARGET, HN_STAGE_ATTACH,
            HN_STAGE_DESCRIPTORS, HN_STAGE_RLIMITS, HN_STAGE_DIRECTORY, HN_STAGE_FILTER, HN_STAGE_EXEC,
            HN_STAGE_MEMORY, HN_STAGE_SEALED, HN_STAGE_MASK,
        ]
        #expect(stages.map(\.rawValue) == Array(0...29))
    }

    @Test func limits() {
        #expect(HN_NAME_MAX.rawValue == 72 && HN_HOST_MAX.rawValue == 64)
        #expect(HN_KEPT_FDS.rawValue == 4 && HN_TAG_BYTES.rawValue == 64)
        #expect(HN_MAX_SANDBOXES.rawValue == 4096 && HN_MAX_IMAGES.rawValue == 32)
        #expect(HP_MESSAGE_MAX.rawValue == 131_072 && HP_STRINGS_MAX.rawValue == 98_304)
        #expect(HP_SPAWN_FDS.rawValue == 8 && HP_SPAWN_RLIMITS.rawValue == 12)
        #expect(HP_FILTER_MAX.rawValue == 3072 && HP_TARGET_MAX.rawValue == 64)
        // The largest SPAWN that the fields allow must fit into one message.
        let largest = MemoryLayout<hp_spawn>.size + Int(HP_STRINGS_MAX.rawValue) + 8 + Int(HP_FILTER_MAX.rawValue) * 8
        #expect(largest <= Int(HP_MESSAGE_MAX.rawValue))
    }

    /// Every slot's range lies above the ids that a distribution hands out and below 2^31, where a signed id ends.
    @Test func idRangesFitBetweenTheirNeighbours() {
        let first = UInt64(HN_FIRST_ID)
        let end = first + UInt64(HN_MAX_SANDBOXES.rawValue) * UInt64(HN_ID_RANGE.rawValue)
        #expect(first == 0x7000_0000)
        #expect(HN_ID_RANGE.rawValue == 65536)
        #expect(end <= 0x8000_0000)
    }
}
