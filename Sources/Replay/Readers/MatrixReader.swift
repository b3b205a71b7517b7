/// Reads the minute matrices: a row a unit, a column a minute.
struct MatrixReader {
    let layout: TraceLayout
    let header: Header
    let columns: Header.MinuteColumns
    /// Minutes between the trace's first minute and this file's first column.
    let offset: Int

    private let function: Int?
    private let app: Int?
    private let owner: Int?
    private let trigger: Int?
    private let memory: Int?

    init(layout: TraceLayout, header: Header, columns: Header.MinuteColumns, offset: Int) {
        self.layout = layout
        self.header = header
        self.columns = columns
        self.offset = offset
        function = header.column("HashFunction") ?? header.column("row")
        app = header.column("HashApp")
        owner = header.column("HashOwner")
        trigger = header.column("Trigger")
        memory = header.column("AverageMemUsageMB")
    }

    func read(_ lines: inout LineReader, into builder: inout TraceBuilder) throws(ReplayError) {
        let path = lines.path
        try builder.declare(layout == .applicationConcurrency ? .concurrency : .counts, path: path)
        builder.extendHorizon(to: offset + columns.count)
        var more = true
        while more {
            let number = lines.number + 1
            more =
                try lines.next { (line) throws(ReplayError) -> Bool in
                    if line.count > 0 { try row(line, number: number, path: path, into: &builder) }
                    return true
                } ?? false
        }
    }

    private func row(
        _ line: Span<UInt8>, number: Int, path: String, into builder: inout TraceBuilder
    ) throws(ReplayError) {
        var cursor = 0
        var names: [String] = []
        var megabytes: Double?
        for column in 0..<columns.firstColumn {
            guard let field = Fields.next(in: line, at: &cursor) else {
                throw shape(found: column, number: number, path: path)
            }
            names.append(Fields.text(line, field))
            if column == memory { megabytes = Fields.number(line, field) }
        }
        func name(_ column: Int?) -> String { column.map { names[$0] } ?? "" }
        let id = function == nil ? name(app) : name(function)
        guard !id.isEmpty else {
            throw .malformed(path: path, line: number, reason: "the row has no function or application name")
        }
        let unit = builder.unit(function: id, app: name(app), owner: name(owner), trigger: name(trigger))
        if let megabytes, megabytes > 0, megabytes < 1e9 { builder.setMemory(megabytes, unit: unit) }
        for column in 0..<columns.count {
            // Nearly all cells are a bare "0": skip them without parsing.
            if cursor + 1 < line.count && line[cursor] == 0x30 && line[cursor + 1] == 0x2c {
                cursor += 2
                continue
            }
            guard let field = Fields.next(in: line, at: &cursor) else {
                throw shape(found: columns.firstColumn + column, number: number, path: path)
            }
            if field.isEmpty { continue }
            guard let value = Fields.number(line, field), Fields.isCount(value) else {
                throw .malformed(
                    path: path, line: number,
                    reason: "minute \(columns.firstNumber + column) is \"\(Fields.text(line, field))\", not a count")
            }
            if value > 0 { builder.add(unit: unit, minute: offset + column, value: Float(value)) }
        }
        if cursor <= line.count {
            throw .malformed(
                path: path, line: number,
                reason: "there are more fields than the header's \(header.names.count)")
        }
    }

    private func shape(found: Int, number: Int, path: String) -> ReplayError {
        .malformed(
            path: path, line: number, reason: "the row ends after \(found) of the header's \(header.names.count) fields"
        )
    }
}
