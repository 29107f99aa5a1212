: qga-make-folders 1
umask 077
exec mkdir -p "$@"
