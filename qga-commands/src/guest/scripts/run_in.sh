: qga-run-in 1
CDPATH= cd "$1" || exit 125
shift
exec "$@"
