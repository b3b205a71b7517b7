import Linux
import SwiftProtobuf
import Wire

/// Linux has a type `Message` of its own.
typealias ProtobufMessage = SwiftProtobuf.Message

/// From a request's method to what carries it out.
@LoopActor
enum RequestRouter {
    /// Methods that this version answers; the rest of the protocol is UNIMPLEMENTED.
    static func isImplemented(_ method: HearthMethod) -> Bool {
        switch method {
        case .info, .putFunction, .getFunction, .listFunctions, .deleteFunction, .invoke, .run, .listSandboxes,
            .listImages, .importImage, .deleteImage, .stats, .doctor, .prefetch, .evict, .drain, .pushPlan, .getPlan,
            .pullLatency, .pullJournal, .observe, .emitEvent, .predict:
            true
        default: false
        }
    }

    /// Carries a request out. Returns what the rest of the stream goes to; nil when it is answered already.
    static func handle(
        _ method: HearthMethod, _ request: ServerRequest<SharedFD>, _ session: Session
    ) throws(AgentError) -> (any Session.StreamHandler)? {
        if method != .run, !request.fds.isEmpty {
            throw .invalid("the method takes no descriptors", remedy: "send the request without them")
        }
        switch method {
        case .invoke: return try InvokeStream.start(request, session)
        case .run: return try RunStream.start(request, session)
        case .putFunction: return try PutFunctionStream.start(request, session)
        case .importImage: return try ImportImageStream.start(request, session)
        case .prefetch: return try PrefetchStream.start(request, session)
        case .drain: return try DrainStream.start(request, session)
        case .pushPlan: return try PushPlanStream.start(request, session)
        case .pullLatency: return try PullLatencyStream.start(request, session)
        case .pullJournal: return try PullJournalStream.start(request, session)
        case .evict: session.respond(request.stream, try session.agent.evict(decode(request, HearthEvictRequest.self)))
        case .getPlan: session.respond(request.stream, session.agent.currentPlan())
        case .observe: return try ObserveStream.start(request, session)
        case .emitEvent:
            session.respond(request.stream, try session.agent.emitEvent(decode(request, HearthEmitEventRequest.self)))
        case .predict:
            session.respond(request.stream, try session.agent.predict(decode(request, HearthPredictRequest.self)))
        case .getFunction:
            let name = try decode(request, HearthGetFunctionRequest.self).name
            session.respond(
                request.stream, session.agent.info(of: try session.agent.function(named: name)))
        case .listFunctions:
            session.respond(
                request.stream, session.agent.listFunctions(try decode(request, HearthListFunctionsRequest.self)))
        case .deleteFunction:
            try session.agent.deleteFunction(try decode(request, HearthDeleteFunctionRequest.self)) { result in
                session.answer(request.stream, result)
            }
            return Unstoppable()
        case .listSandboxes:
            let name = try decode(request, HearthListSandboxesRequest.self).function
            session.respond(request.stream, session.agent.listSandboxes(function: name))
        case .listImages:
            session.agent.listImages { result in session.answer(request.stream, result) }
            return Unstoppable()
        case .deleteImage:
            let name = try decode(request, HearthDeleteImageRequest.self).name
            try session.agent.deleteImage(name) { result in session.answer(request.stream, result) }
            return Unstoppable()
        case .stats:
            session.respond(
                request.stream, try session.agent.stats(function: decode(request, HearthStatsRequest.self).function))
        case .doctor: session.respond(request.stream, session.agent.doctor())
        case .info: session.respond(request.stream, session.agent.info(role: session.role))
        default: session.respond(request.stream, error: .unknownMethod(request.method))
        }
        return nil
    }

    static func decode<M: ProtobufMessage>(
        _ request: ServerRequest<SharedFD>, _ type: M.Type
    ) throws(AgentError) -> M {
        do throws(HearthError) {
            return try request.message(type)
        } catch {
            throw AgentError(error.code, error.message, remedy: error.remedy)
        }
    }
}

/// A stream whose work is done whatever the client does meanwhile.
@LoopActor
final class Unstoppable: Session.StreamHandler {
    func received(_ bytes: [UInt8], end: Bool) {}
    func cancelled(_ reason: Session.CancelReason) {}
    func drained() {}
}

extension Session {
    func answer(_ stream: UInt32, _ result: Result<some ProtobufMessage, AgentError>) {
        switch result {
        case .success(let message): respond(stream, message)
        case .failure(let error): respond(stream, error: error)
        }
    }
}
