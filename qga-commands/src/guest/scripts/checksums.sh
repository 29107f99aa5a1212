: qga-checksums 1
has() { command -v "$1" >/dev/null 2>&1; }
if has sha256sum; then sum() { sha256sum "$@"; }
elif has shasum; then sum() { shasum -a 256 "$@"; }
elif has sha256; then sum() { sha256 -q "$@"; }
elif has openssl; then sum() { openssl dgst -sha256 -r "$@"; }
else exit 127
fi
how=$1
shift
case $how in
together) [ $# = 0 ] || sum "$@" ;;
each) for file; do sum <"$file" || exit 1; done ;;
first) while [ $# -ge 2 ]; do head -c "$1" "$2" | sum || exit 1; shift 2; done ;;
*) exit 2 ;;
esac
