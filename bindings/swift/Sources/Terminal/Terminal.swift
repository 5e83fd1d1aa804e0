import Foundation

// What both samples need of a terminal.

/// Something is wrong with the command line.
public struct UsageError: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// The command line as options, each followed by its value, in the order they were given.
public func options(_ allowed: Set<String>) throws -> [(name: String, value: String)] {
    var options: [(name: String, value: String)] = []
    var words = CommandLine.arguments.dropFirst()
    while let name = words.popFirst() {
        guard allowed.contains(name) else { throw UsageError("unknown option \(name)") }
        guard let value = words.popFirst() else { throw UsageError("\(name) needs a value") }
        options.append((name, value))
    }
    return options
}

/// Writes a line at once: `print` would keep it back when a program reads.
public func say(_ line: String) {
    FileHandle.standardOutput.write(Data("\(line)\n".utf8))
}

/// Writes a line for whoever looks for faults.
public func complain(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
}

/// The lines that are typed. A thread of its own waits for them: the program can end while it does.
/// With `readLine` it could not, which holds a lock that `exit` waits for.
public func typedLines() -> AsyncStream<String> {
    AsyncStream { typed in
        Thread.detachNewThread {
            var rest = Data()
            while case let data = FileHandle.standardInput.availableData, !data.isEmpty {
                rest += data
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    typed.yield(String(decoding: rest[..<end], as: UTF8.self))
                    rest = Data(rest[(end + 1)...])
                }
            }
            if !rest.isEmpty { typed.yield(String(decoding: rest, as: UTF8.self)) }
            typed.finish()
        }
    }
}
