public import Wire

extension HearthClient {
    public func info(options: CallOptions = .default) throws(HearthClientError) -> HearthInfoResponse {
        try call(.info, HearthInfoRequest(), options: options)
    }

    public func listSandboxes(
        function: String = "", options: CallOptions = .default
    ) throws(HearthClientError) -> [HearthSandboxInfo] {
        var request = HearthListSandboxesRequest()
        request.function = function
        let response: HearthListSandboxesResponse = try call(.listSandboxes, request, options: options)
        return response.sandboxes
    }

    public func listImages(options: CallOptions = .default) throws(HearthClientError) -> [HearthImageInfo] {
        let response: HearthListImagesResponse = try call(.listImages, HearthListImagesRequest(), options: options)
        return response.images
    }

    /// `request.size` says how many bytes `archive` has; a directory of the node is imported without one.
    public func importImage(
        _ request: HearthImportImageRequest, archive: Upload? = nil, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthImageInfo {
        try call(.importImage, request, options: options, upload: archive)
    }

    public func deleteImage(
        _ name: String, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthDeleteImageResponse {
        var request = HearthDeleteImageRequest()
        request.name = name
        return try call(.deleteImage, request, options: options)
    }

    public func stats(
        function: String = "", options: CallOptions = .default
    ) throws(HearthClientError) -> HearthStatsResponse {
        var request = HearthStatsRequest()
        request.function = function
        return try call(.stats, request, options: options)
    }

    public func doctor(options: CallOptions = .default) throws(HearthClientError) -> [HearthFinding] {
        let response: HearthDoctorResponse = try call(.doctor, HearthDoctorRequest(), options: options)
        return response.findings
    }
}
