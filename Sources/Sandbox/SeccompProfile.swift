import CSeccomp
import Glibc
import Linux

/// A seccomp profile as a person writes it: families of calls, one line a rule.
///
///     # comment
///     default errno ENOSYS
///     allow read write close
///     allow clone if arg0 & 0x7e020000 == 0
///     allow socket if arg0 == 16 and arg2 == 0
///     errno EPERM mount umount2
///
/// A call that is named nowhere meets the default. A profile that only ever stands behind another one may begin with `default allow`
/// and name what it takes away: see `SeccompProgram.stacked`.
package struct SeccompProfile: Sendable {
    package struct Rule: Sendable {
        package let name: String
        let action: UInt32
        let conditions: [scmp_arg_cmp]
    }

    package let defaultAction: UInt32
    package let rules: [Rule]

    /// Whether what is named nowhere is refused: the only kind that may stand alone.
    package var isAllowlist: Bool { defaultAction != Self.allow }

    static let allow: UInt32 = 0x7fff_0000  // SECCOMP_RET_ALLOW
    static let killProcess: UInt32 = 0x8000_0000  // SECCOMP_RET_KILL_PROCESS

    static func errno(_ number: Int32) -> UInt32 { 0x0005_0000 | UInt32(number) }

    /// Reads a profile's text; the error names the line.
    package init(parsing text: String, name: String) throws(SandboxError) {
        var rules: [Rule] = []
        var fallback: UInt32?
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let bare = line.prefix { $0 != "#" }
            var words = bare.split(whereSeparator: \.isWhitespace)[...]
            guard let verb = words.popFirst() else { continue }
            let problem = { (why: String) in SandboxError.invalid("seccomp profile \(name), line \(index + 1): \(why)")
            }
            switch verb {
            case "default":
                guard fallback == nil else { throw problem("a second 'default' line") }
                if words.elementsEqual(["allow"]) {
                    fallback = Self.allow
                } else if words.count == 2, words.popFirst() == "errno", let word = words.popFirst(),
                    let number = Self.errnoNumber(word)
                {
                    fallback = Self.errno(number)
                } else {
                    throw problem("expected 'default errno NAME' or 'default allow'")
                }
            case "allow", "errno":
                var action = Self.allow
                if verb == "errno" {
                    guard let word = words.popFirst(), let number = Self.errnoNumber(word) else {
                        throw problem("expected an error name such as EPERM after 'errno'")
                    }
                    action = Self.errno(number)
                }
                var conditions: [scmp_arg_cmp] = []
                if let at = words.firstIndex(of: "if") {
                    for part in words[(at + 1)...].split(separator: "and", omittingEmptySubsequences: false) {
                        guard let condition = Self.condition(part) else {
                            throw problem(
                                "expected 'if argN & MASK == VALUE', 'if argN == VALUE' or 'if argN != VALUE', "
                                    + "more of them after 'and'")
                        }
                        conditions.append(condition)
                    }
                    words = words[..<at]
                }
                guard !words.isEmpty else { throw problem("no system call named") }
                for word in words {
                    guard word.utf8.allSatisfy({ ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 95 }) else {
                        throw problem("'\(word)' is no name of a system call")
                    }
                    rules.append(Rule(name: String(word), action: action, conditions: conditions))
                }
            default:
                throw problem("'\(verb)' is none of default, allow, errno")
            }
        }
        guard let fallback else { throw .invalid("seccomp profile \(name): no 'default' line") }
        defaultAction = fallback
        self.rules = rules
    }

    private static func errnoNumber(_ word: Substring) -> Int32? {
        switch word {
        case "EPERM": EPERM
        case "ENOSYS": ENOSYS
        case "EACCES": EACCES
        case "EAFNOSUPPORT": EAFNOSUPPORT
        case "EINVAL": EINVAL
        case "ENOTTY": ENOTTY
        case "EOPNOTSUPP": EOPNOTSUPP
        default: nil
        }
    }

    private static func number(_ word: Substring) -> UInt64? {
        word.hasPrefix("0x") ? UInt64(word.dropFirst(2), radix: 16) : UInt64(word)
    }

    private static func condition(_ words: ArraySlice<Substring>) -> scmp_arg_cmp? {
        var words = words
        guard let first = words.popFirst(), first.hasPrefix("arg"), let argument = UInt32(first.dropFirst(3)),
            argument < 6, let operation = words.popFirst(), let operand = words.popFirst().flatMap(number)
        else { return nil }
        switch operation {
        case "&":
            guard words.popFirst() == "==", let value = words.popFirst().flatMap(number), words.isEmpty else {
                return nil
            }
            return scmp_arg_cmp(arg: argument, op: SCMP_CMP_MASKED_EQ, datum_a: operand, datum_b: value)
        case "==" where words.isEmpty:
            return scmp_arg_cmp(arg: argument, op: SCMP_CMP_EQ, datum_a: operand, datum_b: 0)
        case "!=" where words.isEmpty:
            return scmp_arg_cmp(arg: argument, op: SCMP_CMP_NE, datum_a: operand, datum_b: 0)
        default: return nil
        }
    }
}
