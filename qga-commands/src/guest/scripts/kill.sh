: qga-kill 1
kill -KILL "$1"
