# SPDX-License-Identifier: MIT
# dropbear: ssh both ways and scp, one program with links; no compression; no records of logins, which musl doesn't have.
# A client's end by end.patch.
export PROGRAMS="dropbear dbclient dropbearkey scp" MULTI=1
cat >localoptions.h <<'END'
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define DEFAULT_ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
END
configure --disable-zlib --disable-lastlog --disable-utmp --disable-utmpx --disable-wtmp --disable-wtmpx --disable-harden
build
program dropbearmulti
for name in $PROGRAMS; do ln -s dropbearmulti "$OUT/usr/local/bin/$name"; done
ln -s dropbearmulti "$OUT/usr/local/bin/ssh"
mkdir -p "$OUT/lib/services" "$OUT/etc/dropbear"
cat >"$OUT/lib/services/sshd" <<'END'
# Secure shell on port 22; host keys are made when they are first needed.
program /usr/local/bin/dropbear -F -R -E
opens *
END
