# SPDX-License-Identifier: MIT
# SDL2: compiled directly, with a configuration of ours and a video driver of ours (cathode.c). Programs of other ports
# include SDL2/SDL.h, or SDL.h with -I…/usr/local/include/SDL2, and link with -lSDL2.
top=$RECIPE/../../..
parts=". atomic audio audio/dummy audio/disk cpuinfo events file filesystem/unix haptic haptic/dummy hidapi joystick
    joystick/dummy loadso/dummy locale locale/unix misc misc/dummy power render render/software sensor sensor/dummy
    stdlib thread thread/pthread timer timer/unix video video/dummy video/yuv2rgb"
flags="-O2 -w -D_GNU_SOURCE -DDYNAPI_NEEDS_DLOPEN -ISDL2 -I$SOURCE/src"
ours="-std=gnu2x -I$top/kernel/include"
for folder in servers/lib/graphics drivers/lib/display drivers/lib/input; do ours="$ours -I$top/$folder/include"; done
if [ ! -e libSDL2.a ]; then
    rm -rf SDL2 ./*.o && mkdir SDL2 && cp "$SOURCE"/include/*.h SDL2 && cp "$RECIPE/SDL_config.h" SDL2
    (cd "$SOURCE/src" && ls core/linux/SDL_threadprio.c && for part in $parts; do ls "$part"/*.c; done) |
        sed "s|^|$SOURCE/src/|" | quietly make.log xargs -P "$JOBS" -n 4 $CC $flags -c
    $CC $flags $ours -o cathode.o -c "$RECIPE/cathode.c"
    $CC $flags $ours -o graphics.o -c "$top/servers/lib/graphics/client.c"
    $CC $flags $ours -o display.o -c "$top/drivers/lib/display/client.c"
    $AR rcs libSDL2.a ./*.o
fi
mkdir -p "$OUT/usr/local/lib" "$OUT/usr/local/include"
cp libSDL2.a "$OUT/usr/local/lib" && cp -R SDL2 "$OUT/usr/local/include"
$CC $flags -o sdl2-draw "$RECIPE/draw.c" libSDL2.a
program sdl2-draw
