import Testing

/// What an attempt comes to inside, and outside of a sandbox.
struct Expectation: Sendable {
    let name: String
    let inside: String
    /// nil: the control's kernel may lack it, or refuses it to everybody.
    let outside: String?

    init(_ name: String, _ inside: String, outside: String? = "ok") {
        self.name = name
        self.inside = inside
        self.outside = outside
    }

    /// One outcome inside for many, which all work outside.
    static func all(_ names: [String], _ inside: String, outside: String? = "ok") -> [Expectation] {
        names.map { Expectation($0, inside, outside: outside) }
    }
}

extension [Expectation] {
    /// Each attempt has exactly the outcome expected, and no attempt is left unexpected.
    func check(inside: Attack.Outcomes, _ whose: String, sourceLocation: SourceLocation = #_sourceLocation) {
        for expectation in self {
            #expect(
                inside[expectation.name] == expectation.inside, "\(expectation.name) as \(whose)",
                sourceLocation: sourceLocation)
        }
        #expect(
            Set(inside.keys).subtracting(map(\.name)).isEmpty, "attempts that nothing is expected of",
            sourceLocation: sourceLocation)
    }

    /// The same program outside: what it attempts is a real attack.
    func check(control: Attack.Outcomes, sourceLocation: SourceLocation = #_sourceLocation) {
        for expectation in self {
            guard let outside = expectation.outside else { continue }
            #expect(
                control[expectation.name] == outside, "control of \(expectation.name)", sourceLocation: sourceLocation)
        }
    }
}
