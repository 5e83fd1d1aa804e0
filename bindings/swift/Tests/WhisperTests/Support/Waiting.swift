import Foundation
import Testing
import Whisper

/// Nothing came in time.
struct TimedOut: Error {}

/// Waits for what must come, and not for ever.
func within<Value: Sendable>(
    seconds: Double = 60,
    _ wait: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await wait() }
        group.addTask {
            try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
            throw TimedOut()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw TimedOut() }
        return first
    }
}

extension Events {
    /// Reads up to the first event that something comes out of. That one is not acknowledged.
    func first<Value: Sendable>(
        _ pick: @escaping @Sendable (Event) -> Value?
    ) async throws -> Value {
        let events = self
        return try await within {
            for try await event in events {
                if let value = pick(event) { return value }
            }
            throw TimedOut()
        }
    }
}

/// Asks again until the answer is yes. It waits for what no event tells.
func eventually(_ condition: @escaping @Sendable () async throws -> Bool) async throws {
    try await within {
        while try await !condition() {
            try await Task.sleep(nanoseconds: 5_000_000)
        }
    }
}

/// Checks that no call of this process runs any more.
func expectNoJobs(_ location: SourceLocation = #_sourceLocation) async {
    await #expect(throws: Never.self, sourceLocation: location) {
        try await eventually { runningJobs() == 0 }
    }
}

/// What a call throws; an issue if it throws nothing, or anything but an error of the library.
func failure<Value>(
    _ location: SourceLocation = #_sourceLocation,
    of call: () throws -> Value
) -> WhisperError? {
    do {
        _ = try call()
        Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as WhisperError {
        return error
    } catch {
        Issue.record("not of the library: \(error)", sourceLocation: location)
    }
    return nil
}

/// As above, of a call that is waited for.
func failure<Value: Sendable>(
    _ location: SourceLocation = #_sourceLocation,
    of call: @Sendable () async throws -> Value
) async -> WhisperError? {
    do {
        _ = try await call()
        Issue.record("nothing was thrown", sourceLocation: location)
    } catch let error as WhisperError {
        return error
    } catch {
        Issue.record("not of the library: \(error)", sourceLocation: location)
    }
    return nil
}
