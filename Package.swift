// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target of ours: the Swift 6 language mode with strict concurrency, and warnings as errors.
let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-warnings-as-errors"]),
]

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// SwiftPM links every executable with the Swift runtime, which a static C program neither needs nor can link; with this flag
/// it leaves it out.
let withoutSwiftRuntime = ["-enable-experimental-feature", "Embedded", "-Xclang-linker", "-static"]
let freestanding = withoutSwiftRuntime + ["-Xclang-linker", "-nostdlib", "-Xclang-linker", "-nostartfiles"]

let package = Package(
    name: "hearth",
    products: [
        .executable(name: "hearthd", targets: ["hearthd"]),
        .executable(name: "hearth", targets: ["hearth"]),
        .executable(name: "hearth-bench", targets: ["hearth-bench"]),
        .executable(name: "hearth-nursery", targets: ["hearth-nursery"]),
        .executable(name: "hearth-floor", targets: ["hearth-floor"]),
        .executable(name: "hearth-stamp", targets: ["hearth-stamp"]),
        .library(name: "HearthClient", targets: ["HearthClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .systemLibrary(name: "CCap", providers: [.apt(["libcap-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CNettle", pkgConfig: "nettle", providers: [.apt(["nettle-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
        .target(name: "CLinux"),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: swift),
        .target(name: "NurseryABI"),
        .target(name: "Wire", dependencies: [protobuf], swiftSettings: swift),
        .target(
            name: "Sandbox", dependencies: ["CLinux", "Linux", "NurseryABI", "CSeccomp", "CCap"], swiftSettings: swift),
        .target(name: "Images", dependencies: ["Linux", "CArchive", "CNettle"], swiftSettings: swift),
        .target(name: "Forecast", swiftSettings: swift),
        .target(name: "ForecastBench", dependencies: ["Forecast", "Replay"], swiftSettings: swift),
        .target(name: "WarmPool", exclude: ["README.md"], swiftSettings: swift),
        .target(
            name: "Replay",
            dependencies: [
                "WarmPool", "Forecast", "CZlib", "CLzma", .product(name: "HeapModule", package: "swift-collections"),
            ], swiftSettings: swift),
        .target(
            name: "Agent",
            dependencies: [
                "Linux", "Wire", "Sandbox", "Images", "WarmPool", "Forecast", protobuf, logging,
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "Yams", package: "Yams"),
            ], swiftSettings: swift),
        .target(name: "HearthClient", dependencies: ["Wire", "Linux", protobuf], swiftSettings: swift),
        .target(name: "CreateBench", dependencies: ["Linux"], swiftSettings: swift),
        .target(
            name: "InvokeBench",
            dependencies: ["CreateBench", "HearthClient", "Images", "Wire", "CLinux", "Linux", protobuf],
            swiftSettings: swift),
        // The nursery: Embedded Swift without a C library; see Sources/hearth-nursery.
        .target(
            name: "CNursery", exclude: ["layout.ld"],
            cSettings: [
                .unsafeFlags([
                    "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-pic", "-Os",
                    "-ffunction-sections", "-fno-asynchronous-unwind-tables",
                ])
            ]),
        .executableTarget(
            name: "hearth-nursery", dependencies: ["CNursery", "NurseryABI"],
            swiftSettings: [
                .swiftLanguageMode(.v6), .enableExperimentalFeature("Embedded"),
                .unsafeFlags([
                    "-wmo", "-Osize", "-Xfrontend", "-function-sections", "-Xfrontend", "-disable-stack-protector",
                    "-warnings-as-errors",
                ]),
            ],
            linkerSettings: [
                .unsafeFlags([
                    "-Xclang-linker", "-static", "-Xclang-linker", "-nostdlib", "-Xclang-linker", "-nostartfiles",
                    "-Xlinker", "--gc-sections", "-Xlinker", "-s", "-Xlinker", "-T", "-Xlinker",
                    Context.packageDirectory + "/Sources/CNursery/layout.ld",
                ])
            ]),
        .executableTarget(
            name: "hearthd", dependencies: ["Agent", "CLinux", "Linux", arguments, logging], swiftSettings: swift),
        .executableTarget(
            name: "hearth",
            dependencies: ["HearthClient", "Wire", "Images", "Linux", "CLinux", "Replay", arguments, protobuf],
            swiftSettings: swift),
        .executableTarget(
            name: "hearth-bench",
            dependencies: [
                "HearthClient", "Wire", "CreateBench", "InvokeBench", "ForecastBench", "Replay", "Linux", arguments,
            ],
            swiftSettings: swift),
        // The yardstick of `hearth-bench create`, and the program whose first instruction it waits for.
        .executableTarget(
            name: "hearth-floor", cSettings: [.unsafeFlags(["-O2", "-Wall", "-Wextra", "-Werror"])],
            linkerSettings: [.unsafeFlags(withoutSwiftRuntime)]),
        .executableTarget(
            name: "hearth-stamp",
            cSettings: [
                .unsafeFlags([
                    "-O2", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-Wall", "-Wextra", "-Werror",
                ])
            ], linkerSettings: [.unsafeFlags(freestanding + ["-Xlinker", "-s"])]),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "CLinux"], swiftSettings: swift),
        .testTarget(name: "NurseryABITests", dependencies: ["NurseryABI"], swiftSettings: swift),
        .target(
            name: "SandboxTestSupport", dependencies: ["Sandbox", "Linux", "NurseryABI"],
            path: "Tests/SandboxTests/Support", swiftSettings: swift),
        .testTarget(
            name: "SandboxTests", dependencies: ["SandboxTestSupport", "Sandbox", "Linux", "CLinux", "NurseryABI"],
            exclude: ["Support"], swiftSettings: swift),
        .testTarget(
            name: "EscapeTests",
            dependencies: ["AgentTestSupport", "SandboxTestSupport", "HearthClient", "Sandbox", "Linux", "Wire"],
            exclude: ["attacks", "golden", "weaken.py"], swiftSettings: swift),
        .testTarget(name: "WireTests", dependencies: ["Wire", protobuf], swiftSettings: swift),
        .testTarget(
            name: "HearthClientTests", dependencies: ["HearthClient", "Wire", "Linux", protobuf], swiftSettings: swift),
        .testTarget(name: "ImagesTests", dependencies: ["Images", "Linux"], swiftSettings: swift),
        .testTarget(name: "WarmPoolTests", dependencies: ["WarmPool"], swiftSettings: swift),
        .testTarget(name: "ForecastTests", dependencies: ["Forecast"], swiftSettings: swift),
        .testTarget(
            name: "ReplayTests", dependencies: ["Replay", "Forecast", "WarmPool", "CZlib", "CLzma"],
            swiftSettings: swift),
        .testTarget(name: "CreateBenchTests", dependencies: ["CreateBench", "Linux"], swiftSettings: swift),
        .testTarget(
            name: "InvokeBenchTests", dependencies: ["InvokeBench", "CreateBench", "Linux"], swiftSettings: swift),
        .target(
            name: "AgentTestSupport", dependencies: ["HearthClient", "Images", "Linux", "Wire"],
            path: "Tests/AgentTests/Support", swiftSettings: swift),
        .testTarget(
            name: "AgentTests",
            dependencies: ["Agent", "AgentTestSupport", "HearthClient", "Linux", "NurseryABI", "Wire", protobuf],
            exclude: ["Support"], swiftSettings: swift),
        .testTarget(
            name: "HearthTests", dependencies: ["AgentTestSupport", "hearth", "HearthClient", "Linux", "Wire"],
            swiftSettings: swift),
        // The fuzz targets: run by `make fuzz` below, and over their corpus by the tests. The nursery is compiled for the host here, on
        // a kernel that is only pretended.
        .target(name: "SimulatedKernel", path: "Tests/Fuzz/SimulatedKernel"),
        .target(
            name: "SimulatedNursery", dependencies: ["SimulatedKernel", "NurseryABI"],
            path: "Tests/Fuzz/SimulatedNursery", exclude: ["sources/Main.swift"],
            swiftSettings: [.swiftLanguageMode(.v6), .unsafeFlags(["-warnings-as-errors"])]),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Agent", "Forecast", "Images", "Linux", "Replay", "Sandbox", "SimulatedNursery", "Wire", protobuf,
            ], path: "Tests/Fuzz/Targets", swiftSettings: swift),
        .testTarget(name: "FuzzReplayTests", dependencies: ["FuzzTargets", "Linux"], swiftSettings: swift),
    ]
)

// Only `make fuzz` has a fuzzer to link with.
if Context.environment["HEARTH_FUZZ"] != nil {
    package.targets += [
        .target(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
        .executableTarget(
            name: "hearth-fuzz", dependencies: ["CFuzzer", "FuzzTargets"], path: "Tests/Fuzz/Driver",
            swiftSettings: swift, linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
    ]
}
