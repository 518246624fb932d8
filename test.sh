#!/usr/bin/env bash
# Runs the whole suite. GPU tests need an adapter: where none is found, this installs Mesa's software
# Vulkan, unless the environment says which driver to use or to go without (SEMGAN_SKIP_GPU=1).
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

cargo build --release --example adapters
if [[ -z ${VK_DRIVER_FILES+set}${VK_ICD_FILENAMES+set} && ${SEMGAN_SKIP_GPU:-0} != 1 ]]; then
    has_adapter || install_driver || echo "test.sh: the installation failed" >&2
fi
cargo test --release "$@"
