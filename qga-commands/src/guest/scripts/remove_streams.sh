: qga-remove-streams 1
exec rm -rf "$1"
