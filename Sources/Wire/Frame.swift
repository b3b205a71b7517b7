/// One frame as it came: a checked header and its body.
package struct Frame: Sendable, Hashable {
    package let header: FrameHeader
    package let body: [UInt8]

    package init(header: FrameHeader, body: [UInt8]) {
        self.header = header
        self.body = body
    }
}
