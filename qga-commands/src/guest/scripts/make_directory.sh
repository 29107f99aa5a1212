: qga-make-directory 1
LC_ALL=C
export LC_ALL
exec mkdir -p "$1"
