# SPDX-License-Identifier: MIT
# Against busybox's httpd on this machine.
mkdir -p /tmp/www/sub && cd /tmp && seq 20000 >www/numbers && echo text >www/sub/index.html
printf '#!/bin/sh\necho "Content-Type: text/plain"; echo; echo "$REQUEST_METHOD $QUERY_STRING"; cat\n' >www/cgi
mkdir -p www/cgi-bin && mv www/cgi www/cgi-bin/echo && chmod 755 www/cgi-bin/echo
httpd -p 127.0.0.1:8080 -h /tmp/www
curl --version | sed -n 's/^curl \([^ ]*\) .*mbedTLS.*/\1 with TLS/p'
curl -s http://127.0.0.1:8080/numbers | cmp - www/numbers && echo same
curl -s -r 100-199 http://localhost:8080/numbers | wc -c
curl -sI http://127.0.0.1:8080/sub/ | sed -n 's/\r$//; 1p; /^Content-[lL]ength/p'
curl -s -d 'a=b&c=d' 'http://127.0.0.1:8080/cgi-bin/echo?query'; echo
curl -sf http://127.0.0.1:8080/none || echo "status $?"
curl -s http://127.0.0.1:9/ || echo "status $?"
curl -s --no-progress-meter --parallel -o '/tmp/part#1' 'http://127.0.0.1:8080/numbers?[1-8]' && cat /tmp/part? | md5sum
for i in 1 2 3 4 5 6 7 8; do cat www/numbers; done | md5sum
curl -sk https://127.0.0.1:8080/ || echo "status $?"
