import Agent
import SwiftProtobuf
import Wire

extension FuzzTarget {
    /// Every request's message, and what the agent accepts of it. Input: the method (one byte), then the message.
    static let messages = FuzzTarget(name: "messages", maximumLength: 4096) { input in
        var script = InputBytes(input)
        let method = script.byte()
        let bytes = script.rest()
        switch HearthMethod(rawValue: Int(method)) {
        case .info: again(HearthInfoRequest.self, bytes)
        case .putFunction: if let message = again(HearthPutFunctionRequest.self, bytes) { validate(message.spec) }
        case .getFunction: again(HearthGetFunctionRequest.self, bytes)
        case .listFunctions: again(HearthListFunctionsRequest.self, bytes)
        case .deleteFunction: again(HearthDeleteFunctionRequest.self, bytes)
        case .invoke: again(HearthInvokeRequest.self, bytes)
        case .run: if let message = again(HearthRunRequest.self, bytes) { validate(message) }
        case .listSandboxes: again(HearthListSandboxesRequest.self, bytes)
        case .listImages: again(HearthListImagesRequest.self, bytes)
        case .importImage: again(HearthImportImageRequest.self, bytes)
        case .deleteImage: again(HearthDeleteImageRequest.self, bytes)
        case .stats: again(HearthStatsRequest.self, bytes)
        case .doctor: again(HearthDoctorRequest.self, bytes)
        case .prefetch: again(HearthPrefetchRequest.self, bytes)
        case .evict: again(HearthEvictRequest.self, bytes)
        case .drain: again(HearthDrainRequest.self, bytes)
        case .pushPlan: again(HearthPushPlanRequest.self, bytes)
        case .getPlan: again(HearthGetPlanRequest.self, bytes)
        case .pullLatency: again(HearthPullLatencyRequest.self, bytes)
        case .pullJournal: again(HearthPullJournalRequest.self, bytes)
        case .observe: again(HearthObserveRequest.self, bytes)
        case .emitEvent: again(HearthEmitEventRequest.self, bytes)
        case .predict: again(HearthPredictRequest.self, bytes)
        default: again(HearthPlanEntry.self, bytes)
        }
    }

    /// A message that decodes encodes to what decodes to the same, unknown fields included.
    @discardableResult
    private static func again<M: Message>(_ type: M.Type, _ bytes: [UInt8]) -> M? {
        guard let message = try? M(serializedBytes: bytes) else { return nil }
        let encoded: [UInt8]? = try? message.serializedBytes()
        expect(encoded != nil, "a message that was read cannot be written")
        let second = encoded.flatMap { try? M(serializedBytes: $0) }
        expect(second != nil, "a message that was written cannot be read")
        let encodedAgain: [UInt8]? = second.flatMap { try? $0.serializedBytes() }
        expect(encodedAgain?.count == encoded?.count, "a message changes on its way")
        return message
    }

    private static func validate(_ spec: HearthFunctionSpec) {
        let limits = AgentLimits()
        guard let record = try? FunctionRecord(validating: spec, limits: limits) else { return }
        expect((4 << 20...limits.memoryBudget).contains(record.memoryBytes), "memory \(record.memoryBytes)")
        expect((0...1024).contains(record.cpus), "cpus \(record.cpus)")
        expect((2...32768).contains(record.processes), "pids \(record.processes)")
        expect((0...1 << 40).contains(record.tmpBytes), "tmp \(record.tmpBytes)")
        expect((1_000_000...limits.maximumTimeout).contains(record.timeout), "timeout \(record.timeout)")
        expect((0...record.maxConcurrency).contains(record.minReady), "min_ready \(record.minReady)")
        expect(!record.name.contains("/") && !record.name.hasPrefix("."), "name \(record.name)")
    }

    private static func validate(_ request: HearthRunRequest) {
        guard let resources = try? RunResources(validating: request, limits: AgentLimits()) else { return }
        expect((0...1024).contains(resources.cpus), "cpus \(resources.cpus)")
        expect((2...32768).contains(resources.processes), "pids \(resources.processes)")
        expect((0...1 << 40).contains(resources.tmp), "tmp \(resources.tmp)")
    }
}
