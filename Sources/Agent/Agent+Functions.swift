import Dispatch
import Images
import Linux
import Logging
import Sandbox
import SwiftProtobuf
import Wire

/// The function registry: in memory for the loop, in SQLite for the next start.
extension Agent {
    /// What can be refused before the code is sent.
    func checkPut(_ request: HearthPutFunctionRequest, _ record: FunctionRecord) throws(AgentError) {
        guard environment.hasImage(record.image) else { throw .imageNotFound(FunctionRecord.printable(record.image)) }
        if record.runtime == .python || record.runtime == .node {
            _ = try environment.runtimes.runtime(record.runtime.rawValue)
        }
        let existing = functions[record.name]
        if request.createOnly, existing != nil {
            throw AgentError(
                .alreadyExists, "a function '\(record.name)' exists", remedy: "leave out create_only to replace it")
        }
        if request.expectedGeneration != 0, existing?.generation != request.expectedGeneration {
            throw AgentError(
                .failedPrecondition,
                "'\(record.name)' is at generation \(existing?.generation ?? 0), not \(request.expectedGeneration)",
                remedy: "look at the function again, then decide")
        }
    }

    /// Stores the function, then lets it replace the former one: at no moment is there half of it.
    func put(
        _ record: FunctionRecord, code: CodeTree?, request: HearthPutFunctionRequest,
        completion: @escaping @LoopActor @Sendable (Result<FunctionRecord, AgentError>) -> Void
    ) {
        do throws(AgentError) { try checkPut(request, record) } catch { return completion(.failure(error)) }
        var record = record
        record.codeDigest = code?.digest.hexadecimal ?? ""
        record.codeBytes = code?.bytes ?? 0
        let now = realtimeNow() / 1_000_000
        record.createdUnixMilliseconds = functions[record.name]?.createdUnixMilliseconds ?? now
        record.updatedUnixMilliseconds = now
        let registry = self.registry
        let wanted = record
        BlockingWork.run {
            do throws(AgentError) {
                var stored = wanted
                // One counter for all functions: a function that is deleted and put again never meets its old sandboxes.
                stored.generation = try registry.reserve("generation", count: 1) + 1
                FaultPoint.reach(.treeStored)
                try registry.put(stored)
                FaultPoint.reach(.functionStored)
                return .success(stored)
            } catch {
                return .failure(error)
            }
        } completion: { [self] result in
            if case .success(let stored) = result {
                functions[stored.name] = stored
                pool.register(stored)
                prediction?.bind(stored)
                analyze(stored)
                journal.append(
                    "function", function: stored.name, "put, generation \(stored.generation)",
                    fields: ["action": "put", "generation": "\(stored.generation)"])
            }
            completion(result)
        }
    }

    func deleteFunction(
        _ request: HearthDeleteFunctionRequest,
        completion: @escaping @LoopActor @Sendable (Result<HearthDeleteFunctionResponse, AgentError>) -> Void
    ) throws(AgentError) {
        let record = try function(named: request.name)
        if request.expectedGeneration != 0, record.generation != request.expectedGeneration {
            throw AgentError(
                .failedPrecondition,
                "'\(record.name)' is at generation \(record.generation), not \(request.expectedGeneration)",
                remedy: "look at the function again, then decide")
        }
        let registry = self.registry
        let name = record.name
        BlockingWork.run {
            do throws(AgentError) {
                try registry.deleteFunction(name)
                return .success(())
            } catch {
                return .failure(error)
            }
        } completion: { [self] (result: Result<Void, AgentError>) in
            var response = HearthDeleteFunctionResponse()
            if case .success = result, functions[name]?.generation == record.generation {
                response.sandboxesEnded = UInt64(pool.sandboxes.values.count { $0.function?.name == name })
                functions[name] = nil
                forgetAnalysis(name)
                prediction?.unbind(name)
                prediction?.forget(name, pool.identifiers[name])
                pool.unregister(name)
                statistics.forget(name)
                forgetLatency(of: name)
                journal.append("function", function: name, "deleted", fields: ["action": "deleted"])
                collectCode()
            }
            completion(result.map { response })
        }
    }

    /// Removes code that no function uses any more.
    func collectCode() {
        let used = Set(functions.values.compactMap { TreeDigest($0.codeDigest) })
        environment.codeMounts.keepOnly(Set(used.map(\.hexadecimal)))
        let store = code
        let logger = self.logger
        Registry.queue.async {
            do throws(ImageError) {
                try store.collect(keeping: used)
            } catch {
                logger.warning("unused code could not be removed", metadata: ["error": "\(error)"])
            }
        }
    }

    func listFunctions(_ request: HearthListFunctionsRequest) -> HearthListFunctionsResponse {
        let limit = request.limit == 0 ? 500 : min(Int(request.limit), 500)
        let names = functions.keys.filter { $0.hasPrefix(request.prefix) && $0 > request.after }.sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        var response = HearthListFunctionsResponse()
        // A page stays well below the largest message, whatever the environments hold.
        var bytes = 0
        for name in names.prefix(limit) {
            guard let info = functions[name]?.wire else { continue }
            bytes += (try? info.serializedBytes() as [UInt8])?.count ?? 0
            if bytes > 768 << 10 { break }
            response.functions.append(info)
        }
        response.more = response.functions.count < names.count
        return response
    }

    func listSandboxes(function: String) -> HearthListSandboxesResponse {
        let now = monotonicNow()
        var response = HearthListSandboxesResponse()
        for (_, sandbox) in pool.sandboxes.sorted(by: { $0.key < $1.key }) {
            guard function.isEmpty || sandbox.function?.name == function else { continue }
            var info = HearthSandboxInfo()
            info.id = sandbox.sandbox.name
            info.function = sandbox.function?.name ?? ""
            info.image = sandbox.base.image
            info.tier = sandbox.tier.wire
            info.state = sandbox.state.rawValue
            info.ageNs = UInt64(max(0, now - sandbox.created))
            info.idleNs = sandbox.state == .running ? 0 : UInt64(max(0, now - sandbox.lastUsed))
            info.invocations = UInt64(sandbox.served)
            info.memoryBytes = UInt64(max(0, sandbox.sandbox.memoryInUse()))
            info.pid = sandbox.sandbox.pid
            info.reason = pool.reason(for: sandbox)
            info.generation = sandbox.function?.generation ?? 0
            response.sandboxes.append(info)
        }
        for (_, sandbox) in runs.sorted(by: { $0.key < $1.key }) where function.isEmpty {
            var info = HearthSandboxInfo()
            info.id = sandbox.name
            info.state = "running"
            info.tier = .bare
            info.memoryBytes = UInt64(max(0, sandbox.memoryInUse()))
            info.pid = sandbox.pid
            info.reason = "a client runs a program in it"
            response.sandboxes.append(info)
        }
        return response
    }
}
