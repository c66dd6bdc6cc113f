# SPDX-License-Identifier: MIT
cat >/tmp/test.mksh <<'END'
set -A list one two three
print -r -- "${#list[@]} ${list[2]} ${KSH_VERSION#*KSH }"
typeset -i16 number=255
print "$number"
[[ file.tar.gz == *.@(tar|tgz)* ]] && print matched
print through |&
read -rp line
print "$line"
function outer { typeset x=local; inner; print "$x"; }
function inner { x=changed; }
outer
trap 'print trapped' USR1
kill -USR1 $$
print ${|REPLY=$((6 * 7));}
/bin/sleep 100 &
while [[ $(</proc/$!/comm) != sleep ]]; do :; done
kill $!
wait $!
print $?
END
mksh /tmp/test.mksh 2>/dev/null
