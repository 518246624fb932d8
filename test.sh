#!/usr/bin/env bash
# Runs the whole suite; arguments go to `cargo test`. GPU tests need an adapter: where none is found,
# this installs Mesa's software Vulkan, unless the environment says which driver to use or to go
# without (SEMGAN_SKIP_GPU=1). With --second-driver, what computes runs again on SwiftShader, which
# is wrong in other places than Mesa.
set -euo pipefail
cd "$(dirname "$0")"

# Mesa complains about a missing one.
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}"

has_adapter() {
    cargo run --release --quiet --example adapters >/dev/null
}

install_driver() {
    local install="apt-get install --yes --no-install-recommends mesa-vulkan-drivers libvulkan1"
    if ! command -v apt-get >/dev/null; then
        echo "test.sh: no GPU adapter; install Mesa's Vulkan drivers (package vulkan-swrast," \
            "mesa-vulkan-drivers or the like), then run this again" >&2
    elif [[ $(id -u) == 0 ]]; then
        apt-get update && $install
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo apt-get update && sudo $install
    else
        echo "test.sh: no GPU adapter; run as root: apt-get update && $install" >&2
    fi
}

# Prints the path of SwiftShader's manifest: that of an installed browser, or taken out of Debian's
# package without installing it.
swiftshader() {
    local manifest
    for manifest in /usr/lib/chromium target/swiftshader/usr/lib/chromium; do
        if [[ -f $manifest/vk_swiftshader_icd.json ]]; then
            realpath "$manifest/vk_swiftshader_icd.json"
            return
        fi
    done
    mkdir -p target/swiftshader
    (
        cd target/swiftshader
        apt-get download chromium-common || { apt-get update && apt-get download chromium-common; }
        dpkg-deb --extract chromium-common_*.deb .
        rm chromium-common_*.deb
    ) >&2
    realpath target/swiftshader/usr/lib/chromium/vk_swiftshader_icd.json
}

second=0
if [[ ${1:-} == --second-driver ]]; then
    second=1
    shift
fi

cargo build --release --example adapters
if [[ -z ${VK_DRIVER_FILES+set}${VK_ICD_FILENAMES+set} && ${SEMGAN_SKIP_GPU:-0} != 1 ]]; then
    has_adapter || install_driver || echo "test.sh: the installation failed" >&2
fi
if [[ $second == 1 ]]; then
    manifest=$(swiftshader) || {
        echo "test.sh: no SwiftShader; Debian's package chromium-common has it" >&2
        exit 1
    }
    echo "test.sh: the second driver is $manifest"
    VK_DRIVER_FILES=$manifest VK_ICD_FILENAMES=$manifest cargo test --release --test it -- \
        golden::the_gpu kernels:: numerics:: limits:: ops_heavy:: resample:: random:: device::
fi
cargo test --release "$@"
