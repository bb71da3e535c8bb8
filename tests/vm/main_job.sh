# The main job inside the machine: simulator, parent, enclave; then kill -9, and all of it again from the
# sealed copy. Words: BACKEND KMS_PRIVATE_HEX PCR0_HEX BLOCKHASH. /request.json is a spend to be signed.
# The enclave has a network namespace of its own with nothing in it: AF_VSOCK is its only way out.
backend=$1 private=$2 pcr0=$3 blockhash=$4
url=http://127.0.0.1:8080
mkdir -p /run/sim /run/store /run/disk
fail() { echo "FAILED: $*"; for log in /run/*.log; do echo "--- $log"; tail -n 25 "$log"; done; exit 1; }
until_ok() { # seconds, what, command...
  local left=$(($1 * 10)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ $left -gt 0 ] || fail "waited too long for $what"; sleep 0.1
  done
}
now() { cut -d' ' -f1 /proc/uptime; }
begin=$(now)
step() { echo "@@step $(echo "$(now) $begin" | awk '{ printf "%.1f", $1 - $2 }') $*"; }

holdfast-sim nsm --state /run/sim --listen unix:/run/nsm.sock --pcr 0="$pcr0" >/run/nsm.log 2>&1 &
until_ok 30 "the security module" test -S /run/nsm.sock -a -f /run/sim/nsm-root.pem
arn=$(holdfast-sim kms --state /run/sim --new-key --private "$private" --region us-east-1 --account 111122223333 --pcr0 "$pcr0") || fail "no KMS key"
holdfast-sim imds --state /run/sim --listen 127.0.0.1:8081 --ready-file /run/imds.ready >/run/imds.log 2>&1 &
holdfast-sim kms --state /run/sim --listen 127.0.0.1:8443 --nsm-root /run/sim/nsm-root.pem --ready-file /run/kms.ready >/run/kms.log 2>&1 &
until_ok 30 "the simulated KMS" test -f /run/kms.ready -a -f /run/imds.ready
cat >/run/parent.ini <<I
[parent]
listen = tcp:127.0.0.1:8080
enclave = vsock:1:8000
link = vsock:any:8001
egress = kms.us-east-1.amazonaws.com:443=127.0.0.1:8443, 169.254.169.254:80=127.0.0.1:8081
[store]
dir = /run/store
I
holdfast run --config /run/parent.ini >/run/parent.log 2>&1 &
cat >/run/enclave.ini <<I
[service]
name = vm
[web]
listen = vsock:any:8000
[parent]
link = vsock:1:8001
wait = 60s
[kms]
ca = /run/sim/ca.pem
[nsm]
device = unix:/run/nsm.sock
[disk]
backend = $backend
dir = /run/disk
size = 32M
size_max = 64M
[seal]
interval = 0
[judge]
count = 1
I
enclave() { : >/run/enclave.log; unshare -n holdfastd --config /run/enclave.ini >>/run/enclave.log 2>&1 & }
no_mapping() { ! ls /sys/block | grep -q dm-; }
phase() { holdfast status --url $url --json 2>/dev/null | grep -q "\"phase\": *\"$1\""; }
show() { echo "@@$1 $(cat "$2")"; }
step "simulator and parent run; KMS key $arn"

enclave
until_ok 60 "an enclave without a service" phase awaiting-setup
pid=$(pidof holdfastd | tr ' ' '\n' | sort -n | head -n 1)
[ "$(wc -l </proc/$pid/net/dev)" = 3 ] || fail "the enclave has a network interface besides its own loopback"
step "enclave waits for setup; it has no network but vsock"
holdfast setup --key "$arn" --blockhash "$blockhash" --url $url >/run/setup.out 2>&1 || fail "setup: $(cat /run/setup.out)"
holdfast public-key --url $url >/run/key1 || fail "no public key"
show key /run/key1
step "set up"
holdfast status --url $url --json >/run/status1 2>/dev/null; show status /run/status1
holdfast sign /request.json --url $url --json >/run/signed1 2>/run/signed.err || fail "sign: $(cat /run/signed.err)"
show signed1 /run/signed1
step "signed"
holdfast seal --url $url --json >/run/sealed 2>/run/sealed.err || fail "seal: $(cat /run/sealed.err)"
holdfast requests --url $url --json >/run/history1 || fail "no history"
show sealed /run/sealed
step "sealed: $(du -sk /run/store | cut -f1) KiB in the parent's store"

# Larger while in use: the file, the loop device, the mapping, the file system; and in the sealed copy.
room() { nsenter -t "$pid" -m df -kP /run/disk/state | awk 'NR == 2 { print $2 }'; }
before=$(room)
holdfast disk grow --size 65M --url $url >/dev/null 2>/run/grow.err && fail "grown beyond size_max"
holdfast disk grow --size 48M --url $url --json >/run/grown 2>/run/grow.err || fail "grow: $(cat /run/grow.err /run/grown)"
grep -q '"size": *50331648' /run/grown || fail "the disk did not grow: $(cat /run/grown)"
after=$(room)
[ "$after" -gt $((before + 15000)) ] || fail "the file system has $after KiB after $before"
holdfast sign /request.json --url $url --json >/dev/null 2>/run/signed.err || fail "sign: $(cat /run/signed.err)"
holdfast seal --url $url --json >/run/sealed 2>/run/sealed.err || fail "seal: $(cat /run/sealed.err)"
holdfast requests --url $url --json >/run/history1 || fail "no history"
step "grown in use from $before to $after KiB, and sealed"

for p in $(pidof holdfastd); do kill -9 $p; done
until_ok 20 "the processes to be gone" sh -c '! pidof holdfastd'
until_ok 20 "the mapping to go" no_mapping
until_ok 20 "the loop device to go" sh -c '! cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -q .'
step "killed: no process, loop device or mapping is left"
enclave
until_ok 90 "the restored enclave" phase serving
holdfast public-key --url $url >/run/key2 || fail "no public key"
cmp /run/key1 /run/key2 || fail "another key came back"
holdfast requests --url $url --json >/run/history2
cmp /run/history1 /run/history2 || fail "another history came back"
holdfast status --url $url --json | grep -q '"size": *50331648' || fail "another size came back"
step "restored: same key, same history, the size it grew to"
holdfast status --url $url --json >/run/status2 2>/dev/null; show status2 /run/status2
holdfast sign /request.json --url $url --json >/run/signed2 2>/run/signed.err || fail "sign: $(cat /run/signed.err)"
show signed2 /run/signed2
step "signed again"
kill -TERM $(pidof holdfastd | tr ' ' '\n' | sort -n | head -n 1)
until_ok 60 "the enclave to end" sh -c '! pidof holdfastd'
tail -n 1 /run/enclave.log | grep -q "status 0" || fail "it did not end with status 0"
until_ok 20 "the mapping to go" no_mapping
step "ended by SIGTERM with a durable last seal"

ends_with() { # status, why
  until_ok 60 "the enclave to refuse $2" grep -q "holdfastd ends" /run/enclave.log
  grep -q "holdfastd ends with status $1$" /run/enclave.log || fail "$2 was not refused with status $1"
  until_ok 20 "the processes to be gone" sh -c '! pidof holdfastd'
}
# What the authentic image is decides: the configuration may object, and nothing is made new.
other=luks; [ "$backend" = loop ] || other=loop
sed -i "s/^backend = .*/backend = $other/" /run/enclave.ini
enclave; ends_with 69 "[disk] backend = $other"
step "refused: this service's disk with [disk] backend = $other"
sed -i "s/^backend = .*/backend = $backend/" /run/enclave.ini

pack=$(ls /run/store/objects/*.pack | tail -n 1)
cp $pack /run/pack.good
byte=$(dd if=$pack bs=1 skip=1000 count=1 2>/dev/null | od -An -tu1)
printf "\\$(printf %o $((byte ^ 1)))" | dd of=$pack bs=1 seek=1000 conv=notrunc 2>/dev/null
[ "$(cmp -l $pack /run/pack.good | wc -l)" = 1 ] || fail "the test did not change one byte"
enclave; ends_with 67 "an altered copy"
cp /run/pack.good $pack
step "refused: a copy with one byte changed"
mv /run/store/head /run/head.aside
enclave; ends_with 70 "a store without its head"
mv /run/head.aside /run/store/head
step "refused: a store without its head; no new key, no empty disk"
