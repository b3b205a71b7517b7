import ArgumentParser
import CLinux
import Glibc
import HearthClient
import Linux
import Wire

/// `hearth top`: the node at a glance, refreshed on a terminal, printed once elsewhere.
struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch functions, tiers, memory, the threshold and the ledger; q quits.")

    @OptionGroup var agent: AgentOptions
    @Option(name: .long, help: "Time between two refreshes, such as 2s.") var interval = TimeSpan(
        nanoseconds: 2_000_000_000)
    @Flag(name: .long, help: "Print once, even on a terminal.") var once = false
    @Flag(name: .long, help: "Print JSON, once.") var json = false

    func validate() throws {
        guard interval.nanoseconds >= 100_000_000 else { throw ValidationError("--interval must be 100ms or more") }
    }

    func run() throws {
        try reporting {
            let client = try agent.connect()
            var view = try TopView(client)
            if json { return JSON.print(view.json) }
            guard !once, isatty(0) == 1, isatty(1) == 1 else {
                return Terminal.write(view.lines(width: 120).joined(separator: "\n") + "\n")
            }
            let screen = try Screen()
            defer { screen.restore() }
            while true {
                screen.show(view.lines(width: screen.width))
                guard screen.wait(interval.nanoseconds) else { return }
                try view.refresh(client)
            }
        }
    }
}

/// A terminal that shows one page: no echo, no scrolling, and all of it given back at the end.
private final class Screen {
    private var saved = termios()
    private let signals: Int32

    init() throws(Errno) {
        // A signal that ends the program ends the page first.
        let numbers = [SIGINT, SIGTERM, SIGHUP, SIGWINCH]
        _ = clx_block_signals(numbers, Int32(numbers.count))
        signals = clx_signalfd(numbers, Int32(numbers.count))
        guard signals >= 0 else { throw Errno.current }
        tcgetattr(0, &saved)
        var settings = saved
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(0, TCSANOW, &settings)
        // The alternate screen, without a cursor.
        Terminal.write("\u{1b}[?1049h\u{1b}[?25l")
    }

    func restore() {
        Terminal.write("\u{1b}[?25h\u{1b}[?1049l")
        tcsetattr(0, TCSANOW, &saved)
        close(signals)
    }

    private var size: (rows: Int, columns: Int) {
        var rows: UInt16 = 0
        var columns: UInt16 = 0
        guard clx_tty_get_size(1, &rows, &columns) == 0, rows > 0, columns > 0 else { return (24, 80) }
        return (Int(rows), Int(columns))
    }

    var width: Int { size.columns }

    func show(_ lines: [String]) {
        var text = "\u{1b}[H"
        for line in lines.prefix(size.rows - 1) { text += line + "\u{1b}[K\r\n" }
        Terminal.write(text + "\u{1b}[J")
    }

    /// False when the person has seen enough.
    func wait(_ nanoseconds: UInt64) -> Bool {
        let end = monotonicNow() + Int64(nanoseconds)
        while true {
            let left = end - monotonicNow()
            guard left > 0 else { return true }
            var set = [
                pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&set, 2, Int32(clamping: (left + 999_999) / 1_000_000)) > 0 else { continue }
            if set[1].revents != 0 { return clx_signalfd_read(signals) == SIGWINCH }
            var key: UInt8 = 0
            guard read(0, &key, 1) == 1 else { return false }
            // q, Q, and control-C and -D where the terminal passes them on.
            if [0x71, 0x51, 0x03, 0x04].contains(key) { return false }
            if key == UInt8(ascii: " ") || key == UInt8(ascii: "\n") { return true }
        }
    }
}
