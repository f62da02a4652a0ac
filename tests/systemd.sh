#!/usr/bin/env bash
# The unit under a real systemd, as root on a machine that may be thrown away: it makes a user, installs the program and the unit,
# and plays a service's life. `tests/systemd.sh PROGRAM`, PROGRAM being a built jobticket-sync.
set -euo pipefail
program=$(readlink -f "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where the script was copied elsewhere, the project is the working folder.
[ -e "$here/systemd/jobticket-sync.service" ] || here=$PWD
unit=jobticket-sync.service
state=/var/lib/jobticket-sync

say() { printf '== %s\n' "$1"; }
fail() {
    printf 'FAILED: %s\n' "$1" >&2
    systemctl status --no-pager "$unit" >&2 || true
    journalctl --no-pager -n 40 -u "$unit" >&2 || true
    exit 1
}
# Waits until a command succeeds, 20 seconds at most.
until_true() {
    for _ in $(seq 200); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    fail "waited in vain for: $*"
}
property() { systemctl show --value -p "$1" "$unit"; }
logged() { journalctl --no-pager -o cat -u "$unit" | grep -q -F -- "$1"; }
is() { [ "$(property "$1")" = "$2" ]; }

say 'exposure'
systemd-analyze security --offline=true --threshold=15 "$here/systemd/$unit" >/dev/null

say 'install'
useradd --system --home-dir "$state" --shell /usr/sbin/nologin jobticket-sync
install -D -m 755 "$program" /usr/local/bin/jobticket-sync
install -D -m 644 "$here/systemd/$unit" "/etc/systemd/system/$unit"
install -d -m 755 /etc/jobticket-sync /srv/hr-export
install -d -m 700 /etc/jobticket-sync/credentials
chown jobticket-sync /srv/hr-export
printf 'acme-key' >/etc/jobticket-sync/credentials/api_key_id
printf 'acme-secret' >/etc/jobticket-sync/credentials/api_key_secret
chmod 600 /etc/jobticket-sync/credentials/*
cp "$here"/examples/drop/roster_20260105.csv /srv/hr-export/
# An API on loopback, the credentials of the unit, and the drop folder.
/usr/local/bin/jobticket-sync sandbox --listen 127.0.0.1:8099 --key-id acme-key --key-secret acme-secret --integration-id 7 >/run/sandbox.log 2>&1 &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || true' EXIT
configure() {
    sed -e "s|^state_dir:.*|state_dir: $state|" \
        -e 's|^\( *\)environment: sandbox.*|\1base_url: http://127.0.0.1:8099\n\1api_key_id: {credential: api_key_id}\n\1api_key_secret: {credential: api_key_secret}|' \
        -e 's|max_age_hours: null|max_age_hours: 100000|' \
        -e 's|folder: examples/drop|folder: /srv/hr-export|' \
        "$here/config.example.yaml" >/etc/jobticket-sync/config.yaml
}
configure
mkdir -p "/etc/systemd/system/$unit.d"
cat >"/etc/systemd/system/$unit.d/site.conf" <<'D'
[Unit]
StartLimitIntervalSec=0
[Service]
LoadCredential=api_key_id:/etc/jobticket-sync/credentials/api_key_id
LoadCredential=api_key_secret:/etc/jobticket-sync/credentials/api_key_secret
ReadWritePaths=/srv/hr-export
RestartSec=100ms
D
systemctl daemon-reload

say 'start: ready, with the next run in its status, and a state for nobody else'
systemctl start "$unit" || fail 'it does not start'
is ActiveState active || fail 'it is not active'
property StatusText | grep -q 'acme: next run' || fail 'the status does not show the next run'
[ "$(stat -c '%a %U' "$state")" = '700 jobticket-sync' ] || fail 'the state folder is not for its user alone'

say 'reload: a good configuration, and one that is wrong'
systemctl reload "$unit"
until_true logged 'The configuration was reloaded'
echo 'nonsense: 1' >>/etc/jobticket-sync/config.yaml
systemctl reload "$unit"
until_true logged 'the old one stays in force'
is ActiveState active || fail 'a wrong configuration stopped it'
configure

say 'a scheduled run inside the sandbox of the unit pushes with the credentials of the unit'
sed -i 's|cron: \[.*\]|cron: ["* * * * *"]|; s|jitter_seconds: .*|jitter_seconds: 0|' /etc/jobticket-sync/config.yaml
grep -q 'cron: \["\* \* \* \* \*"\]' /etc/jobticket-sync/config.yaml || fail 'the schedule was not changed'
systemctl reload "$unit"
for _ in $(seq 750); do
    if grep -q push_acknowledged "$state/audit.jsonl" 2>/dev/null; then break; fi
    if logged 'outcome="held"' || grep -q hold_opened "$state/audit.jsonl" 2>/dev/null; then break; fi
    sleep 0.1
done
grep -q hold_opened "$state/audit.jsonl" || fail 'the first push was not held'
until_true sh -c "systemctl show --value -p StatusText $unit | grep -q 'HOLD 1'"

say 'an approval is acted on within a minute'
/usr/local/bin/jobticket-sync approve 1 --yes --reason 'the first push' || fail 'the approval'
for _ in $(seq 700); do
    if grep -q push_acknowledged "$state/audit.jsonl"; then break; fi
    sleep 0.1
done
grep -q push_acknowledged "$state/audit.jsonl" || fail 'the approved push did not go out'
[ -z "$(find "$state" ! -user jobticket-sync)" ] || fail 'root has left files in the state folder'

say 'the journal has levels and fields'
entry() { journalctl --no-pager -o json -t jobticket-sync JOBTICKET_INTEGRATION_NAME=acme "$@" | tail -n 1; }
entry JOBTICKET_OUTCOME=pushed | grep -q '"JOBTICKET_EXIT_CODE":"0"' || fail 'the end of a run has no fields in the journal'
entry JOBTICKET_OUTCOME=pushed | grep -q '"PRIORITY":"6"' || fail 'the end of a run has the wrong priority'
entry -p warning | grep -q '"PRIORITY":"4".*Held\|Held.*"PRIORITY":"4"' || fail 'a hold is no warning in the journal'

say 'kill -9: started anew by itself'
configure
old=$(property MainPID)
kill -9 "$old"
until_true sh -c "test \"\$(systemctl show --value -p MainPID $unit)\" != $old && systemctl is-active --quiet $unit"

say 'stop: at once, with success'
systemctl stop "$unit"
is Result success || fail 'it did not end with success'

say 'a configuration that is wrong at the start is not tried again'
echo 'nonsense: 1' >>/etc/jobticket-sync/config.yaml
if systemctl start "$unit"; then fail 'it started with a wrong configuration'; fi
is ExecMainStatus 2 || fail 'the exit status is not 2'
until_true is ActiveState failed
logged 'nonsense' || fail 'the journal does not say what is wrong'
journalctl --no-pager -o cat -p err -u "$unit" | grep -q nonsense || fail 'what is wrong is no error in the journal'

say 'done'
