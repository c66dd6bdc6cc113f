# SPDX-License-Identifier: MIT
cat >/tmp/test.js <<END
function sieve(n) { var is = [], out = []; for (var i = 2; i < n; i++) { if (is[i]) continue; out.push(i);
    for (var j = i * i; j < n; j += i) is[j] = true; } return out; }
print(sieve(50).join(' '));
print(JSON.stringify({ date: new Date(0).toISOString(), match: /(\d+)-(\w+)/.exec('a 12-bc'), root: Math.sqrt(2) }));
try { null.x; } catch (e) { print(e.name); }
END
duk /tmp/test.js
