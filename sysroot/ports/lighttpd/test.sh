# SPDX-License-Identifier: MIT
mkdir -p /tmp/www && cd /tmp && seq 50000 >www/numbers
printf '#!/bin/sh\nprintf "Content-Type: text/plain\\r\\n\\r\\n"; echo "$REQUEST_METHOD $QUERY_STRING"\n' >www/echo.cgi
chmod 755 www/echo.cgi
cat >conf <<'END'
server.document-root = "/tmp/www"
server.bind = "127.0.0.1"
server.port = 8080
server.modules = ( "mod_cgi", "mod_dirlisting" )
dir-listing.activate = "enable"
cgi.assign = ( ".cgi" => "" )
END
lighttpd -v | head -n 1 && lighttpd -tt -f conf && lighttpd -f conf
wget -qO- http://127.0.0.1:8080/numbers | cmp - www/numbers && echo same
wget -qO- 'http://127.0.0.1:8080/echo.cgi?a=b'
wget -qO- http://127.0.0.1:8080/ | grep -c 'href="numbers"'
wget -qO- http://127.0.0.1:8080/none 2>&1 | tail -n 1
for i in 1 2 3 4 5 6 7 8; do wget -qO /tmp/part$i http://127.0.0.1:8080/numbers & done; wait
cat part? | wc -c
