# SPDX-License-Identifier: MIT
# Sourced by the scripts: puts the tools on a bare Debian 12 machine. Everything goes to stderr:
# stdout belongs to the guest. The machine's apt configuration is read, never written: package
# lists and a sources file (with deb-src added) of our own lie in the cache folder.

CATHODE_CACHE=${CATHODE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cathode}
export CATHODE_CACHE

cathode_packages=(
    clang-19 lld-19 llvm-19 libclang-rt-19-dev libc6-dev linux-libc-dev
    cmake ninja-build make python3 git gcc bzip2 xz-utils dpkg-dev
    qemu-system-x86 ovmf grub-efi-amd64-bin grub-common xorriso mtools dosfstools e2fsprogs
    patch ca-certificates
)

say() {
    printf 'cathode: %s\n' "$*" >&2
}

die() {
    say "$@"
    exit 125
}

# Our own copy of the sources, with deb-src, and the apt configuration that uses it.
apt_prepare() {
    local apt=$CATHODE_CACHE/apt file
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/sources"
    rm -f "$apt"/sources/*
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [[ -r $file ]] && sed -nE 's/^[[:space:]]*deb[[:space:]](.*)/deb \1\ndeb-src \1/p' "$file" \
            > "$apt/sources/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [[ -r $file ]] && sed -E 's/^Types:.*/Types: deb deb-src/' "$file" \
            > "$apt/sources/$(basename "$file")"
    done
    cat > "$apt/apt.conf" <<CONF
Dir::State::lists "$apt/lists";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
DPkg::Lock::Timeout "600";
APT::Get::List-Cleanup "false";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
CONF
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    else
        sudo "$@"
    fi
}

apt_update() {
    say "reading the package lists"
    apt_prepare
    apt-get -c "$CATHODE_CACHE/apt/apt.conf" -q update >&2 ||
        say "some package lists could not be read; going on with the rest"
}

packages_missing() {
    local installed
    # dpkg-query fails if one is unknown, and still tells about the others.
    installed=$({ dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true; } |
        sed -n 's/^installed //p')
    printf '%s\n' "$@" | grep -vxF "$installed" || true
}

# setup_packages PACKAGE...: install what is missing, or say clearly what to do.
setup_packages() {
    local missing
    if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
        setup_other_platform
        return
    fi
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]})) || return 0
    if ((EUID != 0)) && ! command -v sudo > /dev/null; then
        die "missing packages; as root: apt-get install --no-install-recommends ${missing[*]}"
    fi
    apt_update
    say "installing ${#missing[@]} packages: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -c "$CATHODE_CACHE/apt/apt.conf" \
        -qy -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >&2 < /dev/null ||
        die "apt-get could not install: ${missing[*]}"
}

setup_other_platform() {
    local tool missing=()
    for tool in clang-19 ld.lld-19 llvm-objcopy-19 cmake ninja make python3 gcc bzip2 xz \
        qemu-system-x86_64 grub-mkimage xorriso mformat; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) && return
    say "this is not Debian; install these programs and start again: ${missing[*]}"
    die "(also needed: OVMF firmware and GRUB's x86_64-efi modules)"
}

setup() {
    mkdir -p "$CATHODE_CACHE"
    setup_packages "${cathode_packages[@]}" "$@"
}
