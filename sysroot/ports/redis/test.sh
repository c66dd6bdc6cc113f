# SPDX-License-Identifier: MIT
cd /tmp && redis-server --version | sed 's/ sha.*//'
redis-server --bind 127.0.0.1 --daemonize yes --dir /tmp --appendonly yes --save '' --logfile /tmp/log
until redis-cli ping 2>/dev/null; do sleep 0.1; done
redis-cli set key value && redis-cli get key && redis-cli rpush list 1 2 3 && redis-cli lrange list 0 -1
redis-cli eval 'return redis.call("incrby", KEYS[1], ARGV[1])' 1 counter 42
redis-benchmark -q -n 2000 -c 20 -t set,get,incr | tr '\r' '\n' | grep -c 'requests per second'
redis-cli dbsize && redis-cli bgsave && sleep 1 && redis-cli shutdown nosave
redis-server --bind 127.0.0.1 --daemonize yes --dir /tmp --appendonly yes --save '' --logfile /tmp/log
until redis-cli get key 2>/dev/null; do sleep 0.1; done
redis-cli get counter && redis-cli shutdown
