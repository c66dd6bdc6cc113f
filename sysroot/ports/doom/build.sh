# SPDX-License-Identifier: MIT
# doom: Chocolate Doom, compiled directly; no sound (SDL2_mixer), no network (SDL2_net). Its data: freedoom.
flags="-O2 -w -I. -I$RECIPE $CPPFLAGS $(echo "$CPPFLAGS" | sed 's|/include|/include/SDL2|g') -include $RECIPE/config.h"
for folder in src textscreen opl pcsound; do flags="$flags -I$SOURCE/$folder"; done
if [ ! -e libdoom.a ]; then
    rm -f ./*.o && : >SDL_mixer.h # included by what doesn't use it
    ls "$SOURCE"/src/*.c "$SOURCE"/src/doom/*.c "$SOURCE"/textscreen/*.c "$SOURCE"/opl/*.c "$SOURCE"/pcsound/*.c |
        grep -Ev 'd_dedicated|z_native|_icon|ioperm_sys|_win32|_obsd|_bsd' | quietly make.log xargs -P "$JOBS" -n 4 $CC $flags -c
    $AR rcs libdoom.a ./*.o
fi
$CC $LDFLAGS -o chocolate-doom i_main.o libdoom.a -lSDL2
program chocolate-doom
