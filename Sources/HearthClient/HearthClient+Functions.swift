public import Wire

extension HearthClient {
    /// Creates or replaces a function. `request.codeSize` and `codeFormat` describe the archive in `code`; without code they
    /// say NONE, or `reuseCodeDigest` names code that the agent has.
    public func putFunction(
        _ request: HearthPutFunctionRequest, code: Upload? = nil, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthFunctionInfo {
        try call(.putFunction, request, options: options, upload: code)
    }

    public func getFunction(
        _ name: String, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthFunctionInfo {
        var request = HearthGetFunctionRequest()
        request.name = name
        return try call(.getFunction, request, options: options)
    }

    /// All functions, by name; asks for page after page.
    public func listFunctions(
        prefix: String = "", options: CallOptions = .default
    ) throws(HearthClientError) -> [HearthFunctionInfo] {
        var functions: [HearthFunctionInfo] = []
        var request = HearthListFunctionsRequest()
        request.prefix = prefix
        while true {
            let page: HearthListFunctionsResponse = try call(.listFunctions, request, options: options)
            functions += page.functions
            // An agent that says `more` and sends nothing must not keep its client here for ever.
            guard page.more, let last = page.functions.last else { return functions }
            request.after = last.spec.name
        }
    }

    public func deleteFunction(
        _ name: String, expectedGeneration: UInt64 = 0, options: CallOptions = .default
    ) throws(HearthClientError) -> HearthDeleteFunctionResponse {
        var request = HearthDeleteFunctionRequest()
        request.name = name
        request.expectedGeneration = expectedGeneration
        return try call(.deleteFunction, request, options: options)
    }
}
