: qga-remove 1
exec rm -rf "$@"
