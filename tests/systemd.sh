#!/usr/bin/env bash
# The units under a real systemd, as root on a machine that may be thrown away: it installs the program as the README says, and plays
# a service's life. `tests/systemd.sh WHAT`: a package (.deb) is installed, upgraded and purged; a built jobticket-sync is put in
# place by hand.
set -euo pipefail
what=$(readlink -f "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where the script was copied elsewhere, the project is the working folder.
[ -e "$here/systemd/jobticket-sync.service" ] || here=$PWD
unit=jobticket-sync.service
state=/var/lib/jobticket-sync
units=(jobticket-sync.service jobticket-sync@.service jobticket-sync-run@.service)
case $what in *.deb) package=yes ;; *) package= ;; esac

say() { printf '== %s\n' "$1"; }
fail() {
    printf 'FAILED: %s\n' "$1" >&2
    systemctl status --no-pager "$unit" >&2 || true
    journalctl --no-pager -n 60 -u 'jobticket-sync*' >&2 || true
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
property() { systemctl show --value -p "$1" "${2:-$unit}"; }
logged() { journalctl --no-pager -o cat -u "${2:-$unit}" | grep -q -F -- "$1"; }
is() { [ "$(property "$1" "${3:-$unit}")" = "$2" ]; }
owner() { stat -c '%a %U %G' "$1"; }
same() { [ "$2" = "$3" ] || fail "$1: $2 in place of $3"; }

say 'exposure'
for each in "${units[@]}"; do
    systemd-analyze security --offline=true --threshold=15 "$here/systemd/$each" >/dev/null || fail "$each is too open"
done

if [ "$package" ]; then
    # Images of containers forbid packages to start and stop services, which is what is tested here.
    if [ -e /usr/sbin/policy-rc.d ]; then printf '#!/bin/sh\nexit 0\n' >/usr/sbin/policy-rc.d; fi
    say 'install the package: everything there, nothing enabled, nothing started'
    dpkg -i "$what" || fail 'the package cannot be installed'
    program=/usr/bin/jobticket-sync
    for each in "${units[@]}" jobticket-sync-failed@.service; do
        [ -e "/usr/lib/systemd/system/$each" ] || fail "$each is not there"
        if [ -n "$(find /etc/systemd/system -name "${each%.service}*")" ]; then fail "$each is enabled"; fi
    done
    same 'enabled' "$(systemctl is-enabled "$unit" || true)" disabled
    same 'an instance is enabled' "$(systemctl is-enabled jobticket-sync@acme || true)" disabled
    is ActiveState inactive || fail 'it was started'
    if pgrep -x jobticket-sync >/dev/null; then fail 'something runs'; fi
    dpkg-query -W -f '${Conffiles}' jobticket-sync | grep -q /etc/jobticket-sync/config.example.yaml || fail 'the example is no conffile'
    [ ! -e /etc/jobticket-sync/config.yaml ] || fail 'there is a configuration that nobody wrote'
    for page in jobticket-sync jobticket-sync-approve; do
        [ -e "/usr/share/man/man8/$page.8.gz" ] || fail "there is no manual page $page"
        if command -v man >/dev/null; then man -w 8 "$page" >/dev/null || fail "man does not find $page"; fi
    done
    bash -n /usr/share/bash-completion/completions/jobticket-sync || fail 'the completions of bash'
else
    say 'install by hand'
    program=/usr/local/bin/jobticket-sync
    install -D -m 755 "$what" "$program"
    install -m 644 "$here"/systemd/*.service /etc/systemd/system/
    install -D -m 644 "$here/systemd/jobticket-sync.sysusers" /etc/sysusers.d/jobticket-sync.conf
    install -D -m 644 "$here/systemd/jobticket-sync.tmpfiles" /etc/tmpfiles.d/jobticket-sync.conf
    systemd-sysusers jobticket-sync.conf
    systemd-tmpfiles --create jobticket-sync.conf
    systemctl daemon-reload
fi
getent passwd jobticket-sync | grep -q ":$state:/usr/sbin/nologin\$" || fail 'the user is not as it must be'
getent group jobticket-approvers >/dev/null || fail 'there is no group jobticket-approvers'
same 'the state folder' "$(owner "$state")" '700 jobticket-sync jobticket-sync'
same 'the folder of the socket' "$(owner /run/jobticket-sync)" '2750 jobticket-sync jobticket-approvers'
same 'the credentials' "$(owner /etc/jobticket-sync/credentials)" '700 root root'

say 'configure'
install -d -m 755 -o jobticket-sync /srv/hr-export
install -d -m 755 /etc/jobticket-sync/north
printf 'acme-key' >/etc/jobticket-sync/credentials/api_key_id
printf 'acme-secret' >/etc/jobticket-sync/credentials/api_key_secret
chmod 600 /etc/jobticket-sync/credentials/*
cp "$here"/examples/drop/roster_20260105.csv /srv/hr-export/
# An API on loopback, the credentials of the unit, and the drop folder.
"$program" sandbox --listen 127.0.0.1:8099 --key-id acme-key --key-secret acme-secret --integration-id 7 >/run/sandbox.log 2>&1 &
sandbox=$!
trap 'kill "$sandbox" 2>/dev/null || true' EXIT
# configured STATE_DIR CONFIG
configured() {
    sed -e "s|^state_dir:.*|state_dir: $1|" \
        -e "s|^# ledger_dir:.*|ledger_dir: $state/ledger|" \
        -e 's|^\( *\)environment: sandbox.*|\1base_url: http://127.0.0.1:8099\n\1api_key_id: {credential: api_key_id}\n\1api_key_secret: {credential: api_key_secret}|' \
        -e 's|max_age_hours: null|max_age_hours: 100000|' \
        -e 's|folder: examples/drop|folder: /srv/hr-export|' \
        "$here/config.example.yaml" >"$2"
}
configure() {
    configured "$state" /etc/jobticket-sync/config.yaml
    sed -i 's|^# control: |control: |' /etc/jobticket-sync/config.yaml
}
configure
mkdir -p "/etc/systemd/system/$unit.d"
cat >"/etc/systemd/system/$unit.d/site.conf" <<'D'
[Unit]
StartLimitIntervalSec=0
OnFailure=jobticket-sync-failed@%n.service
[Service]
LoadCredential=api_key_id:/etc/jobticket-sync/credentials/api_key_id
LoadCredential=api_key_secret:/etc/jobticket-sync/credentials/api_key_secret
ReadWritePaths=/srv/hr-export
RestartSec=100ms
D
# The same for instances and single runs, by links as the README says.
for each in jobticket-sync@ jobticket-sync-run@; do
    mkdir "/etc/systemd/system/$each.service.d"
    ln -s "../$unit.d/site.conf" "/etc/systemd/system/$each.service.d/"
done
systemctl daemon-reload

say 'what a unit makes in the folder of the socket is for the group of those who decide'
# The program of a single run is exchanged for one that makes a socket as the service does; the sandbox around it is the unit's.
mkdir /etc/systemd/system/jobticket-sync-run@probe.service.d
cat >/etc/systemd/system/jobticket-sync-run@probe.service.d/probe.conf <<'D'
[Service]
ExecStart=
ExecStart=/usr/bin/perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un("/run/jobticket-sync/probe.sock")) && chmod(0660, "/run/jobticket-sync/probe.sock") or die'
D
systemctl daemon-reload
systemctl start jobticket-sync-run@probe || fail 'no socket can be made'
same 'the socket' "$(owner /run/jobticket-sync/probe.sock)" '660 jobticket-sync jobticket-approvers'
rm /run/jobticket-sync/probe.sock

say 'start: ready, with the next run in its status, and a state for nobody else'
systemctl start "$unit" || fail 'it does not start'
is ActiveState active || fail 'it is not active'
[ "/proc/$(property MainPID)/exe" -ef "$program" ] || fail 'the unit runs another program'
property StatusText | grep -q 'acme: next run' || fail 'the status does not show the next run'
same 'the state folder' "$(owner "$state")" '700 jobticket-sync jobticket-sync'

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

say 'an approval by an unprivileged member of the group is acted on within a minute; a stranger may not even look'
same 'the socket' "$(owner /run/jobticket-sync/control.sock)" '660 jobticket-sync jobticket-approvers'
useradd --system --no-create-home --groups jobticket-approvers hr-desk
useradd --system --no-create-home stranger
if setpriv --reuid=stranger --regid=stranger --init-groups "$program" holds >/run/stranger 2>&1; then fail 'a stranger may look at holds'; fi
grep -q 'does not let this user in' /run/stranger || fail 'a stranger does not hear why'
by_hr() { setpriv --reuid=hr-desk --regid=hr-desk --init-groups "$program" "$@"; }
# Their exit codes say that somebody has to decide.
seen=$(by_hr status || true)
grep -q 'HOLD 1' <<<"$seen" || fail 'the status at the socket does not show the hold'
seen=$(by_hr holds show 1 || true)
grep -q 'approve 1' <<<"$seen" || fail 'the hold at the socket'
by_hr approve 1 --yes --reason 'the first push' || fail 'the approval'
grep -q '"decision":"approve".*"user":"hr-desk"' "$state/audit.jsonl" || fail 'the audit log does not name who approved'
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

if [ "$package" ]; then
    say 'an upgrade restarts what runs'
    old=$(property MainPID)
    dpkg -i "$what" >/dev/null || fail 'the upgrade'
    is ActiveState active || fail 'the upgrade has stopped it'
    [ "$(property MainPID)" != "$old" ] || fail 'the old program still runs'
fi

say 'a single run beside the service: its integration, with the credentials of the unit'
run=jobticket-sync-run@acme.service
systemctl start "$run" || fail 'the single run'
logged 'Nothing changed' "$run" || fail 'its result is not in the journal'

say 'a single run that fails makes its unit fail, and somebody is told'
echo 'cut sho' >/srv/hr-export/roster_20260106.csv
if systemctl start "$run"; then fail 'a source that fails is no failure'; fi
same 'its exit status' "$(property ExecMainStatus "$run")" 4
told() { journalctl --no-pager -o cat -p crit..crit -t jobticket-sync-failed | grep -q -F -- "$1"; }
until_true told "$run has failed (exit-code, exit status 4)"
rm /srv/hr-export/roster_20260106.csv

say 'stop: at once, with success'
systemctl stop "$unit"
is Result success || fail 'it did not end with success'

say 'an instance of its own, which shares the request ledger'
instance=jobticket-sync@north.service
configured "$state/north" /etc/jobticket-sync/north/config.yaml
systemctl start "$instance" || fail 'the instance does not start'
is ActiveState active "$instance" || fail 'the instance is not active'
same 'its state folder' "$(owner "$state/north")" '700 jobticket-sync jobticket-sync'
[ -e "$state/north/state.db" ] || fail 'its store is not in its folder'
# A single run of it: where its configuration is, stands in a drop-in. It is held (3), since another state has pushed, which is no failure.
mkdir "/etc/systemd/system/$run.d"
printf '[Service]\nEnvironment=CONFIG=/etc/jobticket-sync/north/config.yaml\n' >"/etc/systemd/system/$run.d/instance.conf"
systemctl daemon-reload
systemctl start "$run" || fail 'people who wait are a failure'
logged 'HELD: nothing was pushed' "$run" || fail 'its first push was not held'
grep -q held "$state/north/audit.jsonl" || fail 'the run of the instance used another state'
same 'the ledger that all share' "$(owner "$state/ledger/requests.db")" '600 jobticket-sync jobticket-sync'
[ ! -e "$state/north/requests.db" ] || fail 'the instance has a ledger of its own'
# It may write to no state but its own.
configured "$state" /etc/jobticket-sync/north/config.yaml
if systemctl restart "$instance"; then fail 'an instance wrote to the state of another'; fi
logged 'ead-only' "$instance" || fail 'the instance failed of something else'
configured "$state/north" /etc/jobticket-sync/north/config.yaml
systemctl stop "$instance"

say 'a configuration that is wrong at the start is not tried again, and somebody is told'
echo 'nonsense: 1' >>/etc/jobticket-sync/config.yaml
if systemctl start "$unit"; then fail 'it started with a wrong configuration'; fi
is ExecMainStatus 2 || fail 'the exit status is not 2'
until_true is ActiveState failed
logged 'nonsense' || fail 'the journal does not say what is wrong'
journalctl --no-pager -o cat -p err -u "$unit" | grep -q nonsense || fail 'what is wrong is no error in the journal'
until_true told "$unit has failed (exit-code, exit status 2)"

say 'a mail in place of the line, as the example says it'
printf '#!/bin/sh\ncat >/run/mail\n' >/usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
mkdir /etc/systemd/system/jobticket-sync-failed@.service.d
sed -n 's/^#   //p' "$here/systemd/jobticket-sync-failed@.service" | sed -n '/^\[Service\]/,$p' >/etc/systemd/system/jobticket-sync-failed@.service.d/mail.conf
systemctl daemon-reload
if systemctl start "$unit"; then fail 'it started with a wrong configuration'; fi
until_true grep -q '^See: ' /run/mail
same 'the mail' "$(cat /run/mail)" "$(printf 'To: root\nSubject: %s has failed\n\nSee: journalctl -u %s' "$unit" "$unit")"

if [ "$package" ]; then
    say 'an upgrade starts nothing that does not run'
    configure
    dpkg -i "$what" >/dev/null || fail 'the upgrade'
    is ActiveState failed || fail 'the upgrade has started it'

    say 'removal stops it; a purge keeps the state and says where it is'
    systemctl enable --now "$unit" 2>/dev/null || fail 'it cannot be enabled'
    pid=$(property MainPID)
    lines=$(wc -l <"$state/audit.jsonl")
    dpkg --remove jobticket-sync >/dev/null || fail 'the removal'
    [ ! -e "/proc/$pid" ] || fail 'the service still runs'
    [ -e /etc/jobticket-sync/config.example.yaml ] || fail 'a removal takes the conffile away'
    said=$(dpkg --purge jobticket-sync 2>&1) || fail 'the purge'
    printf '%s\n' "$said"
    grep -q "stay.*$state" <<<"$said" || fail 'the purge does not say where the state is'
    [ "$(wc -l <"$state/audit.jsonl")" -ge "$lines" ] && [ -e "$state/state.db" ] || fail 'the purge took the state away'
    getent passwd jobticket-sync >/dev/null || fail 'the purge took the user away'
    [ -e /etc/jobticket-sync/config.yaml ] || fail 'the purge took the configuration of the administrator away'
    [ ! -e /etc/jobticket-sync/config.example.yaml ] || fail 'the purge left the conffile'
    if [ -n "$(find /etc/systemd/system -name "$unit" -type l)" ]; then fail 'the purge left an enabled unit that is not there'; fi
fi

say 'done'
