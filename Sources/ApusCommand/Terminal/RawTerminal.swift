import Foundation
import Synchronization

/// A terminal that gives every key at once and does not show them.
///
/// It is as it was before when this ends, also when the process leaves by `exit`.
enum RawTerminal {
    private static let original = Mutex<termios?>(nil)
    private static let registration: Void = {
        atexit { RawTerminal.leave() }
    }()

    static var isPossible: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

    static func enter() {
        _ = registration
        var settings = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        let before = settings
        original.withLock { if $0 == nil { $0 = before } }
        settings.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON | ICRNL | BRKINT | INPCK | ISTRIP)
        unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    static func leave() {
        guard var settings = original.withLock({ $0.take() }) else { return }
        unsafe tcsetattr(STDIN_FILENO, TCSADRAIN, &settings)
    }

    /// Lets the shell that started the process have the terminal, until it is continued.
    static func suspend() {
        leave()
        kill(getpid(), SIGSTOP)
        enter()
    }

    /// The columns and rows of the terminal, or those of an old one when it does not say.
    static var size: (columns: Int, rows: Int) {
        var window = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0 else { return (80, 24) }
        return (Int(window.ws_col), Int(window.ws_row))
    }

    /// The bytes that are typed, read by a thread of their own since reading blocks; empty when nothing follows an
    /// escape character.
    static func bytes() -> AsyncStream<[UInt8]> {
        let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 1024)
            while true {
                let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { break }
                continuation.yield(Array(buffer[..<count]))
                if buffer[count - 1] == 0x1B, !hasMore { continuation.yield([]) }
            }
            continuation.finish()
        }
        return stream
    }

    /// Whether more is typed within the time that a terminal needs for a sequence.
    private static var hasMore: Bool {
        var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, 50) > 0
    }
}
