: qga-publish 2
LC_ALL=C
export LC_ALL
temp=$1 target=$2 kind=$3 replace=$4 parent=$5
synced=yes atomic=yes
there() { [ -e "$1" ] || [ -L "$1" ]; }
has() { command -v "$1" >/dev/null 2>&1; }
flush() {
    if has fsync; then
        if [ "$1" = folder ]; then find "$2" ! -type l -exec fsync {} +; else fsync "$2"; fi
    elif ! has sync || [ ! -e /proc/version ]; then
        echo 'not supported'
        return 1
    elif [ "$1" = folder ]; then sync -f "$2"
    elif [ -r "$2" ]; then sync "$2"
    else sync
    fi
}
through() {
    said=$(flush "$1" "$2" 2>&1) && return 0
    case $said in
    *sage:* | *'nvalid option'* | *'nrecognized option'*) sync ;;
    *) return 1 ;;
    esac
}
if [ "$0" = again ] && ! there "$temp/content" && there "$target"; then
    if [ "$replace" = yes ]; then atomic=no; fi
else
    through "$kind" "$temp/content" || case $said in
    *'Invalid argument'* | *'not supported'*) synced=no ;;
    *) echo "$said" >&2; exit 1 ;;
    esac
    case $replace,$kind in
    no,folder) if there "$target"; then exit 17; fi ;;
    no,file) if [ -d "$target" ]; then exit 21; fi ;;
    esac
    if there "$target" && { [ "$kind" = folder ] || [ -d "$target" ]; }; then
        mv -f "$target" "$temp/old" || exit 1
    fi
    if ! mv -f "$temp/content" "$target"; then
        if there "$temp/old"; then mv -f "$temp/old" "$target"; fi
        exit 1
    fi
fi
if there "$temp/old"; then atomic=no; fi
rm -rf "$temp"
through file "$parent" || synced=no
if [ "$atomic" = yes ]; then echo atomic; fi
if [ "$synced" = yes ]; then echo synced; fi
