import Foundation

/// A name in hex text. Text that is no such name is taken too: the call that it is given to throws
/// ``WhisperError/Malformed(what:reason:)``.
public protocol HexName: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The digits: lower-case, without `0x`.
    var hex: String { get }

    /// The name that this text says, with `0x` or without, in capitals or not.
    init(hex: String)
}

extension HexName {
    /// The digits.
    public var description: String { hex }

    /// Reads the name from a text.
    public init(from decoder: any Decoder) throws {
        self.init(hex: try decoder.singleValueContainer().decode(String.self))
    }

    /// Writes the name as a text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// What others write to: the public half of an ``Identity``, 65 bytes that begin with `04`.
public struct PublicKey: HexName {
    public let hex: String

    /// The key that this text says. The `04` at its beginning may be left out.
    public init(hex: String) {
        let digits = normalized(hex)
        self.hex = digits.utf8.count == 128 ? "04" + digits : digits
    }
}

/// Where the readers of an envelope find it: four bytes that everybody can see.
public struct Topic: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The name of a session between two identities: 32 bytes.
public struct SessionId: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The name of a message in its session and direction: 8 bytes.
public struct MessageName: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The hash that an envelope is known by: 32 bytes.
public struct EnvelopeHash: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The id of a block of the ledger: 32 bytes, the last first, so that the zeros lead.
public struct BlockId: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The id of a transaction of the ledger: 32 bytes.
public struct TxId: HexName {
    public let hex: String

    public init(hex: String) {
        self.hex = normalized(hex)
    }
}

/// The number of a connection to a peer. It is never used twice.
public struct PeerId: Hashable, Sendable, CustomStringConvertible {
    /// The number.
    public let number: UInt64

    /// The connection of this number.
    public init(number: UInt64) {
        self.number = number
    }

    /// The number, as text.
    public var description: String { "\(number)" }
}

/// The same name in different writing is the same name.
private func normalized(_ hex: String) -> String {
    let digits = hex.hasPrefix("0x") || hex.hasPrefix("0X") ? hex.dropFirst(2) : hex[...]
    return digits.lowercased()
}
