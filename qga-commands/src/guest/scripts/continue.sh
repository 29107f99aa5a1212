: qga-continue 1
LC_ALL=C
export LC_ALL
umask 077
if [ "$3" = no ] && [ -d "$2" ]; then exit 21; fi
if ! mkdir -m 700 "$1" 2>/dev/null; then
    if [ -L "$1" ] || [ ! -d "$1" ]; then exec mkdir -m 700 "$1"; fi
    if [ ! -O "$1" ]; then echo "$1: of another user" >&2; exit 1; fi
    if [ ! -f "$1/id" ]; then rmdir "$1" && mkdir -m 700 "$1" || exit 1; fi
    if [ -e "$1/old" ] || [ -L "$1/old" ]; then echo "$1/old: left by a replacement" >&2; exit 1; fi
fi
if [ ! -s "$1/id" ]; then
    rm -f "$1/id"
    (set -C; echo "$4" >"$1/id") 2>/dev/null
fi
read -r id <"$1/id" || exit 1
size=0
if [ -f "$1/content" ] && [ ! -L "$1/content" ]; then size=$(wc -c <"$1/content"); fi
echo "$id" $size
