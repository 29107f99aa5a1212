: qga-set-owner 1
owner=$1
shift
exec chown -h -- "$owner" "$@"
