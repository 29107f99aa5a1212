: qga-make-links 1
while [ $# -ge 2 ]; do
    rm -f "$1" && ln -s -- "${2#=}" "$1" || exit 1
    shift 2
done
