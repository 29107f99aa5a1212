: qga-begin 1
umask 077
case $4,$3 in
no,folder) if [ -e "$2" ] || [ -L "$2" ]; then exit 17; fi ;;
no,file) if [ -d "$2" ]; then exit 21; fi ;;
esac
mkdir -m 700 "$1" && exit 0
[ "$0" = again ] && [ -d "$1" ] && [ ! -L "$1" ]
