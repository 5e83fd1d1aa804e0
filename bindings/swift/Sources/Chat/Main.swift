import Foundation
import Terminal
import Whisper

/// A chat between two people in a terminal. It talks to the Rust one, `examples/src/bin/chat`.
@main
enum Main {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.isEmpty || arguments.contains("--help") || arguments.contains("-h") {
            say(help)
            return
        }
        do {
            try await run(Options())
        } catch {
            complain("chat: \(error)")
            exit(error is UsageError ? 2 : 1)
        }
    }

    private static func run(_ options: Options) async throws {
        let node = try await Node.start(
            config: NodeConfig(
                peers: options.peers, listen: options.listen, keyFile: options.nodeKey))
        if let address = node.address() { say("* your address: \(address)") }
        let identity =
            try options.key.map { try Identity.fromFile(path: $0) } ?? Identity.generate()
        say("* your key:     \(identity.publicKey())")
        say("* /quit or Ctrl-C ends the chat and wipes its keys")
        if options.listen == nil && options.peers.isEmpty {
            say("* no peer is known and nobody can come: use --peer or --listen")
        }
        let chat = Chat(
            name: options.name, node: node, talks: try await node.converse(identity: identity))
        if let peer = options.to { try await chat.invite(peer) }
        try await chat.run()
        try await chat.leave()
    }
}

/// What the command line says.
struct Options {
    var listen: String?
    var peers: [String] = []
    var to: PublicKey?
    var key: String?
    var name = "you"
    var nodeKey: String?

    init() throws {
        let known: Set = ["--listen", "--peer", "--to", "--key", "--name", "--node-key"]
        for (option, value) in try options(known) {
            switch option {
            case "--listen": listen = value
            case "--peer": peers.append(value)
            case "--to": to = PublicKey(hex: value)
            case "--key": key = value
            case "--name": name = value
            default: nodeKey = value
            }
        }
    }
}

private let help = """
    Talks to somebody, end-to-end encrypted, over a network of strangers.

    Usage: chat [OPTIONS]

          --listen <ADDRESS>   Where to listen for peers
          --peer <ENODE>       A peer to stay connected to; may be given several times
          --to <PUBLIC KEY>    Whom to talk to; without it the chat waits to be invited
          --key <FILE>         The file of your own key, made if there is none; without it the key is new
                               each time
          --name <NAME>        How you are called on your own screen [default: you]
          --node-key <FILE>    The file of the node's key, made if there is none; without it the key is
                               new each time
      -h, --help               Print help

    Two terminals on this machine, the first listening:
      chat --listen 127.0.0.1:30303 --name alice
      chat --peer enode://… --to 04… --name bob (both as the first one printed)
    """
