: qga-continue 2
LC_ALL=C
export LC_ALL
umask 077
case $4,$3 in
no,folder) if [ -e "$2" ] || [ -L "$2" ]; then exit 17; fi ;;
no,file) if [ -d "$2" ]; then exit 21; fi ;;
esac
if ! mkdir -m 700 "$1" 2>/dev/null; then
    if [ -L "$1" ] || [ ! -d "$1" ]; then exec mkdir -m 700 "$1"; fi
    if [ ! -O "$1" ]; then echo "$1: of another user" >&2; exit 1; fi
    if [ ! -f "$1/id" ]; then rmdir "$1" && mkdir -m 700 "$1" || exit 1; fi
    if [ -e "$1/old" ] || [ -L "$1/old" ]; then echo "$1/old: left by a replacement" >&2; exit 1; fi
fi
if [ ! -s "$1/id" ]; then
    rm -f "$1/id"
    (set -C; echo "$5" >"$1/id") 2>/dev/null
fi
read -r id <"$1/id" || exit 1
size=0
if [ -e "$1/content" ] || [ -L "$1/content" ]; then
    size=$(du -sk "$1/content")
    size=${size%%[!0-9]*}
    size=$((${size:-0} + 1))
fi
echo "$id" "$size"
