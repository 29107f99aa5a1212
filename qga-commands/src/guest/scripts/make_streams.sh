: qga-make-streams 1
set -e
umask 077
mkdir "$1"
: >"$1/out"
: >"$1/err"
