import Foundation
import Testing
import Whisper

/// The vectors that all languages read: the repository's own, or those in the folder that
/// `WHISPER_VECTORS` names.
enum Vectors {
    static func load(_ file: String) throws -> Case {
        let path = folder.appendingPathComponent(file)
        return Case(try JSONSerialization.jsonObject(with: Data(contentsOf: path)))
    }

    private static var folder: URL {
        if let named = ProcessInfo.processInfo.environment["WHISPER_VECTORS"] {
            return URL(fileURLWithPath: named)
        }
        return repository.appendingPathComponent("whisper-core/tests/vectors")
    }
}

/// The repository that this file stands in.
let repository = (0..<6).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
    url.deletingLastPathComponent()
}

/// A value of a vector file.
struct Case {
    let value: Any?

    init(_ value: Any?) {
        self.value = value is NSNull ? nil : value
    }

    subscript(key: String) -> Case {
        Case((value as? [String: Any])?[key])
    }

    var isNull: Bool { value == nil }

    var name: Comment { Comment(rawValue: self["id"].value as? String ?? "(without a name)") }

    func text() throws -> String {
        try #require(value as? String)
    }

    func list() throws -> [Case] {
        try #require(value as? [Any]).map { Case($0) }
    }

    /// The bytes of hex text.
    func bytes() throws -> Data {
        try #require(Data(hex: text()))
    }

    /// A number, written as one or as decimal text.
    func number() throws -> UInt64 {
        if let text = value as? String { return try #require(UInt64(text)) }
        return try #require(value as? NSNumber).uint64Value
    }

    /// A floating-point number, given by its bits.
    func double() throws -> Double {
        let bits = try bytes().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(bitPattern: bits)
    }
}

extension Data {
    init?(hex: String) {
        let digits = Array((hex.hasPrefix("0x") ? hex.dropFirst(2) : hex[...]).utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        self.init(capacity: digits.count / 2)
        for at in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.digit(digits[at]), let low = Self.digit(digits[at + 1]) else { return nil }
            append(high << 4 | low)
        }
    }

    var hex: String { map { String(format: "%02x", $0) }.joined() }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// An envelope as peers send it, written from its fields.
func encoded(expiry: UInt64, ttl: UInt64, topic: Data, data: Data, nonce: UInt64) -> Data {
    let items = [
        item(big(expiry)), item(big(ttl)), item(topic), item(data), item(big(nonce)),
    ]
    let body = items.reduce(Data(), +)
    return header(0xc0, body.count) + body
}

private func item(_ bytes: Data) -> Data {
    if bytes.count == 1, bytes[bytes.startIndex] < 0x80 { return bytes }
    return header(0x80, bytes.count) + bytes
}

private func header(_ kind: UInt8, _ count: Int) -> Data {
    if count < 56 { return Data([kind + UInt8(count)]) }
    let length = big(UInt64(count))
    return Data([kind + 55 + UInt8(length.count)]) + length
}

/// The number without leading zeros.
private func big(_ number: UInt64) -> Data {
    Data(withUnsafeBytes(of: number.bigEndian) { Array($0) }.drop { $0 == 0 })
}
