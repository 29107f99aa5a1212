: qga-set-metadata 1
while [ $# -ge 4 ]; do
    what=$1 value=$2 stamp=$3 count=$4
    shift 4
    [ "$count" -le $# ] || exit 2
    number=0 paths=
    while [ "$number" -lt "$count" ]; do
        number=$((number + 1))
        paths="$paths \"\${$number}\""
    done
    case $what in
    time) eval "touch -d \"@\$value\" $paths 2>/dev/null || TZ=UTC0 touch -t \"\$stamp\" $paths 2>/dev/null || :" ;;
    mode) eval "chmod \"\$value\" $paths || exit 1" ;;
    *) exit 2 ;;
    esac
    shift "$count"
done
