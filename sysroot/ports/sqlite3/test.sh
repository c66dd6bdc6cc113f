# SPDX-License-Identifier: MIT
cd /tmp
sqlite3 test.db <<END
PRAGMA journal_mode=WAL;
CREATE TABLE number(value INTEGER PRIMARY KEY, square INTEGER);
WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000) INSERT INTO number SELECT x, x * x FROM c;
END
sqlite3 test.db 'SELECT count(*), sum(square) FROM number; PRAGMA integrity_check;'
(sqlite3 -cmd '.timeout 20000' test.db 'BEGIN IMMEDIATE; INSERT INTO number VALUES (2000, 0); COMMIT;' &
sqlite3 -cmd '.timeout 20000' test.db 'BEGIN IMMEDIATE; INSERT INTO number VALUES (2001, 0); COMMIT;'
wait)
sqlite3 test.db 'PRAGMA journal_mode=DELETE; SELECT count(*), round(sqrt(2), 3) FROM number;'
speedtest1 --size 2 --verify /tmp/speed.db | grep -c '^ *[0-9]* - .*s$'
