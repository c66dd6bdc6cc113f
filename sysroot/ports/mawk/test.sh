# SPDX-License-Identifier: MIT
mawk -W version 2>&1 | head -n 1
printf 'b 2\na 1\nb 3\n' | mawk '{ sum[$1] += $2 } END { for (n in sum) print n, sum[n] }' | sort
mawk 'BEGIN { printf "%.3f %s %d\n", sqrt(2), toupper(substr("hello", 2, 3)), match("foobar", /o+b/) }'
mawk -F: '$1 == "root" { print $3 }' /etc/passwd
mawk 'BEGIN { "echo piped" | getline line; print line; print "out" | "cat"; close("cat"); gsub(/a/, "<&>", text); exit 3 }'
echo $?
