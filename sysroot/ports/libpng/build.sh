# SPDX-License-Identifier: MIT
# libpng: compiled directly; the library, and a viewer of ours (view*.c), full-screen on a virtual terminal.
top=$RECIPE/../../..
flags="-O2 -I. -I$SOURCE $CPPFLAGS"
ours="-std=gnu2x -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror"
ours="$ours -D_GNU_SOURCE -I$top/kernel/include"
for folder in servers/lib/graphics drivers/lib/display drivers/lib/input; do ours="$ours -I$top/$folder/include"; done
if [ ! -e libpng.a ]; then
    cp "$SOURCE/scripts/pnglibconf.h.prebuilt" pnglibconf.h
    ls "$SOURCE"/png*.c | grep -Ev '/pngtest' | xargs $CC $flags -w -c
    $AR rcs libpng.a ./*.o
fi
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp libpng.a "$OUT/usr/local/lib" && cp "$SOURCE/png.h" "$SOURCE/pngconf.h" pnglibconf.h "$OUT/usr/local/include"
$CC $flags $ours -o view "$RECIPE"/view*.c "$top/servers/lib/graphics/client.c" "$top/drivers/lib/display/client.c" \
    libpng.a $LDFLAGS -lz
program view
