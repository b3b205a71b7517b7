import Foundation
import Testing

@testable import HearthClient
@testable import Wire

@Suite struct CostTests {
    /// A warm invocation through the client, a socket pair and a server session on another thread. Prints the figure; the
    /// bound only catches a client that waits for something it need not wait for.
    @Test func warmInvocation() throws {
        let (client, _) = try FakeAgent.pair { session, event in
            guard case .request(let request) = event,
                let invoke: HearthInvokeRequest = try? request.message()
            else { return }
            var response = HearthInvokeResponse()
            response.outcome = .ok
            response.payload = invoke.payload
            session.respond(request.stream, response)
        }
        var request = HearthInvokeRequest()
        request.function = "echo"
        request.payload = Data(repeating: 120, count: 64)
        let rounds = 3000
        let taken = try ContinuousClock().measure {
            for _ in 0..<rounds { _ = try client.invoke(request) }
        }
        print("warm invocation through a socket pair: \(taken / rounds)")
        #expect(taken / rounds < .milliseconds(5))
    }
}
