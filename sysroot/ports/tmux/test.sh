# SPDX-License-Identifier: MIT
export TERM=xterm
tmux -V
tmux -f /dev/null new-session -d -s test -x 60 -y 8 'exec sh'
tmux send-keys -t test "PS1='> '; clear" Enter
sleep 1
tmux send-keys -t test 'echo $((6 * 7)); tty; stty size' Enter
sleep 1
tmux capture-pane -p -t test | grep -v '^$'
tmux split-window -t test 'exec sleep 1000'
tmux list-panes -t test -F '#{pane_width}x#{pane_height} #{pane_current_command}'
tmux new-window -t test 'echo new window; exec sleep 1000'
tmux list-windows -t test -F '#{window_index} #{window_panes}'
tmux kill-server
sleep 1
ps | grep -c '[s]leep 1000' || true
