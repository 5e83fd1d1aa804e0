// swift-tools-version: 6.0
import Foundation
import PackageDescription

/// On Apple's systems the library comes as a framework, if `build-xcframework.sh` has made one;
/// everywhere else it is linked from where `-L` says.
let framework = "WhisperFFI.xcframework"
let hasFramework = FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(framework)")
let native: Target =
    hasFramework
    ? .binaryTarget(name: "WhisperFFI", path: framework)
    : .systemLibrary(name: "WhisperFFI", path: "Sources/WhisperFFI")

let package = Package(
    name: "Whisper",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "Whisper", targets: ["Whisper"])],
    targets: [
        native,
        .target(
            name: "Whisper",
            dependencies: ["WhisperFFI"],
            linkerSettings: hasFramework ? [] : [.linkedLibrary("whisper_bindings")]
        ),
        .target(name: "Terminal"),
        .executableTarget(name: "talker", dependencies: ["Whisper", "Terminal"], path: "Sources/Talker"),
        .executableTarget(name: "chat", dependencies: ["Whisper", "Terminal"], path: "Sources/Chat"),
        .testTarget(name: "WhisperTests", dependencies: ["Whisper"]),
    ],
    swiftLanguageModes: [.v6]
)
