import Foundation

/// The text of an error is the library's own, here and in `localizedDescription`.
extension WhisperError: CustomStringConvertible {}

/// Makes a call that ends when the task that waits for it is cancelled. Left alone, such calls hear
/// nothing of that.
func withCancellation<Value: Sendable>(
    _ call: @Sendable (CancelToken) async throws -> Value
) async throws -> Value {
    let token = CancelToken()
    return try await withTaskCancellationHandler {
        do {
            return try await call(token)
        } catch WhisperError.Cancelled where token.isCancelled() {
            throw CancellationError()
        }
    } onCancel: {
        token.cancel()
    }
}
