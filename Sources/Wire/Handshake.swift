/// The first frame each way.
package enum Handshake {
    /// "HRTH": tells a client of something else at once.
    package static let magic: UInt32 = 0x4852_5448
    /// The major version of the protocol. Two peers with different ones cannot talk.
    package static let major: UInt16 = 1
}

/// Optional parts of the protocol: in force where both sides set the bit.
package struct Features: OptionSet, Sendable, Hashable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Descriptors may travel with REQUEST and RESPONSE: the transport is a Unix socket.
    package static let descriptors = Features(rawValue: 1 << 0)

    package static let supported: Features = [.descriptors]
}

/// The body of HELLO: `magic u32 | major u16 | 0 u16 | features u64`. Bytes after these are ignored.
package struct Hello: Sendable, Hashable {
    package static let size = 16

    package var major: UInt16
    package var features: Features

    package init(major: UInt16 = Handshake.major, features: Features = .supported) {
        self.major = major
        self.features = features
    }

    init(decoding body: [UInt8]) throws(WireError) {
        let fields = try Handshake.check(body, "HELLO")
        (major, features) = fields
    }

    func encode(into bytes: inout [UInt8]) {
        bytes.appendBigEndian(Handshake.magic)
        bytes.appendBigEndian(major)
        bytes.appendBigEndian(UInt16(0))
        bytes.appendBigEndian(features.rawValue)
    }
}

/// The body of WELCOME: `magic u32 | major u16 | 0 u16 | features u64 | message u32 | streams u32 | credit u32`.
/// Bytes after these are ignored.
package struct Welcome: Sendable, Hashable {
    package static let size = 28

    package var major: UInt16
    /// Those of the server that the client's HELLO had too.
    package var features: Features
    package var limits: FrameLimits

    package init(major: UInt16 = Handshake.major, features: Features, limits: FrameLimits) {
        self.major = major
        self.features = features
        self.limits = limits
    }

    init(decoding body: [UInt8]) throws(WireError) {
        let fields = try Handshake.check(body, "WELCOME")
        (major, features) = fields
        // The header's check has seen to it that the body has at least 28 bytes.
        limits = body.withUnsafeBytes {
            FrameLimits(
                maximumMessage: $0.bigEndian32(at: 16), maximumStreams: $0.bigEndian32(at: 20),
                initialCredit: $0.bigEndian32(at: 24))
        }
        guard limits.maximumMessage >= Self.smallestMessage, limits.maximumStreams >= 1,
            (Self.smallestCredit...UInt32(FrameLimits.maximumCredit)).contains(limits.initialCredit)
        else {
            throw WireError(.badFrame, "WELCOME states limits outside of what version \(Handshake.major) allows")
        }
    }

    /// No server may allow less than this, so that an Error always fits.
    package static let smallestMessage: UInt32 = 4096

    /// Less credit would not carry one channel byte and a useful piece.
    package static let smallestCredit: UInt32 = 4096

    func encode(into bytes: inout [UInt8]) {
        bytes.appendBigEndian(Handshake.magic)
        bytes.appendBigEndian(major)
        bytes.appendBigEndian(UInt16(0))
        bytes.appendBigEndian(features.rawValue)
        bytes.appendBigEndian(limits.maximumMessage)
        bytes.appendBigEndian(limits.maximumStreams)
        bytes.appendBigEndian(limits.initialCredit)
    }
}

extension Handshake {
    /// The 16 bytes that HELLO and WELCOME begin with; their presence was checked with the header.
    fileprivate static func check(_ body: [UInt8], _ name: String) throws(WireError) -> (UInt16, Features) {
        let (magic, version, reserved, features) = body.withUnsafeBytes {
            ($0.bigEndian32(at: 0), $0.bigEndian16(at: 4), $0.bigEndian16(at: 6), $0.bigEndian64(at: 8))
        }
        guard magic == Self.magic else {
            throw WireError(.badMagic, "\(name) does not begin with the protocol's magic number")
        }
        guard version == major else {
            throw WireError(.unsupportedVersion, "\(name) of version \(version); this side speaks version \(major)")
        }
        guard reserved == 0 else {
            throw WireError(.reservedBits, "the reserved bytes of \(name) are not zero")
        }
        return (version, Features(rawValue: features))
    }
}
