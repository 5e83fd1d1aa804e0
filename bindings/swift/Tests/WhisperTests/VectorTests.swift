import Foundation
import Testing
import Whisper

/// What go-ethereum and our own references have computed, held against the package.
@Suite(.timeLimit(.minutes(2)))
struct VectorTests {
    @Test func envelopesAreReadHashedAndRatedAsTheReferenceDoes() throws {
        let cases = try Vectors.load("whisper-v6/whisper-v6-envelopes.json")["cases"].list()
        #expect(cases.count == 73)
        for it in cases {
            let envelope = try Envelope.decode(bytes: Self.written(it))
            let info = envelope.info()
            #expect(try info.hash.hex == it["hash"].bytes().hex, it.name)
            #expect(try info.expiry == it["expiry"].number(), it.name)
            #expect(try info.ttl == it["ttl"].number(), it.name)
            #expect(try info.nonce == it["nonce"].number(), it.name)
            #expect(try info.topic == Topic(hex: it["topic"].text()), it.name)
            #expect(try UInt64(info.work) == it["leading_zeros"].number(), it.name)
            #expect(try info.size == it["size"].number(), it.name)
            #expect(try envelope.data() == Self.data(it), it.name)
            #expect(try envelope.encode() == Self.written(it), it.name)
            let rating = try it["pow_f64"].double()
            if info.ttl == 0 {
                // The reference divides by zero here.
                #expect(rating.isInfinite && info.rating.isFinite, it.name)
            } else {
                #expect(info.rating.bitPattern == rating.bitPattern, it.name)
            }
        }
    }

    @Test func messagesOfTheReferenceOpen() throws {
        let cases = try Vectors.load("whisper-v6/whisper-v6-messages.json")["cases"].list()
        #expect(cases.count == 83)
        for it in cases {
            let data = try it["envelope"]["data"].bytes()
            let message =
                try it["encryption"].text() == "symmetric"
                ? SymmetricKey.fromSecret(secret: it["sym_key"].bytes()).decrypt(data: data)
                : Identity.fromSecret(secret: it["recipient_private_key"].bytes()).decrypt(data: data)
            try Self.agree(message, it)
        }
    }

    @Test func whatTheReferenceMustRefuseIsRefused() throws {
        let file = "whisper-v6/whisper-v6-message-negatives.json"
        let cases = try Vectors.load(file)["cases"].list()
        #expect(cases.count == 100)
        var refused = 0
        for it in cases {
            let isZero = try it["key"].bytes().allSatisfy { $0 == 0 }
            // No key of ours is all zero, which the reference takes.
            if try it["required"].text() == "accept" && !isZero {
                try Self.agree(Self.open(it), it["expect"])
                continue
            }
            refused += 1
            switch failure(of: { try Self.open(it) }) {
            case .NotOpened: break
            case .Malformed(let what, _): #expect(what == "a key", it.name)
            case let other: Issue.record("\(it.name): \(String(describing: other))")
            }
        }
        #expect(refused > 50)
    }

    @Test func passwordsBecomeTheReferencesKeys() throws {
        let cases = try Vectors.load("whisper-v6/whisper-v6-passwords.json")["cases"].list()
        #expect(cases.count == 20)
        for it in cases {
            // The key itself shows nowhere: its fingerprint tells it.
            let key = try SymmetricKey.fromPassword(password: it["password"].text())
            let expected = try SymmetricKey.fromSecret(secret: it["key"].bytes())
            #expect(key.fingerprint() == expected.fingerprint())
        }
    }

    @Test func topicsGoThroughAnEnvelopeUnchanged() throws {
        let cases = try Vectors.load("whisper-v6/whisper-v6-topics.json")["topics"].list()
        #expect(cases.count == 85)
        for it in cases {
            let topic = Topic(hex: try it["topic"].text())
            let draft = try Draft(now: Date(), ttl: 50, topic: topic, data: Data())
            #expect(try draft.seal(nonce: 0).info().topic == topic)
        }
    }

    @Test func proofsOfTheLedgerHoldUntilAnyBitIsBent() throws {
        let cases = try Vectors.load("ledger/whisper-ledger-v1.json")["proofs"].list()
        let inclusion = try cases.filter { try $0["kind"].text() == "inclusion" }
        let directory = try cases.filter { try $0["kind"].text() == "directory" }
        #expect(inclusion.count == 17)
        #expect(directory.count == 9)
        try inclusion.forEach(Self.inclusionHolds)
        try directory.forEach(Self.directoryHolds)
    }

    @Test func headersOfTheLedgerMakeAChain() throws {
        let blocks = try Vectors.load("ledger/whisper-ledger-v1.json")["blocks"].list()
        #expect(blocks.count == 7)
        let client = try LightClient(network: .regtest)
        let headers = try blocks.map { try $0["raw"].bytes().prefix(80) }.reduce(Data(), +)
        let tip = try client.accept(now: Date(timeIntervalSince1970: 2e9), headers: headers)
        let hash = try blocks[6]["hash"].bytes()
        #expect(tip.height == 7)
        // Ids are written with the last byte first.
        #expect(tip.id == BlockId(hex: hash.hex) || tip.id == BlockId(hex: Data(hash.reversed()).hex))
        #expect(try client.tip() == tip)
        #expect(try client.at(height: 6)?.id == tip.parent)
        #expect(try client.at(height: 8) == nil)
    }

    private static func agree(_ message: Message, _ it: Case) throws {
        #expect(try message.payload == it["payload"].bytes(), it.name)
        #expect(try message.padding == it["padding"].bytes(), it.name)
        let signer = it["signer_public_key"]
        let key = try signer.isNull ? nil : PublicKey(hex: signer.text())
        #expect(message.signer == key, it.name)
    }

    private static func open(_ it: Case) throws -> Message {
        let (key, data) = try (it["key"].bytes(), it["data"].bytes())
        return try it["kind"].text() == "asym"
            ? Identity.fromSecret(secret: key).decrypt(data: data)
            : SymmetricKey.fromSecret(secret: key).decrypt(data: data)
    }

    private static func inclusionHolds(_ it: Case) throws {
        let entry = try it["leaf_data"].bytes()
        let (index, size) = try (UInt32(it["index"].number()), UInt32(it["size"].number()))
        let path = try it["path"].list().map { try $0.bytes() }
        let root = try it["root"].bytes()
        func check(_ entry: Data, _ path: [Data], _ root: Data) throws {
            try checkInclusion(entry: entry, index: index, size: size, path: path, root: root)
        }
        try check(entry, path, root)
        try expectUnproven { try check(bent(entry), path, root) }
        try expectUnproven { try check(entry, path, bent(root)) }
        for at in path.indices {
            var bentPath = path
            bentPath[at] = bent(path[at])
            try expectUnproven { try check(entry, bentPath, root) }
        }
    }

    private static func directoryHolds(_ it: Case) throws {
        let name = try it["handle"].text()
        let record = try it["record"].isNull ? nil : it["record"].bytes()
        let (proof, root) = try (it["proof"].bytes(), it["root"].bytes())
        func check(_ record: Data?, _ proof: Data, _ root: Data) throws {
            try checkDirectory(name: name, record: record, proof: proof, root: root)
        }
        try check(record, proof, root)
        for at in proof.indices {
            try expectUnproven { try check(record, bent(proof, at: at), root) }
        }
        try expectUnproven { try check(record, proof, bent(root)) }
        // The last byte tells when the record was changed.
        if let record {
            try expectUnproven { try check(bent(record, at: record.count - 1), proof, root) }
            try expectUnproven { try check(nil, proof, root) }
        }
    }

    private static func expectUnproven(_ check: () throws -> Void) throws {
        switch failure(of: check) {
        case .Unproven, .Malformed: break
        case let other: Issue.record("\(String(describing: other))")
        }
    }

    private static func bent(_ data: Data, at index: Int = 0) -> Data {
        var data = data
        data[index] ^= 1
        return data
    }

    private static func data(_ it: Case) throws -> Data {
        let fill = it["data_fill"]
        return try fill.isNull
            ? it["data"].bytes()
            : Data(repeating: fill["byte"].bytes()[0], count: Int(fill["len"].number()))
    }

    private static func written(_ it: Case) throws -> Data {
        let written = try encoded(
            expiry: it["expiry"].number(), ttl: it["ttl"].number(), topic: it["topic"].bytes(),
            data: data(it), nonce: it["nonce"].number())
        if !it["rlp"].isNull { #expect(try written == it["rlp"].bytes(), it.name) }
        return written
    }
}
