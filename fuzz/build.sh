#!/bin/bash -eu
# Builds every fuzz target into $OUT, with its seed corpus, options and dictionary: what
# OSS-Fuzz and ClusterFuzzLite run in their image, and what anybody can run by hand:
#
#     SRC=/somewhere/above OUT=/tmp/out WORK=/tmp/work SANITIZER=none fuzz/build.sh
#
# where $SRC/hangup is this repository. With SANITIZER=none a stable toolchain will do.
cd "$SRC/hangup"

# Seeds the runtime's own random choices, so that what is found repeats.
export RUSTFLAGS="${RUSTFLAGS:-} --cfg tokio_unstable"

flags=(-O)
[ "${SANITIZER:-address}" != none ] || flags+=(--sanitizer none)
cargo fuzz build "${flags[@]}" --target-dir "$WORK/target"

for target in $(cargo fuzz list); do
    cp "$WORK"/target/*/release/"$target" "$OUT/"
    rm -f "$OUT/${target}_seed_corpus.zip"
    zip -jqX "$OUT/${target}_seed_corpus.zip" "fuzz/seeds/$target"/*
    [ ! -f "fuzz/options/$target.options" ] || cp "fuzz/options/$target.options" "$OUT/"
    [ ! -f "fuzz/dictionaries/$target.dict" ] || cp "fuzz/dictionaries/$target.dict" "$OUT/"
done
