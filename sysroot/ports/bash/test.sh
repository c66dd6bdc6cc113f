# SPDX-License-Identifier: MIT
cat >/tmp/test.bash <<'END'
declare -A color=([apple]=red [plum]=blue)
for fruit in $(printf '%s\n' "${!color[@]}" | sort); do echo "$fruit ${color[$fruit]^^}"; done
mapfile -t lines < <(printf 'one\ntwo\n')
echo "${#lines[@]} ${lines[1]} ${BASH_VERSION%%(*}"
[[ abc123 =~ ^([a-z]+)([0-9]+)$ ]] && echo "${BASH_REMATCH[2]}"
(shopt -s lastpipe; true | false; echo "$? ${PIPESTATUS[*]}")
coproc cat
echo through >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
trap 'echo trapped' USR1
kill -USR1 $$
set -m
sleep 100 &
jobs
kill %2
wait %2
echo $?
END
bash /tmp/test.bash 2>/tmp/errors
echo 'echo $0' | /bin/bash
