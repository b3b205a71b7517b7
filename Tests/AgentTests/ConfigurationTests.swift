import AgentTestSupport
import Linux
import Testing
import Wire

@testable import Agent

/// The configuration file: what is written about each key holds, and what is wrong is said with its line.
@Suite struct ConfigurationTests {
    private func read(_ yaml: String) throws -> AgentConfiguration {
        var configuration = AgentConfiguration()
        try configuration.read(yaml: yaml, name: "hearth.yaml")
        return configuration
    }

    /// The rows of docs/configuration.md that name keys: each name with its default, nil where that is told in words.
    private func documented() throws -> [(key: String, value: String?)] {
        let text = try Files.readText(try BuildProducts.repository("docs/configuration.md"))
        var rows: [(key: String, value: String?)] = []
        var isOfKeys = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("| key | default |") { isOfKeys = true }
            if !line.hasPrefix("|") { isOfKeys = false }
            guard isOfKeys, line.hasPrefix("| `") else { continue }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.split(separator: " ").joined(separator: " ")
            }
            let value =
                cells[2].hasPrefix("`") && cells[2].hasSuffix("`") ? String(cells[2].dropFirst().dropLast()) : nil
            for key in cells[1].split(separator: "`").filter({ $0.allSatisfy { $0.isLowercase || $0 == "_" } }) {
                rows.append((String(key), value))
            }
        }
        return rows
    }

    @Test func everyKeyThatIsDocumentedIsKnownAndTakesItsDefault() throws {
        let rows = try documented()
        #expect(rows.count > 55, "\(rows.map(\.key))")
        for (key, value) in rows {
            if let value {
                _ = try read("\(key): \(value)\n")
            } else {
                // A mapping is nobody's value: whoever knows the key says so.
                let error = #expect(throws: AgentError.self) { _ = try read("\(key): {a: b}\n") }
                #expect(error?.message.contains("is not known") == false, "\(key)")
            }
        }
    }

    @Test func theDefaultsAreTheDocumentedOnes() throws {
        let untouched = AgentConfiguration()
        for (key, value) in try documented() {
            // "0660" is written with its quotes; lists begin empty.
            guard let value, value != "[]" else { continue }
            let read = try read("\(key): \(value)\n")
            #expect("\(read)" == "\(untouched)", "\(key): \(value) changes something")
        }
    }

    @Test func whatIsNotKnownIsRefusedWithItsLine() throws {
        let error = #expect(throws: AgentError.self) { _ = try read("keep_alive: 5m\nkeepalive: 5m\n") }
        #expect(error?.message == "configuration hearth.yaml, line 2: 'keepalive' is not known")
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("busy_poll: 2ms", "is more than 1ms"), ("busy_poll: -1us", "needs a duration"),
        ("busy_poll: on", "needs a duration"),
        ("socket_mode: 999", "is no mode"), ("networks: 65", "must be 0 to 64"), ("keep_alive: 0s", "needs a duration"),
        ("keep_alive: soon", "needs a duration"), ("memory_budget: 0", "needs a size"),
        ("eviction: fifo", "must be one of"),
        ("admins: 5", "needs a list"), ("admins: [root]", "needs numeric ids"), ("others: all", "must be one of"),
        ("max_sandboxes: 5000", "must be 1 to 4096"), ("prefetch_threshold: 1", "must be 0.05 to 0.95"),
        ("prediction: maybe", "must be one of on, off"), ("log_level: loud", "must be one of"),
        ("state:", "needs a text"),
        ("- a list", "is no mapping"), ("key: [", "configuration hearth.yaml"),
    ])
    func whatCannotBeIsRefused(_ yaml: String, _ reason: String) throws {
        let error = #expect(throws: AgentError.self) { _ = try read(yaml + "\n") }
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func valuesArriveInTheirUnits() throws {
        let configuration = try read(
            "busy_poll: 50us\nfreeze_after: never\nreclaim_after: 2m\nmemory_budget: 2G\nsocket_mode: \"0666\"\n")
        #expect(configuration.busyPoll == 50_000)
        #expect(configuration.freezeAfter == nil && configuration.reclaimAfter == 120_000_000_000)
        #expect(configuration.limits.memoryBudget == 2 << 30 && configuration.socketMode == 0o666)
        #expect(try read("busy_poll: off\n").busyPoll == 0)
        #expect(try read("busy_poll: 1ms\n").busyPoll == 1_000_000)
        #expect("\(try read(""))" == "\(AgentConfiguration())", "an empty file changes nothing")
    }
}
