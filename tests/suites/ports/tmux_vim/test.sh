# SPDX-License-Identifier: MIT
# vim in a window of tmux: what it shows, also after the window has got another size, and what it writes.
cd /tmp
export TERM=xterm
seq 30 >numbers
tmux -f /dev/null new-session -d -s test -x 40 -y 8 'exec vim -u NONE -N --cmd "set laststatus=2 ruler" numbers'
sleep 3
tmux send-keys -t test G
sleep 1
tmux capture-pane -p -t test
tmux resize-window -t test -x 50 -y 5
sleep 1
tmux send-keys -t test 'ggOfirst' Escape ':2,$-1d' Enter
sleep 1
tmux capture-pane -p -t test
tmux send-keys -t test ':wq' Enter
sleep 1
tmux ls 2>/dev/null || echo ended
cat numbers
