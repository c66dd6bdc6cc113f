# SPDX-License-Identifier: MIT
# freedoom: Debian's package of the games' data, for the port doom.
tar -xJf "$SOURCE/data.tar.xz" ./usr/share/games/doom
mkdir -p "$OUT/usr/local/share/games/doom"
cp usr/share/games/doom/freedoom?.wad "$OUT/usr/local/share/games/doom"
