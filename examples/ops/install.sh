#!/bin/sh
# Put this deployment in its place. As root, on a machine with systemd:
#   sh examples/ops/install.sh --system
# As anybody, to try it in a new directory: the same files, without users and services of their own:
#   sh examples/ops/install.sh --try /tmp/ops
set -eu
umask 022    # whatever root's own is: others run these programs
unset CDPATH # with it `cd` says where it went
here=$(cd "$(dirname "$0")" && pwd)
case "${1-} $#" in
"--system 1")
    root=
    if [ "$(id -u)" != 0 ]; then
        echo "This takes root; or try it: sh $0 --try DIRECTORY" >&2
        exit 2
    fi
    ;;
"--try 2")
    root=$(cd "$(dirname "$2")" && pwd)
    root=$root/$(basename "$2")
    case $root in
    *[!A-Za-z0-9/._-]*)
        echo "$root: take a directory of letters, digits, . _ and - alone; it is written into scripts." >&2
        exit 2
        ;;
    esac
    mkdir "$root" # one that is there already is somebody's: that ends it
    ;;
*)
    echo "usage: sh $0 --system | --try DIRECTORY" >&2
    exit 2
    ;;
esac

place() { # place MODE FILE-HERE PATH: with other paths, and nobody to run as, where it is tried
    mkdir -p "$(dirname "$root$3")"
    new=$root$3.new # moved there: a job that runs reads the script that it began with to its end
    if [ "$root" ]; then
        sed -E -e '/^run_as = /d' \
            -e "s#([\" ])/(etc/secure-server|srv/site|var/(backups|lib|log)/|usr/(bin|local)/|run/cred)#\1$root/\2#g" \
            "$here/$2" >"$new"
    else
        cp "$here/$2" "$new"
    fi
    chmod "$1" "$new"
    mv "$new" "$root$3"
}

user() { # user NAME [GROUP…]: one that cannot log in, in those of the groups that there are
    name=$1
    shift
    id "$name" >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin "$name"
    for group; do
        if getent group "$group" >/dev/null; then usermod --append --groups "$group" "$name"; fi
    done
}

for program in deploy take-release tell-team; do
    place 755 "programs/$program" "/usr/local/lib/secure-ops/$program"
done
place 644 backup.py /usr/local/lib/secure-ops/backup.py
config=/etc/secure-server/secure-server.toml
[ -e "$root$config" ] || place 600 secure-server.toml "$config"
mkdir -p "$root/srv/site/releases" "$root/var/backups/site" "$root/var/lib/secure-ops"
chmod 700 "$root/var/backups/site"

if [ "$root" ]; then # what the machine would have
    told=$root/run/credentials/secure-server.service/team-webhook
    mkdir -p "$(dirname "$told")" "$root/var/log/nginx" "$root/usr/bin"
    echo "a line that nginx wrote" >"$root/var/log/nginx/error.log"
    printf '#!/bin/sh\necho "not run: systemctl $*"\n' >"$root/usr/bin/systemctl"
    chmod 755 "$root/usr/bin/systemctl"
else
    user deploy
    user secure-ops adm systemd-journal
    chown deploy: /srv/site /srv/site/releases
    chown secure-ops: /var/lib/secure-ops
    told=/etc/secure-server/team-webhook # which systemd hands to the server
    place 644 secure-server.service /etc/systemd/system/secure-server.service
fi
[ -e "$told" ] || (umask 077 && echo "$root/var/lib/secure-ops/told" >"$told")
echo "Look at $root$config; README.md says how to go on."
