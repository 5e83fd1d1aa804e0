import Foundation

// The texts of these come from the library and tell sizes only. A mirror, as `dump` and debuggers hold
// it up, would show all.

extension Message: CustomReflectable {
    /// Shows nothing inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Received: CustomReflectable {
    /// Shows the message, which shows nothing, and what everybody can see.
    public var customMirror: Mirror {
        Mirror(self, children: ["message": message, "hash": hash, "topic": topic])
    }
}

extension ConversationEvent: CustomReflectable {
    /// Shows nothing inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Output: CustomReflectable {
    /// Shows nothing inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension Post: CustomReflectable, CustomStringConvertible {
    /// Says how long it is.
    public var description: String { "Post(\(payload.count) bytes)" }

    /// Shows nothing inside.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
