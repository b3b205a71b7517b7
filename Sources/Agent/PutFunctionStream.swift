import Glibc
import Images
import Linux
import Wire

/// The method PutFunction: the specification, then the archive in DATA frames; unpacked and stored away from the loop.
@LoopActor
final class PutFunctionStream: Session.StreamHandler {
    private let session: Session
    private let stream: UInt32
    private let request: HearthPutFunctionRequest
    private let record: FunctionRecord
    private var upload: CodeUpload?
    private var isFinishing = false

    private init(
        _ session: Session, _ stream: UInt32, _ request: HearthPutFunctionRequest, _ record: FunctionRecord
    ) {
        self.session = session
        self.stream = stream
        self.request = request
        self.record = record
    }

    static func start(
        _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        let message = try RequestRouter.decode(request, HearthPutFunctionRequest.self)
        let agent = session.agent
        try agent.checkAccepting()
        let record = try FunctionRecord(validating: message.spec, limits: agent.environment.limits)
        try agent.environment.checkProfile(of: record)
        try agent.checkPut(message, record)
        let put = PutFunctionStream(session, request.stream, message, record)
        if !message.reuseCodeDigest.isEmpty {
            guard message.codeFormat == .none || message.codeFormat == .unspecified else {
                throw .invalid("reuse_code_digest together with code", remedy: "send one of the two")
            }
            put.finish(.reuse(message.reuseCodeDigest))
            return put
        }
        switch message.codeFormat {
        case .none, .unspecified:
            put.finish(.none)
        case .zip, .tar:
            guard message.codeSize <= UInt64(agent.environment.limits.maximumCode) else {
                throw AgentError(
                    .tooLarge, "the code of '\(record.name)' has \(message.codeSize) bytes",
                    remedy: "the limit is \(agent.environment.limits.maximumCode) bytes; leave out what is not needed")
            }
            do throws(ImageError) {
                put.upload = try CodeUpload(into: agent.code, limit: Int64(message.codeSize))
            } catch {
                throw AgentError(error, what: "the code of '\(record.name)'")
            }
            if message.codeSize == 0 { put.finish(.archive) }
        case .UNRECOGNIZED(let number):
            throw .invalid("code format \(number) is not known", remedy: "send a zip or a tar archive")
        }
        return put
    }

    func received(_ bytes: [UInt8], end: Bool) {
        guard let upload, !isFinishing else { return session.consumed(stream, bytes.count) }
        do throws(ImageError) {
            try upload.append(bytes)
            session.consumed(stream, bytes.count)
        } catch {
            isFinishing = true
            return session.respond(stream, error: AgentError(error, what: "the code of '\(record.name)'"))
        }
        guard end else { return }
        guard UInt64(upload.count) == request.codeSize else {
            isFinishing = true
            return session.respond(
                stream,
                error: .invalid(
                    "\(upload.count) bytes of code came, code_size says \(request.codeSize)",
                    remedy: "send exactly code_size bytes"))
        }
        finish(.archive)
    }

    func cancelled(_ reason: Session.CancelReason) {
        // Once it is being stored the put goes through: the client may ask with GetFunction what became of it.
        guard !isFinishing else { return }
        isFinishing = true
        upload = nil
        session.respond(
            stream,
            error: reason == .deadline
                ? AgentError(
                    .deadlineExceeded, "the upload had not arrived at the deadline", remedy: "allow more time",
                    retryable: true)
                : .cancelled())
    }

    func drained() {}

    enum Code {
        case none
        case archive
        case reuse(String)
    }

    private func finish(_ code: Code) {
        isFinishing = true
        let store = session.agent.code
        let name = record.name
        let upload = self.upload
        let wantsTar = request.codeFormat == .tar
        BlockingWork.run {
            do throws(AgentError) {
                return .success(try Self.store(code, upload, wantsTar: wantsTar, in: store, name: name))
            } catch {
                return .failure(error)
            }
        } completion: { [self] result in
            switch result {
            case .failure(let error): session.respond(stream, error: error)
            case .success(let tree):
                session.agent.put(record, code: tree, request: request) { [self] result in
                    session.answer(stream, result.map(\.wire))
                }
            }
        }
    }

    /// Blocks: unpacks what came, or finds what is there.
    nonisolated private static func store(
        _ code: Code, _ upload: CodeUpload?, wantsTar: Bool, in store: CodeStore, name: String
    ) throws(AgentError) -> CodeTree? {
        do throws(ImageError) {
            switch code {
            case .none:
                return nil
            case .reuse(let text):
                let hex = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
                guard let digest = TreeDigest(hex), let tree = try store.find(digest) else {
                    throw .notFound(FunctionRecord.printable(text))
                }
                return tree
            case .archive:
                guard let upload else { return nil }
                let found = try upload.detectedFormat()
                let format: ArchiveFormat = wantsTar ? (found == .tarGzip ? .tarGzip : .tar) : .zip
                return try upload.finish(format: format)
            }
        } catch {
            throw AgentError(error, what: "the code of '\(name)'")
        }
    }
}

extension AgentError {
    init(_ error: ImageError, what: String) {
        let message = "\(what): \(error.description)"
        switch error {
        case .entry, .archive, .invalidName, .unusableImage, .tooManyEntries:
            self.init(.invalidArgument, message, remedy: "correct it and send it again", stage: "upload")
        case .tooManyBytes, .uploadTooLarge:
            self.init(.tooLarge, message, remedy: "send less", stage: "upload")
        case .storageFull:
            self.init(
                .resourceExhausted, message, remedy: "free space on the node and try again", retryable: true,
                stage: "upload")
        case .notFound:
            self.init(.notFound, message, remedy: "upload it first")
        case .system(let errno, let path) where errno == .permissionDenied || errno == .notPermitted:
            self.init(
                .permissionDenied, message, remedy: "let the agent's user, uid \(geteuid()), read \(path)",
                errno: errno, stage: "upload")
        case .system(let errno, _):
            self.init(.internal, message, remedy: "see the agent's log", errno: errno, stage: "upload")
        }
    }
}
