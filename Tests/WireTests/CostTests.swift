import Foundation
import SwiftProtobuf
import Testing

@testable import Wire

@Suite struct CostTests {
    /// A whole warm invocation through both sessions, messages encoded and decoded: four codec passes, no I/O. Prints the
    /// figure; the bound is wide (a debug build on a busy machine) and catches only what is quadratic or copies needlessly.
    @Test func warmRoundTrip() throws {
        var pair = Pair()
        var request = HearthInvokeRequest()
        request.function = "echo"
        request.payload = Data(repeating: 120, count: 64)
        var response = HearthInvokeResponse()
        response.outcome = .ok
        response.startKind = .warm
        response.payload = request.payload
        response.timing.runNs = 1000
        let rounds = 2000
        let clock = ContinuousClock()
        let taken = try clock.measure {
            for _ in 0..<rounds {
                _ = try pair.client.request(.invoke, request, deadline: 1_000_000_000)
                pair.client.output.carry { pair.server.receive($0) }
                while let event = pair.server.nextEvent() {
                    guard case .request(let arrived) = event else { continue }
                    let decoded: HearthInvokeRequest = try arrived.message()
                    if decoded.payload.count != 64 { Issue.record("payload lost") }
                    pair.server.respond(arrived.stream, response)
                }
                pair.server.output.carry { pair.client.receive($0) }
                while let event = pair.client.nextEvent() {
                    guard case .response(_, _, let body, _) = event else { continue }
                    if try HearthInvokeResponse(serializedBytes: body).outcome != .ok { Issue.record("outcome lost") }
                }
            }
        }
        let nanoseconds = Double(taken.components.attoseconds) / 1e9 + Double(taken.components.seconds) * 1e9
        print("warm round trip without I/O: \(Int(nanoseconds) / rounds) ns")
        #expect(nanoseconds / Double(rounds) < 1_000_000)
    }
}

extension OutputBuffer {
    fileprivate mutating func carry(_ receive: (UnsafeRawBufferPointer) -> Void) {
        while !isEmpty {
            _ = writeNext { (bytes, _) in
                receive(bytes)
                return bytes.count
            }
        }
    }
}
