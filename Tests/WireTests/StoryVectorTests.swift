import Testing

@testable import Wire

@Suite struct StoryVectorTests {
    @Test(arguments: VectorFile.all("stories"))
    func plays(_ file: VectorFile) throws {
        let story = try file.json()
        let longest = story["steps"].list.map { $0["receive"].bytes.count }.max() ?? 0
        for cut in Cut.all(for: longest) {
            var player = StoryPlayer(story, cut)
            player.play()
            guard player.problems.isEmpty else {
                Issue.record("cut \(cut): \(player.problems.joined(separator: "\n"))")
                return
            }
        }
    }
}

/// Plays one story against the session of its side.
struct StoryPlayer {
    private let steps: [JSON]
    private let cut: Cut
    private var side: Side
    private var taken = true
    private(set) var problems: [String] = []

    private enum Side {
        case server(TestServer)
        case client(TestClient)
    }

    init(_ story: JSON, _ cut: Cut) {
        steps = story["steps"].list
        self.cut = cut
        if story["side"].string == "client" {
            side = .client(TestClient(features: .descriptors))
        } else {
            let given = story["limits"]
            var limits = FrameLimits.default
            if given["message"].exists { limits.maximumMessage = UInt32(given["message"].int) }
            if given["streams"].exists { limits.maximumStreams = UInt32(given["streams"].int) }
            if given["credit"].exists { limits.initialCredit = UInt32(given["credit"].int) }
            side = .server(TestServer(limits: limits, features: .descriptors))
        }
    }

    mutating func play() {
        for (index, step) in steps.enumerated() where problems.isEmpty {
            perform(step)
            if let last = problems.indices.last { problems[last] = "step \(index): " + problems[last] }
        }
        let left = events()
        if !left.isEmpty { problems.append("unexpected at the end: \(left)") }
        let (bytes, _) = output()
        if !bytes.isEmpty { problems.append("written at the end: \(bytes.count) bytes") }
    }

    private mutating func perform(_ step: JSON) {
        if step["receive"].exists {
            receive(step["receive"].bytes, fds: step["fds"].int)
        } else if step["receive_end"].exists {
            switch side {
            case .server(var session):
                session.receiveEnd()
                side = .server(session)
            case .client(var session):
                session.receiveEnd()
                side = .client(session)
            }
        } else if step["call"].exists {
            call(step)
        } else if step["expect"].exists {
            let got = events()
            let wanted = step["expect"].list.map(Self.describe)
            if got != wanted { problems.append("events \(got), expected \(wanted)") }
        } else if step["send"].exists {
            let (bytes, fds) = output()
            if bytes != step["send"].bytes || fds != step["fds"].int {
                problems.append("sent \(bytes.prefix(200)) with \(fds), expected \(step["send"].bytes.prefix(200))")
            }
        } else if step["send_go_away"].exists {
            expectGoAway(step["send_go_away"])
        } else if step["refused"].exists {
            if taken { problems.append("the call was taken") }
            let (bytes, _) = output()
            if !bytes.isEmpty { problems.append("a refused call wrote \(bytes.count) bytes") }
        } else {
            problems.append("a step that this runner does not know")
        }
    }

    private mutating func receive(_ wire: [UInt8], fds: Int) {
        for (index, piece) in cut.pieces(wire).enumerated() {
            let arriving = index == 0 ? (0..<fds).map(FakeFD.init) : []
            switch side {
            case .server(var session):
                session.feed(Array(piece), fds: arriving)
                side = .server(session)
            case .client(var session):
                session.feed(Array(piece), fds: arriving)
                side = .client(session)
            }
        }
    }

    private mutating func output() -> (bytes: [UInt8], fds: Int) {
        let pieces: [(bytes: [UInt8], fds: [FakeFD])]
        switch side {
        case .server(var session):
            pieces = session.output.takePieces()
            side = .server(session)
        case .client(var session):
            pieces = session.output.takePieces()
            side = .client(session)
        }
        return (pieces.flatMap(\.bytes), pieces.reduce(0) { $0 + $1.fds.count })
    }

    private mutating func expectGoAway(_ wanted: JSON) {
        let (bytes, _) = output()
        var decoder = FrameDecoder()
        decoder.expectsHandshake = false
        var offset = 0
        var last: Frame?
        bytes.withUnsafeBytes {
            while let frame = try? decoder.next($0, offset: &offset) { last = frame }
        }
        guard let last, last.header.kind == .goAway else {
            return problems.append("no GOAWAY at the end of the output")
        }
        let goAway = GoAway(decoding: last.body)
        let name = WireErrorCode(rawValue: goAway.code)?.name
        if name != wanted["error"].string || UInt64(goAway.lastStream) != wanted["last_stream"].number {
            problems.append("\(goAway)")
        }
    }

    // MARK: Calls

    private mutating func call(_ step: JSON) {
        switch side {
        case .server(var session):
            callServer(&session, step)
            side = .server(session)
        case .client(var session):
            callClient(&session, step)
            side = .client(session)
        }
    }

    private mutating func callServer(_ session: inout TestServer, _ step: JSON) {
        let stream = UInt32(step["stream"].int)
        switch step["call"].string {
        case "respond":
            taken = session.respond(
                stream, flags: step["error"].bool ? .error : [], body: step["body"].bytes,
                fds: (0..<step["fds"].int).map(FakeFD.init))
        case "data":
            taken = session.send(stream, channel: Self.channel(step), step["bytes"].bytes)
        case "consumed": session.consumed(stream, step["count"].int)
        case "ping": session.ping(Self.number(step["value"].bytes))
        case "go_away": session.goAway("")
        case let other: problems.append("a server has no call \(other)")
        }
    }

    private mutating func callClient(_ session: inout TestClient, _ step: JSON) {
        let stream = UInt32(step["stream"].int)
        switch step["call"].string {
        case "request":
            let id = try? session.request(
                method: UInt16(step["method"].int), message: step["message"].bytes,
                deadline: step["deadline"].exists ? step["deadline"].number : nil,
                fds: (0..<step["fds"].int).map(FakeFD.init), isComplete: step["complete"].bool)
            taken = id != nil
        case "data":
            taken = session.send(stream, channel: Self.channel(step), step["bytes"].bytes)
        case "end": session.endData(stream)
        case "cancel": session.cancel(stream)
        case "consumed": session.consumed(stream, step["count"].int)
        case "ping": session.ping(Self.number(step["value"].bytes))
        case "go_away": session.goAway()
        case let other: problems.append("a client has no call \(other)")
        }
    }

    private static func channel(_ step: JSON) -> UInt8? {
        step["channel"].exists ? UInt8(step["channel"].int) : nil
    }

    private static func number(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    // MARK: Events, as text of one shape

    private mutating func events() -> [String] {
        switch side {
        case .server(var session):
            defer { side = .server(session) }
            return session.allEvents().map(Self.describe)
        case .client(var session):
            defer { side = .client(session) }
            return session.allEvents().map(Self.describe)
        }
    }

    private static func describe(_ event: JSON) -> String {
        let stream = event["stream"].number
        let end = event["end"].exists ? " end=\(event["end"].bool)" : ""
        return switch event["event"].string {
        case "opened":
            event["message"].exists
                ? "opened \(event["features"].number) \(event["message"].number) \(event["streams"].number) "
                    + "\(event["credit"].number)"
                : "opened \(event["features"].number)"
        case "request":
            "request \(stream) \(event["method"].number) \(event["deadline"].number) \(event["complete"].bool) "
                + "\(event["fds"].number) \(event["message"].bytes)"
        case "response":
            "response \(stream) \(event["error"].bool) \(event["fds"].number) \(event["body"].bytes)"
        case "data": "data \(stream) \(event["body"].bytes)\(end)"
        case "pong": "pong \(number(event["value"].bytes))"
        case "go_away": "go_away \(event["last_stream"].number) \(event["code"].number) \(event["text"].string)"
        case "failed": "failed \(event["error"].string)"
        case let name: "\(name) \(stream)"
        }
    }

    private static func describe(_ event: ServerEvent<FakeFD>) -> String {
        switch event {
        case .opened(let features): "opened \(features.rawValue)"
        case .request(let request):
            "request \(request.stream) \(request.method) \(request.deadline ?? 0) \(request.isComplete) "
                + "\(request.fds.count) \(Array(request.body.dropFirst(8)))"
        case .data(let stream, let bytes, let end): "data \(stream) \(bytes) end=\(end)"
        case .cancel(let stream): "cancel \(stream)"
        case .drained(let stream): "drained \(stream)"
        case .pong(let value): "pong \(value)"
        case .goAway(let goAway): describe(goAway)
        case .failed(let error): "failed \(error.code.name)"
        }
    }

    private static func describe(_ event: ClientEvent<FakeFD>) -> String {
        switch event {
        case .opened(let welcome):
            "opened \(welcome.features.rawValue) \(welcome.limits.maximumMessage) \(welcome.limits.maximumStreams) "
                + "\(welcome.limits.initialCredit)"
        case .response(let stream, let isError, let body, let fds):
            "response \(stream) \(isError) \(fds.count) \(body)"
        case .data(let stream, let bytes): "data \(stream) \(bytes)"
        case .drained(let stream): "drained \(stream)"
        case .pong(let value): "pong \(value)"
        case .goAway(let goAway): describe(goAway)
        case .unprocessed(let stream): "unprocessed \(stream)"
        case .failed(let error): "failed \(error.code.name)"
        }
    }

    private static func describe(_ goAway: GoAway) -> String {
        "go_away \(goAway.lastStream) \(goAway.code) \(goAway.text)"
    }
}
