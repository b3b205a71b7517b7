// The binary interface between hearthd, hearth-nursery and the PID 1 of every sandbox.
//
// All three come from one build, but none trusts the other: every message has a fixed layout, is checked field by field
// by its receiver, and carries descriptors beside it (SCM_RIGHTS), never a descriptor number. Native byte order: both ends
// are on one machine. A test asserts every offset.
#pragma once
#include <stdint.h>
#include <stddef.h>

#define HN_MAGIC 0x314e4548u  // "HEN1" in memory
#define HN_VERSION 2

// ---------------------------------------------------------------------------------------------------------------------
// hearthd <-> nursery, a SOCK_SEQPACKET socket: one struct hn_request a packet, one struct hn_reply a packet.

enum hn_op {
    HN_HELLO = 1,     // reply: version, number of sandboxes kept
    HN_IMAGE = 2,     // prepares an image: image_kind, name -> image (a handle)
    HN_CREATE = 3,    // fds: PID 1's end of its socket, hearthd's end (kept), cgroup directory -> pid; fd: pidfd
    HN_TREE = 4,      // name of a code directory -> fd: a detached read-only mount of it
    HN_KILL = 5,      // kills a sandbox's PID 1, and with it everything inside
    HN_KEEP = 6,      // keeps up to 4 more descriptors and a tag with a sandbox, for a hearthd that comes back
    HN_LIST = 7,      // one reply for each sandbox (more = 1), fds: what is kept; then one with more = 0
    HN_SHUTDOWN = 8,  // kills everything and exits
    HN_EXITED = 64,   // unasked: a sandbox's PID 1 has ended
};

enum hn_image_kind {
    HN_IMAGE_DIRECTORY = 0,  // images/NAME/rootfs
    HN_IMAGE_HOST = 1,       // the same, with the node's /usr mounted on its /usr
};

enum hn_create_flags {
    HN_CREATE_DEVPTS = 1,    // a private devpts on /dev/pts
    HN_CREATE_TEST_FAULT = 2  // stop for good at the step `fault`; refused by all but debug builds
};

enum hn_limits {
    HN_NAME_MAX = 72,        // image and code names, with their NUL: [0-9a-z._-] only
    HN_HOST_MAX = 64,
    HN_KEPT_FDS = 4,
    HN_TAG_BYTES = 64,
    HN_MAX_SANDBOXES = 4096,
    HN_MAX_IMAGES = 32,
    HN_ID_RANGE = 65536,     // uids and gids of one sandbox
};

// Steps of a creation at which a debug build stops when it is asked to, so that a test can kill somebody exactly there. Who has
// stopped says so once: the nursery by a reply with cookie 0 and stage HN_STAGE_FAULT, PID 1 by FAILED with that stage.
enum hn_fault {
    HN_FAULT_NONE = 0,
    // PID 1, after:
    HN_FAULT_ARMED = 1,        // PDEATHSIG
    HN_FAULT_DESCRIPTORS = 2,  // its own descriptor table
    HN_FAULT_SESSION = 3,
    HN_FAULT_CGROUP = 4,       // its cgroup namespace
    HN_FAULT_ROOT = 5,
    HN_FAULT_PROC = 6,
    HN_FAULT_CREDENTIALS = 7,
    HN_FAULT_REARMED = 8,      // PDEATHSIG again, the parent looked for
    HN_FAULT_SCRATCH = 9,      // /tmp, /dev/shm
    HN_FAULT_PIVOT = 10,
    HN_FAULT_KEYRING = 11,     // host name, keyring
    HN_FAULT_CAPABILITIES = 12,
    HN_FAULT_SIGNALS = 13,
    HN_FAULT_LAST_INIT = 13,
    // The nursery, after:
    HN_FAULT_IMAGE = 32,       // a copy of the image's mounts
    HN_FAULT_NETWORK = 33,     // entering a network namespace
    HN_FAULT_PLACES = 34,      // the child's descriptors in their places
    HN_FAULT_NEST = 35,        // entering the mount namespace that is cloned
    HN_FAULT_CLONED = 36,
    HN_FAULT_MAPPED = 37,      // the id maps
    HN_FAULT_LIBRARY = 38,     // back in its own mount namespace
    HN_FAULT_LISTED = 39,      // in the table
    HN_FAULT_WATCHED = 40,     // in epoll, before the reply
    HN_FAULT_LAST = 40,
};

// Host uids and gids of sandbox slot 0. Above what useradd, systemd's dynamic users and nspawn containers hand out
// (they end at 0x6fffffff), below 2^31, which some file systems still read as a sign. A slot has one range, so the range
// names the slot, and no two sandboxes can share one.
#define HN_FIRST_ID 0x70000000u

struct hn_request {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint64_t cookie;             // comes back in the reply
    uint64_t sandbox;            // CREATE, KILL, KEEP: hearthd's own number, unique while the nursery lives
    uint64_t tmp_bytes;          // CREATE: size of /tmp
    uint64_t shm_bytes;          // CREATE: size of /dev/shm
    uint64_t capabilities;       // CREATE: bounding set of the sandbox (a mask); 0 as a rule
    uint32_t slot;               // CREATE, KILL, KEEP: 0 ..< HN_MAX_SANDBOXES; its ids begin at HN_FIRST_ID + slot * HN_ID_RANGE
    uint32_t image;              // CREATE: handle
    uint32_t flags;              // CREATE: enum hn_create_flags
    uint32_t tmp_inodes;         // CREATE: files in /tmp
    uint32_t image_kind;         // IMAGE
    uint32_t fault;              // CREATE with HN_CREATE_TEST_FAULT: enum hn_fault; else 0
    char name[HN_NAME_MAX];      // IMAGE, TREE
    char hostname[HN_HOST_MAX];  // CREATE
    uint8_t tag[HN_TAG_BYTES];   // CREATE, KEEP: opaque, returned by LIST
};

struct hn_reply {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint64_t cookie;
    uint64_t sandbox;
    int32_t error;               // 0 or an errno
    uint32_t stage;              // enum hn_stage: where it failed
    int32_t pid;                 // CREATE, LIST: of PID 1, in the nursery's PID namespace
    uint32_t image;              // IMAGE, LIST
    uint32_t more;               // LIST, HELLO: number that follows
    int32_t exit_status;         // EXITED: status, or minus the signal
    uint32_t slot;               // CREATE, LIST, EXITED
    uint32_t networks;           // HELLO: network namespaces held ready
    int64_t user_us;             // EXITED: CPU time of everything in the sandbox
    int64_t system_us;           // EXITED
    int64_t received_ns;         // CREATE: CLOCK_MONOTONIC when the request was read
    int64_t cloned_ns;           // CREATE: and when clone3 had returned
    uint8_t tag[HN_TAG_BYTES];
};

// ---------------------------------------------------------------------------------------------------------------------
// hearthd <-> PID 1, a SOCK_SEQPACKET pair that exists before the sandbox: requests may be queued at once.

enum hp_op {
    HP_READY = 1,    // PID 1: the sandbox is built
    HP_BIND = 2,     // hearthd: attach the mount that comes along at `target`; answered by BOUND. After a failure nothing is spawned any more
    HP_BOUND = 3,
    HP_SPAWN = 4,    // hearthd: struct hp_spawn; answered by STARTED
    HP_STARTED = 5,
    HP_EXITED = 6,   // PID 1: a process it started has ended
    HP_SIGNAL = 7,   // hearthd: signal to a process it started, or to all (process 0)
    HP_SEAL = 8,     // hearthd: no more BIND, and SPAWN only when `keep_spawn`; answered by SEALED
    HP_SEALED = 9,
    HP_FAILED = 10,  // PID 1: `failed_op` did not work: error, stage
    HP_FILTER = 11,  // hearthd: from here on PID 1 and all that it starts are under the filter that follows; answered by FILTERED
    HP_FILTERED = 12,
};

enum hp_spawn_flags {
    HP_SPAWN_TTY = 1,          // descriptor 0 becomes the controlling terminal
    HP_SPAWN_SEARCH_PATH = 2,  // the program's name has no slash: look it up along `path`
};

enum hp_limits {
    HP_MESSAGE_MAX = 131072,
    HP_SPAWN_FDS = 8,
    HP_SPAWN_RLIMITS = 12,
    HP_STRINGS_MAX = 98304,
    HP_FILTER_MAX = 3072,  // BPF instructions; the kernel's own limit is 4096
    HP_TARGET_MAX = 64,
};

struct hp_rlimit {
    uint32_t resource;
    uint32_t reserved;
    uint64_t soft;
    uint64_t hard;
};

struct hp_message {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint32_t cookie;        // BIND, SPAWN, SEAL, FILTER: comes back in the answer; EXITED: of the SPAWN
    uint32_t stage;         // FAILED
    int32_t error;          // FAILED
    int32_t process;        // STARTED, EXITED: pid inside; SIGNAL: to whom
    int32_t exit_status;    // EXITED: status, or minus the signal
    int32_t signal;         // SIGNAL
    uint32_t failed_op;     // FAILED
    uint32_t keep_spawn;    // SEAL
    uint32_t filter_count;  // SEAL, FILTER: BPF instructions that follow
    uint32_t reserved;
    int64_t time_ns;        // READY, BOUND, STARTED, EXITED: CLOCK_MONOTONIC
    int64_t user_us;        // EXITED: rusage of the process and of what it reaped
    int64_t system_us;
    int64_t max_rss_kib;
    uint64_t mount_key;     // FILTER: what the filter wants to see in the upper halves of move_mount's descriptors; forgotten by SEAL
    char target[HP_TARGET_MAX];  // BIND: absolute path inside
};

// SPAWN: this header, then the strings (working directory, search path, program, argc arguments, envc variables, each with its NUL),
// padded to 8 bytes, then filter_count BPF instructions of 8 bytes. Descriptors beside it become 0, 1, 2, ...
struct hp_spawn {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint32_t cookie;
    uint32_t flags;
    uint32_t uid;           // inside
    uint32_t gid;
    uint64_t capabilities;  // ambient set of the program (a mask); must lie within the sandbox's bounding set
    uint32_t argc;
    uint32_t envc;
    uint32_t strings_bytes;
    uint32_t filter_count;
    uint32_t rlimit_count;
    uint32_t descriptors;
    struct hp_rlimit rlimits[HP_SPAWN_RLIMITS];
};

// Where a creation, a binding or a start failed; the names are for messages.
enum hn_stage {
    HN_STAGE_NONE = 0,
    HN_STAGE_REQUEST = 1,      // a field of the request is not allowed
    HN_STAGE_TABLE = 2,        // no room for one more sandbox
    HN_STAGE_NETWORK = 3,      // network namespace
    HN_STAGE_TREE = 4,         // open_tree / mount_setattr
    HN_STAGE_CLONE = 5,        // clone3
    HN_STAGE_ID_MAP = 6,       // uid_map, gid_map
    HN_STAGE_PARENT = 7,       // the nursery died meanwhile
    HN_STAGE_CREDENTIALS = 8,
    HN_STAGE_CGROUP_NAMESPACE = 9,
    HN_STAGE_ROOT = 10,        // attaching the image
    HN_STAGE_PROC = 11,
    HN_STAGE_TMP = 12,
    HN_STAGE_SHM = 13,
    HN_STAGE_DEVPTS = 14,
    HN_STAGE_PIVOT = 15,
    HN_STAGE_HOSTNAME = 16,
    HN_STAGE_KEYRING = 17,
    HN_STAGE_CAPABILITIES = 18,
    HN_STAGE_SIGNALS = 19,
    HN_STAGE_TARGET = 20,      // BIND: resolving the target
    HN_STAGE_ATTACH = 21,      // BIND: move_mount
    HN_STAGE_DESCRIPTORS = 22, // SPAWN
    HN_STAGE_RLIMITS = 23,
    HN_STAGE_DIRECTORY = 24,   // SPAWN: chdir
    HN_STAGE_FILTER = 25,      // SPAWN, SEAL: seccomp
    HN_STAGE_EXEC = 26,
    HN_STAGE_MEMORY = 27,
    HN_STAGE_SEALED = 28,      // asked of a sealed PID 1
    HN_STAGE_MASK = 29,        // masked paths of /proc
    HN_STAGE_LANDLOCK = 30,    // Landlock's rules, and SPAWN: being restricted by them
    HN_STAGE_NESTING = 31,     // no user namespace inside this one
    HN_STAGE_FAULT = 255,      // debug builds: stopped where the request said
};
