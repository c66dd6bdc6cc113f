# SPDX-License-Identifier: MIT
cd /tmp
gawk --version | head -n 1
seq 100 | gawk '{ sum += $1 } END { print sum, length("größe"), substr("abcdef", 2, 3) }'
gawk 'BEGIN { split("pear fig apple", fruit); PROCINFO["sorted_in"] = "@val_str_asc"
    for (at in fruit) printf "%s ", fruit[at]; print "";
    if (match("key=value", /(\w+)=(\w+)/, part)) print part[2]
    print gensub(/(a)(b)/, "\\2\\1", "g", "abcab"), strftime("%F", 86400, 1), strtonum("0x1f"), and(12, 10) }'
gawk 'BEGIN { "echo from; echo pipe" | getline line; print line
    sorter = "sort -r"; print "one\ntwo" |& sorter; close(sorter, "to")
    while ((sorter |& getline line) > 0) print line; print close(sorter)
    print "out" | "cat"; close("cat"); print system("exit 3"); print "behind" > "/dev/stderr"
    PROCINFO["cat", "pty"] = 1; print "terminal" |& "cat"; "cat" |& getline line; print line
    name = "length"; print @name("four") }' 2>&1
printf 'a,"b,c",d\n' | gawk -v FPAT='([^,]+)|("[^"]+")' '{ print NF, $2 }'
