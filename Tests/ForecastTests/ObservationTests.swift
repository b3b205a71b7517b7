import Testing

@testable import Forecast

@Suite struct ObservationTests {
    private func json(_ line: String) throws -> Observation? {
        try ObservationParser(format: .json).parse(line, number: 3)
    }

    @Test func readsJSONLines() throws {
        #expect(
            try json(#"{"time": 1.5, "function": "f", "user": "u"}"#)
                == Observation(
                    time: 1_500_000_000, .request(function: "f", user: "u", session: nil, arguments: 0)))
        #expect(
            try json(#"{"time": "2000-10-10T20:55:36Z", "topic": "t", "key": "k"}"#)
                == Observation(time: 971_211_336_000_000_000, .event(topic: "t", key: "k")))
        #expect(
            try json(#"{"time": 2, "from_topic": "t", "to": "g", "lag": 3}"#)
                == Observation(time: 2_000_000_000, .dependency(from: .topic("t"), to: "g", lag: 3)))
        #expect(
            try json(#"{"time": 2, "user": "u", "session": "s", "ends": true}"#)
                == Observation(time: 2_000_000_000, .session(user: "u", session: "s", begins: false)))
        #expect(try json("") == nil)
        let first = try json(#"{"time": 1, "function": "f", "arguments": "a"}"#)
        let second = try json(#"{"time": 1, "function": "f", "arguments": "b"}"#)
        #expect(first != second)
    }

    @Test(arguments: [
        "[]", "{", #"{"function": "f"}"#, #"{"time": "soon", "function": "f"}"#, #"{"time": 1}"#,
        #"{"time": 1, "function": "f", "colour": "red"}"#, #"{"time": -1, "function": "f"}"#,
        #"{"time": 1, "to": "g"}"#, #"{"time": 1, "from": "f", "to": "g", "lag": -1}"#,
        #"{"time": 1e300, "topic": "t"}"#,
    ])
    func refusesWhatItDoesNotKnow(line: String) {
        #expect(throws: ForecastError.self) { try json(line) }
    }

    @Test func readsAccessLogs() throws {
        let line = #"10.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /api/pay?x=1 HTTP/1.0" 200 2326 "-" "curl""#
        let plain = ObservationParser(format: .clf)
        #expect(
            try plain.parse(line, number: 1)
                == Observation(
                    time: 971_211_336_000_000_000,
                    .request(function: "api", user: "frank", session: nil, arguments: 0)))
        let routed = ObservationParser(
            format: .clf,
            routes: [.init(prefix: "/api", function: "other"), .init(prefix: "/api/pay", function: "pay")])
        let observation = try routed.parse(line.replacing("frank", with: "-"), number: 1)
        #expect(
            observation?.kind == .request(function: "pay", user: "10.0.0.1", session: nil, arguments: 0))
        #expect(try routed.parse(line.replacing("/api/pay", with: "/icon"), number: 1) == nil)
        // A leap day.
        let leap = try plain.parse(#"h - - [29/Feb/2024:00:00:00 +0000] "GET /a HTTP/1.1" 200 1"#, number: 1)
        #expect(leap?.time == 1_709_164_800_000_000_000)
    }

    @Test(arguments: [
        "nonsense", "a b c d", #"h - - [10/Foo/2000:13:55:36 -0700] "GET /a HTTP/1.0" 200 1"#,
        "h - - [10/Oct/2000:13:55:36 -0700] GET /a", #"h - - ]10/Oct/2000[ "GET /a""#,
        #"h - - [10/Oct/2000:13:55:36 -0700] "GET" 200 1"#,
    ])
    func refusesBrokenLogLines(line: String) {
        #expect(throws: ForecastError.self) { try ObservationParser(format: .clf).parse(line, number: 1) }
    }
}
