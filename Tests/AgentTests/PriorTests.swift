import AgentTestSupport
import Forecast
import HearthClient
import Linux
import Logging
import Testing
import Wire

@testable import Agent

extension AgentTests {
    /// What a node begins with that has learned nothing yet.
    @Suite struct PriorTests {
        private static let shipped = "rootfs-tools/priors/azure2019.prior"

        @LoopActor
        private static func models(_ prior: String?, _ state: String) throws -> [UInt8] {
            var settings = PredictionSettings()
            settings.functions = 100
            settings.users = 100
            settings.prior = prior
            return try PredictionStore(directory: state).load(settings, logger: Logger(label: "test")).forecaster.save()
        }

        /// The models are others with it, and those without one where the file is none.
        @Test @LoopActor func theFilesCountsAreTheModels() throws {
            let scratch = try ScratchDirectory()
            let bad = scratch.path + "/none.prior"
            try Files.write([UInt8](repeating: 7, count: 1000), to: bad)
            let empty = try Self.models(nil, scratch.path)
            #expect(try Self.models(try BuildProducts.repository(Self.shipped), scratch.path) != empty)
            #expect(try Self.models(bad, scratch.path) == empty)
            #expect(try Self.models("/no/such", scratch.path) == empty)
        }

        @Test func anAgentSaysWhereItIsNotUsed() throws {
            for (path, isGood) in [(try BuildProducts.repository(Self.shipped), true), ("/no/such", false)] {
                try withAgent("prediction: on\nprediction_prior: \(path)") { agent, client in
                    try client.put("f", .command) { $0.argv = ["/bin/cat"] }
                    #expect(try client.invoke("f", "x").text == "x")
                    #expect(agent.log.contains("the prior is not used") == !isGood, "\(path): \(agent.log)")
                }
            }
        }
    }
}
