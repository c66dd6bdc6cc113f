# SPDX-License-Identifier: MIT
# A compiler inside compiles lua from its source, and the result compiles and runs a program.
cd /usr/src/lua/src || exit 1
objects=
for file in *.c; do
    case $file in luac.c | ltests.c) continue ;; esac
    tcc -DLUA_USE_POSIX -c -o "/tmp/${file%.c}.o" "$file" || exit 1
    objects="$objects /tmp/${file%.c}.o"
done
tcc -o /tmp/lua_here $objects -lm || exit 1
cat >/tmp/test.lua <<END
local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
print(_VERSION, fib(15), ("%.3f"):format(math.sqrt(2)))
local words = {}
for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word end
table.sort(words)
print(table.concat(words, " "), #words, 7 // 2, 2^53 == 2^53 + 1)
local co = coroutine.wrap(function(a) for i = 1, 3 do a = a + coroutine.yield(a) end return "end" end)
print(co(1), co(2), co(3), co(4))
print(pcall(error, nil), select("#", load("return 1, nil, 3")()))
END
/tmp/lua_here /tmp/test.lua >/tmp/here && lua /tmp/test.lua >/tmp/there
cat /tmp/here
cmp /tmp/here /tmp/there && echo same
