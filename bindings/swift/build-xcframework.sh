#!/usr/bin/env bash
# Makes WhisperFFI.xcframework, which Package.swift takes once it is there. On a Mac with Xcode and rustup.
#
# UNTESTED: this repository is built and tested on Linux only. Read it before you trust it.
set -euo pipefail
cd "$(dirname "$0")"
repository=$(cd ../.. && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repository/target}
out=$CARGO_TARGET_DIR/xcframework
library=libwhisper_bindings.a

fail() {
    echo "build-xcframework: $*" >&2
    exit 1
}

[ "$(uname -s)" = Darwin ] || fail "this needs a Mac with Xcode; on Linux use bindings/swift/test"
command -v xcodebuild >/dev/null || fail "xcodebuild is missing; install Xcode"
command -v rustup >/dev/null || fail "rustup is missing; it brings the targets"

# The oldest systems that Package.swift names.
export IPHONEOS_DEPLOYMENT_TARGET=16.0 MACOSX_DEPLOYMENT_TARGET=13.0

"$repository/bindings/build"
./prepare

build() {
    rustup target add "$1"
    (cd "$repository" && cargo rustc --locked -p whisper-bindings --lib --crate-type staticlib \
        --profile mobile --target "$1")
}

# One library for several architectures of one platform: join NAME TARGET...
join() {
    local name=$1 parts=() target
    shift
    for target in "$@"; do
        build "$target"
        parts+=("$CARGO_TARGET_DIR/$target/mobile/$library")
    done
    mkdir -p "$out/$name"
    lipo -create "${parts[@]}" -output "$out/$name/$library"
}

rm -rf "$out" WhisperFFI.xcframework
join device aarch64-apple-ios
join simulator aarch64-apple-ios-sim x86_64-apple-ios
join mac aarch64-apple-darwin x86_64-apple-darwin

# In a folder of their own: at the top, the module maps of two frameworks would be one file.
mkdir -p "$out/headers/WhisperFFI"
cp Sources/WhisperFFI/WhisperFFI.h Sources/WhisperFFI/module.modulemap "$out/headers/WhisperFFI/"
arguments=()
for name in device simulator mac; do
    arguments+=(-library "$out/$name/$library" -headers "$out/headers")
done
xcodebuild -create-xcframework "${arguments[@]}" -output WhisperFFI.xcframework
