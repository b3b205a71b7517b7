/// One stream as either side sees it, from its REQUEST to its RESPONSE.
///
/// ```
///            REQUEST                       RESPONSE
///   idle ---------------> open --------------------------> closed
///                          |  client's half ends with END_STREAM or CANCEL;
///                          |  the server's half ends with RESPONSE, and the stream with it
/// ```
struct StreamState<FD: Sendable>: Sendable {
    /// DATA bytes that this side may still send.
    var sendCredit: Int
    /// DATA bytes that the peer may still send.
    var receiveCredit: Int
    /// Bytes that the user of the session took and that were not granted to the peer again yet.
    var consumed = 0
    /// The peer sends no more DATA.
    var receiveEnded = false
    /// A CANCEL went over this stream.
    var cancelled = false
    /// Bytes that wait for credit.
    var queue = DataQueue()
    /// What is sent when the queue is empty.
    var ending = Ending.open

    enum Ending: Sendable {
        /// More may be queued.
        case open
        /// Client: END_STREAM stands on, or follows, the last DATA.
        case endStream
        /// Client: END_STREAM is out.
        case ended
        /// Server: the terminal frame.
        case response(flags: FrameFlags, body: [UInt8], fds: [FD])
    }

    init(credit: UInt32) {
        sendCredit = Int(credit)
        receiveCredit = Int(credit)
    }

    var mayQueueData: Bool {
        if case .open = ending { return !cancelled }
        return false
    }
}
