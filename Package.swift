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
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CLinux"),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: swift),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "CLinux"], swiftSettings: swift),
    ]
)
