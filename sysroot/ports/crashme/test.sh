# SPDX-License-Identifier: MIT
# Random code of a user for a minute, four at a time. They end each other and their own streams; nobody else.
services() { while read -r name rank incarnation rest; do echo "$name $incarnation"; done </proc/schemes; }
before=$(services)
mkdir -m 777 /tmp/crash
for seed in 1000 2000 3000 4000; do
    su user -c "cd /tmp/crash && exec crashme +2000.80 $seed 100 00:01:00" >/tmp/crash.$seed 2>&1 </dev/null &
done
wait
su user -c 'kill -9 -1' 2>/dev/null
crashed=$(cat /tmp/crash.* | grep -c 'exited with status')
[ "$crashed" -gt 8 ] && echo "many crashed" || cat /tmp/crash.*
[ -n "$before" ] && [ "$(services)" = "$before" ] && echo "the services are what they were" || services
echo "usable" | tr a-z A-Z
