# What both guests are built with. It is read by their `build`, not run.

PATH=$PATH:/usr/sbin:/sbin
kernel=$(ls /boot/vmlinuz-* | sed 's,.*/vmlinuz-,,' | sort -V | tail -1)

# modules NAME...: the files of these kernel modules and of those that they need, in the order in which they load.
modules() {
    local name
    for name in "$@"; do
        /sbin/modprobe -S "$kernel" --show-depends "$name"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# pack FOLDER FILE: an initramfs of the folder, in which everything belongs to root.
pack() {
    (cd "$1" && find . -print0 | sort -z | cpio --null --create --format=newc --quiet --owner=0:0) >"$2"
}

# kernels FOLDER: the kernel twice: `vmlinux`, which starts faster, and `bzImage`, which can sleep and wake up.
kernels() {
    "$guests/vmlinux" "/boot/vmlinuz-$kernel" "$1/vmlinux"
    cp "/boot/vmlinuz-$kernel" "$1/bzImage"
}

# qcow2 RAW FILE: the disk as QEMU takes it, with its snapshots.
qcow2() {
    qemu-img convert -f raw -O qcow2 "$1" "$2"
    rm "$1"
}
