import Images
import Linux
import Sandbox
import Wire

/// Images: stored away from the loop, prepared by the nursery, then known by name.
extension Agent {
    func listImages(completion: @escaping @LoopActor @Sendable (Result<HearthListImagesResponse, AgentError>) -> Void) {
        let store = images
        BlockingWork.run {
            do throws(ImageError) {
                var response = HearthListImagesResponse()
                response.images = try store.list().map(\.wire)
                return .success(response)
            } catch {
                return .failure(AgentError(error, what: "images"))
            }
        } completion: { result in
            completion(result)
        }
    }

    func deleteImage(
        _ name: String,
        completion: @escaping @LoopActor @Sendable (Result<HearthDeleteImageResponse, AgentError>) -> Void
    ) throws(AgentError) {
        guard name != Image.hostName else {
            throw AgentError(
                .failedPrecondition, "the image 'host' is built in", remedy: "it cannot be deleted")
        }
        guard environment.hasImage(name) else { throw .imageNotFound(FunctionRecord.printable(name)) }
        if let user = functions.values.filter({ $0.image == name }).map(\.name).min() {
            throw AgentError(
                .failedPrecondition, "the function '\(user)' uses the image '\(name)'",
                remedy: "delete or change the functions that use it first")
        }
        environment.setImage(name, handle: nil)
        let store = images
        BlockingWork.run {
            do throws(ImageError) {
                var response = HearthDeleteImageResponse()
                response.bytesFreed = UInt64(max(0, try store.find(name)?.bytes ?? 0))
                try store.delete(name)
                return .success(response)
            } catch {
                return .failure(AgentError(error, what: "image '\(name)'"))
            }
        } completion: { result in
            completion(result)
        }
    }

    /// Makes a stored image usable: the nursery builds its tree of mounts.
    func prepare(
        _ image: Image, completion: @escaping @LoopActor @Sendable (Result<HearthImageInfo, AgentError>) -> Void
    ) {
        environment.factory.prepareImage(image.directory, host: image.kind == .host) { [self] result in
            switch result {
            case .success(let handle):
                environment.setImage(image.name, handle: handle)
                completion(.success(image.wire))
            case .failure(let error):
                var failure = AgentError(error)
                failure.message = "image '\(image.name)' cannot be mounted: " + failure.message
                completion(.failure(failure))
            }
        }
    }
}

extension Image {
    var wire: HearthImageInfo {
        var info = HearthImageInfo()
        info.name = name
        info.digest = kind == .host ? "" : "sha256:" + digest
        info.bytes = UInt64(max(0, bytes))
        info.createdUnixMs = created * 1000
        info.kind = kind.rawValue
        return info
    }
}
