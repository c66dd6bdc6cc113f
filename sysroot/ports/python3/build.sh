# SPDX-License-Identifier: MIT
# python3: linked dynamically, its modules as shared objects; at a fixed address, since relocating it takes longer than
# starting it. The build machine's python3.11 compiles the library to bytecode, which is taken without looking at the
# source's date. The answers are what its configure would find out by running programs. Tests are tests/suites/python's.
export ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no ac_cv_aligned_required=no ac_cv_working_tzset=yes
export ac_cv_pthread=yes ac_cv_pthread_system_supported=yes ac_cv_broken_sem_getvalue=no
export READELF=llvm-readelf-19 PKG_CONFIG=false CFLAGS=-w OPT="-O1 -DNDEBUG -fwrapv"
export CC="${CC% -static}" LDSHARED="${CC% -static} -shared -Wl,-Bsymbolic" LINKFORSHARED="-no-pie -Wl,-E"
configure --with-build-python=python3.11 --enable-ipv6 --without-ensurepip --with-readline=no
cp Modules/Setup.stdlib Modules/Setup.local # all but ctypes and curses by make, in parallel
build
lib=$OUT/usr/local/lib/python3.11
mkdir -p "$lib/lib-dynload" "$OUT/usr/local/bin"
cp -R "$SOURCE/Lib/." "$(cat pybuilddir.txt)"/_sysconfigdata*.py "$lib"
(cd "$lib" && rm -rf test */test */tests ensurepip idlelib tkinter turtledemo turtle.py)
python3.11 -m compileall -q --invalidation-mode unchecked-hash -s "$OUT" "$lib"
cp "$(cat pybuilddir.txt)"/*.so "$lib/lib-dynload"
cp python "$OUT/usr/local/bin/python3.11" && ln -s python3.11 "$OUT/usr/local/bin/python3"
