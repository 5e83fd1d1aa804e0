import Foundation
import Testing
import Whisper

/// Two engines in one hand: what one asks to be sent, the other receives at once.
final class Engines {
    let engines: [Engine]
    private(set) var heard: [[Output]] = [[], []]
    var now = Date(timeIntervalSince1970: 1_800_000_000)
    private var asked: [(engine: Int, output: Output)] = []

    init(_ first: Identity? = nil, _ second: Identity? = nil) throws {
        engines = try [first, second].map {
            try Engine(config: EngineConfig(minRating: cheap), identity: $0)
        }
    }

    /// The number that each has for the connection to the other.
    let connection = PeerId(number: 7)

    func connect() throws {
        try step(0) { try $0.connected(now: self.now, peer: self.connection, inbound: false) }
        try step(1) { try $0.connected(now: self.now, peer: self.connection, inbound: true) }
        try settle()
    }

    /// Calls an engine, and does what follows until nothing more is asked for.
    func call(_ index: Int, _ call: (Engine) throws -> [Output]) throws {
        try step(index, call)
        try settle()
    }

    /// Lets time pass, from one moment of waking to the next.
    func wait(seconds: Double) throws {
        let end = now.addingTimeInterval(seconds)
        while let next = try engines.compactMap({ try $0.wakeAt() }).min(), next <= end {
            now = max(now, next)
            for index in engines.indices {
                try call(index) { try $0.tick(now: self.now) }
            }
        }
        now = end
    }

    /// What an engine has heard in conversations.
    func talk(_ index: Int) -> [ConversationEvent] {
        heard[index].compactMap { if case .talk(let event) = $0 { event } else { nil } }
    }

    private func step(_ index: Int, _ call: (Engine) throws -> [Output]) throws {
        asked += try call(engines[index]).map { (index, $0) }
    }

    private func settle() throws {
        while !asked.isEmpty {
            let (index, output) = asked.removeFirst()
            try carryOut(index, output)
        }
    }

    private func carryOut(_ index: Int, _ output: Output) throws {
        switch output {
        case .transmit(_, let code, let payload):
            let size = UInt64(payload.count)
            try step(index) { try $0.written(now: self.now, peer: self.connection, bytes: size) }
            try step(1 - index) {
                try $0.receive(now: self.now, peer: self.connection, code: code, payload: payload)
            }
        case .post(let draft, _):
            let work = try draft.workFor(rating: engines[index].advisedRating())
            let nonce = try #require(try draft.find(first: 0, count: 1 << 24, work: work))
            try step(index) { try $0.publish(now: self.now, envelope: draft.seal(nonce: nonce)) }
        default:
            heard[index].append(output)
        }
    }
}
