: qga-list 1
LC_ALL=C
export LC_ALL
what=$1
if [ "$what" = tree ] && [ ! -d "$2" ]; then what=file; fi
if [ -e /proc/version ] || stat -c %f / >/dev/null 2>&1; then
    flag=-c format='//%f %s %Y %u %g' name=%n
else
    flag=-f format='//%Xp %z %m %u %g' name=%N
fi
case $what in
file) exec stat -L "$flag" "$format ." "$2" ;;
link) exec stat "$flag" "$format ." "$2" ;;
esac
if [ ! -d "$2" ]; then
    stat -L "$flag" "$format" "$2" >/dev/null && echo 'Not a directory' >&2
    exit 1
fi
CDPATH= cd "$2" || exit 1
case $what in
tree) exec find . -exec stat "$flag" "$format $name" {} + ;;
directory) exec find . ! -name . -prune -exec stat "$flag" "$format $name" {} + ;;
esac
exit 2
