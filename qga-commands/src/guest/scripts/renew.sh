: qga-renew 2
umask 077
cd "$1" || exit 1
if [ -L content ] || [ ! -e content ]; then exec rm -f content; fi
chmod -R u+rwX content && rm -rf renewed && cp -RP content renewed && rm -rf content && mv renewed content
