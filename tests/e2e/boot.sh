#!/bin/sh
# Boots a complete systemd in namespaces of its own: see machine.py, which calls this as
#
#     unshare --mount --propagation private -- sh boot.sh enter BASE CGROUP PYTHON
#
# BASE has the machine's own etc, var and home; they outlive a reboot. CGROUP is the name of a control group that is
# made for it. PYTHON is the prefix of an interpreter which users in there have to be able to read.
#
# Nothing outside changes, for a reason each: `/` is read-only in there; /etc, /var and /home are BASE's; /run, /tmp,
# /dev and the home of root are empty ones; /proc/sys can't be written (PID 1 would); `container` makes systemd leave
# the kernel, swap and file systems alone; processes, host name, IPC, control groups and network are its own.
set -eu
stage=$1 base=$2 cgroup=$3 python=$4

if [ "$stage" = enter ]; then
    # The control group's namespace begins at the one that we are in when it is made.
    mount -t cgroup2 cgroup2 "$base/mnt"
    mkdir "$base/mnt/$cgroup"
    echo $$ >"$base/mnt/$cgroup/cgroup.procs"
    umount "$base/mnt"
    exec unshare --pid --fork --kill-child --cgroup --uts --ipc --net -- sh "$0" boot "$base" "$cgroup" "$python"
fi

mount --bind "$python" /mnt
for folder in etc var home; do
    mount --bind "$base/$folder" "/$folder"
done

mount -t tmpfs -o mode=755 dev "$base/dev"
while read -r name major minor; do
    mknod -m 666 "$base/dev/$name" c "$major" "$minor"
done <<END
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
END
mkdir "$base/dev/pts" "$base/dev/shm"
ln -s pts/ptmx "$base/dev/ptmx"
ln -s /proc/self/fd "$base/dev/fd"
ln -s fd/0 "$base/dev/stdin"
ln -s fd/1 "$base/dev/stdout"
ln -s fd/2 "$base/dev/stderr"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$base/dev/pts"
mount -t tmpfs -o mode=1777 shm "$base/dev/shm"
mount --move "$base/dev" /dev

mount -o remount,bind,ro /
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t proc proc /proc
for file in /proc/sys /proc/sysrq-trigger; do
    if [ -e "$file" ]; then
        mount --bind "$file" "$file"
        mount -o remount,bind,ro "$file"
    fi
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup

# An interpreter may lie where only root may look, such as pyenv's below /root: an empty folder, in which there is
# nothing but the interpreter, takes the closed one's place. Or in one of those that were replaced.
closed=
folder=$python
while [ "$folder" != / ]; do
    case $(stat -c %A "$folder" 2>/dev/null) in
    '' | *[xt]) ;;
    *) closed=$folder ;;
    esac
    folder=$(dirname "$folder")
done
[ -z "$closed" ] || mount -t tmpfs -o mode=755 closed "$closed"
mkdir -p "$python"
mount --move /mnt "$python"
mount -o remount,bind,ro "$python"

exec env -i container=unshare PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$(command -v systemd || echo /lib/systemd/systemd)" --system --log-target=journal --show-status=no
