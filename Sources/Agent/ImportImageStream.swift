import Glibc
import Images
import Linux
import Wire

/// The method ImportImage: a directory of the node, or a tar archive in DATA frames.
@LoopActor
final class ImportImageStream: Session.StreamHandler {
    private let session: Session
    private let stream: UInt32
    private let request: HearthImportImageRequest
    private var upload: SharedFD?
    private var count: UInt64 = 0
    private var isFinishing = false

    private init(_ session: Session, _ stream: UInt32, _ request: HearthImportImageRequest) {
        self.session = session
        self.stream = stream
        self.request = request
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthImportImageRequest.self)
        let agent = session.agent
        try agent.checkAccepting()
        guard Image.isValidName(message.name) else {
            throw AgentError(ImageError.invalidName(FunctionRecord.printable(message.name)), what: "image")
        }
        guard message.replace || !agent.environment.hasImage(message.name) else {
            throw AgentError(
                .alreadyExists, "an image '\(message.name)' exists", remedy: "choose another name, or set replace")
        }
        let stream = ImportImageStream(session, request.stream, message)
        switch message.format {
        case .directory:
            guard message.path.hasPrefix("/") else {
                throw .invalid("'\(FunctionRecord.printable(message.path))' is no absolute path", remedy: "give one")
            }
            guard Files.exists(message.path) else {
                throw AgentError(
                    .notFound, "there is no \(FunctionRecord.printable(message.path)) on the node",
                    remedy: "give a directory that the agent can read")
            }
            stream.finish()
        case .tar, .unspecified:
            do throws(Errno) {
                // A file without a name, in the store's file system: nothing is left of an import that ends half way.
                stream.upload = SharedFD(
                    try Files.open(agent.images.root, flags: O_RDWR | 0o20200000 /* O_TMPFILE */, mode: 0o600))
            } catch {
                throw AgentError(
                    .internal, "no temporary file in \(agent.images.root): \(error)", remedy: "see the agent's log",
                    errno: error)
            }
        default:
            throw AgentError(
                .unimplemented, "this image format is not known to this agent",
                remedy: "import a tar of a root file system")
        }
        return stream
    }

    func received(_ bytes: [UInt8], end: Bool) {
        session.consumed(stream, bytes.count)
        guard let upload, !isFinishing else { return }
        count += UInt64(bytes.count)
        guard count <= request.size else {
            isFinishing = true
            return session.respond(
                stream,
                error: .invalid("more than size (\(request.size)) bytes came", remedy: "send exactly size bytes"))
        }
        do throws(Errno) {
            try Message.writeAll(upload.rawValue, bytes)
        } catch {
            isFinishing = true
            let full = error == .noSpace || error == .overQuota
            return session.respond(
                stream,
                error: AgentError(
                    full ? .resourceExhausted : .internal, "storing the image: \(error)",
                    remedy: full ? "free space on the node" : "see the agent's log", retryable: full, errno: error,
                    stage: "upload"))
        }
        guard end else { return }
        guard count == request.size else {
            isFinishing = true
            return session.respond(
                stream,
                error: .invalid("\(count) bytes came, size says \(request.size)", remedy: "send exactly size bytes"))
        }
        finish()
    }

    func cancelled(_ reason: Session.CancelReason) {
        guard !isFinishing else { return }
        isFinishing = true
        upload = nil
        session.respond(stream, error: .cancelled())
    }

    func drained() {}

    private func finish() {
        isFinishing = true
        let store = session.agent.images
        let upload = self.upload
        let name = request.name
        let path = request.path
        BlockingWork.run {
            do throws(ImageError) {
                guard let upload else { return .success(try store.importDirectory(path: path, name: name)) }
                return .success(try Self.unpack(upload, into: store, name: name))
            } catch {
                return .failure(AgentError(error, what: "image '\(name)'"))
            }
        } completion: { [self] result in
            switch result {
            case .failure(let error): session.respond(stream, error: error)
            case .success(let image):
                session.agent.prepare(image) { [self] result in session.answer(stream, result) }
            }
        }
    }

    nonisolated private static func unpack(
        _ upload: SharedFD, into store: ImageStore, name: String
    ) throws(ImageError) -> Image {
        var start = [UInt8](repeating: 0, count: 512)
        let count = start.withUnsafeMutableBytes { pread(upload.rawValue, $0.baseAddress, $0.count, 0) }
        guard count > 0, let format = ArchiveFormat(magic: Array(start[..<count])), format != .zip else {
            throw .archive(.tar, "it is no tar archive, plain or compressed with gzip or zstd")
        }
        return try store.importTar(upload.rawValue, format: format, name: name)
    }
}
