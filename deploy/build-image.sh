#!/usr/bin/env bash
# Builds the container image from a static binary: `deploy/build-image.sh [--tag NAME] [--dev] [--binary FILE | --no-image]`.
#
#   --tag NAME     what the image is called; default refrain:local
#   --dev          builds the dev profile: faster to build, slower to run
#   --binary FILE  takes this static binary and builds none
#   --no-image     builds the binary alone
#
# CARGO_TARGET_DIR is honoured; DOCKER names another client, such as podman.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
tag=refrain:local
profile=release
binary=
image=true

while (($#)); do
    case $1 in
        --tag) tag=${2:?--tag wants a name} && shift 2 ;;
        --binary) binary=${2:?--binary wants a file} && shift 2 ;;
        --dev) profile=dev && shift ;;
        --no-image) image=false && shift ;;
        -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
        *) echo "build-image.sh: what is '$1'? See --help" >&2 && exit 64 ;;
    esac
done

if [[ -z $binary ]]; then
    # Only the last step, the linking, differs between a dynamic and a static binary. With the intermediate folder
    # shared, what an ordinary build of this profile has compiled is taken over, and its own binary is left alone.
    # Needs the static C library: glibc's libc.a is in Debian's libc6-dev and in Fedora's glibc-static.
    target=${CARGO_TARGET_DIR:-$root/target}
    CARGO_BUILD_BUILD_DIR=${CARGO_BUILD_BUILD_DIR:-$target} \
        cargo rustc --manifest-path "$root/Cargo.toml" --locked --profile "$profile" --bin refrain \
        --target-dir "$target/static" -- -C target-feature=+crt-static
    binary=$target/static/${profile/dev/debug}/refrain
fi

# A binary that asks for a loader would not start in an empty image.
if command -v readelf >/dev/null && readelf -lW "$binary" | grep -q INTERP; then
    echo "build-image.sh: $binary is not static; build it with RUSTFLAGS='-C target-feature=+crt-static' and --target" >&2
    exit 65
fi
if ! $image; then
    echo "built $binary"
    exit 0
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir "$context/data"
cp "$root/deploy/Dockerfile" "$context/Dockerfile"
cp "$binary" "$context/refrain"
# What debuggers want stays with the binary that was built, not in the image.
if command -v strip >/dev/null; then strip "$context/refrain"; fi
chmod 0755 "$context/refrain"
"${DOCKER:-docker}" build --tag "$tag" "$context"
echo "built $tag"
