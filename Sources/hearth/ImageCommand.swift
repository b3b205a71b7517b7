import ArgumentParser
import Foundation
import Glibc
import HearthClient
import Linux
import Wire

/// `hearth image`: root file systems.
struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image", abstract: "List, import and delete images.",
        subcommands: [List.self, Import.self, Delete.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List the images.")
        @OptionGroup var agent: AgentOptions
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                let images = try agent.connect().listImages()
                if json { return JSON.print(.array(images.map(ImageCommand.json))) }
                var table = Table(["NAME", "KIND", "SIZE", "DIGEST"], rightAligned: [2])
                for image in images {
                    table.add([image.name, image.kind, Format.bytes(image.bytes), image.digest])
                }
                table.print()
            }
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Import a root file system: a directory of the node, or a tar archive.")
        @OptionGroup var agent: AgentOptions
        @Argument(help: "The image's name.") var name: String
        @Argument(help: "Directory, or tar (plain, gzip, zstd).") var source: String
        @Flag(name: .long, help: "Replace an image of that name.") var replace = false
        @Flag(name: .long, help: "Print JSON.") var json = false

        func run() throws {
            try reporting {
                var request = HearthImportImageRequest()
                request.name = name
                request.replace = replace
                var status = stat()
                guard stat(source, &status) == 0 else {
                    throw Failure("\(source): \(Errno.current)", remedy: "give a directory or a tar archive")
                }
                let client = try agent.connect()
                let image: HearthImageInfo
                if status.st_mode & S_IFMT == S_IFDIR {
                    request.format = .directory
                    request.path = URL(fileURLWithPath: source).standardizedFileURL.path
                    image = try client.importImage(request)
                } else {
                    let file = try Payload.open(source)
                    request.format = .tar
                    request.size = UInt64(status.st_size)
                    image = try withExtendedLifetime(file) {
                        try client.importImage(request, archive: .descriptor(file.rawValue))
                    }
                }
                if json {
                    JSON.print(ImageCommand.json(image))
                } else {
                    Terminal.write("\(image.name) \(image.digest) \(Format.bytes(image.bytes))\n")
                }
            }
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "delete", abstract: "Delete images.")
        @OptionGroup var agent: AgentOptions
        @Argument(help: "The images.") var names: [String]

        func run() throws {
            try reporting {
                let client = try agent.connect()
                for name in names { _ = try client.deleteImage(name) }
            }
        }
    }

    fileprivate static func json(_ image: HearthImageInfo) -> JSON.Value {
        .object([
            "name": .string(image.name), "digest": .string(image.digest), "bytes": JSON.Value(image.bytes),
            "kind": .string(image.kind), "created_unix_ms": .integer(image.createdUnixMs),
        ])
    }
}
