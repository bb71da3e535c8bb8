# dm-crypt for real, by the code of the role volume: mappings open, carry a file system, pass discards through,
# and refuse every header that is not ours. Ends with the number of things that did not hold.
bad=0
holds() { what=$1; shift; if "$@" >/tmp/out 2>&1; then echo "holds: $what"; else echo "FAILS: $what"; cat /tmp/out; bad=$((bad + 1)); fi; }
status() { want=$1; shift; "$@"; got=$?; [ $got = "$want" ] || { echo "status $got instead of $want"; return 1; }; }
FORMAT=1 AUTH=3 STATE=5
truncate -s 24M /tmp/disk
dev=$(losetup -f); losetup "$dev" /tmp/disk
holds "a new header is made"                          status 0 luks_drive format "$dev" 1 3
holds "no second header is made over it"              status $STATE luks_drive format "$dev" 1 3
cp /tmp/disk /tmp/new
holds "the mapping opens"                             status 0 luks_drive open "$dev" 1 3 one
holds "it is as large as the disk without its first MiB" test "$(cat /sys/block/dm-0/size)" = $(((24 - 1) * 2048))
holds "its sectors are of 4096 bytes"                 test "$(cat /sys/block/dm-0/queue/logical_block_size)" = 4096
holds "discards pass"                                 test "$(cat /sys/block/dm-0/queue/discard_max_bytes)" != 0
holds "a file system is made on it"                   mkfs.ext4 -q -F -E nodiscard /dev/mapper/one
mkdir -p /tmp/mnt
holds "and mounted"                                   mount -t ext4 -o discard /dev/mapper/one /tmp/mnt
yes "some words that nobody outside may read" | head -c 6000000 >/tmp/mnt/words
sum=$(sha256sum </tmp/mnt/words); sync
holds "nothing of the plain text is in the disk's file" sh -c '! grep -q "nobody outside" /tmp/disk'
full=$(du -k /tmp/disk | cut -f1)
rm /tmp/mnt/words; sync; sleep 1
less=$(du -k /tmp/disk | cut -f1)
echo "       $full KiB with the file, $less KiB after it was removed"
holds "what is freed becomes a hole in the disk's file" test "$less" -lt $((full - 4000))
yes "some words that nobody outside may read" | head -c 6000000 >/tmp/mnt/words
umount /tmp/mnt
holds "the mapping is removed"                        dmsetup remove one
holds "it opens again"                                status 0 luks_drive open "$dev" 1 3 two
holds "the same file is in it"                        sh -c 'mount -t ext4 /dev/mapper/two /tmp/mnt && [ "$(sha256sum </tmp/mnt/words)" = "$0" ]' "$sum"
holds "the kernel shows the name of a key, not the key" sh -c 'dmsetup table --showkeys two | grep -q ":64:logon:"'
umount /tmp/mnt; dmsetup remove two; losetup -d "$dev"

# edit FROM TO: in the JSON of both copies of the header; of one length.
edit() {
  json=$(dd if=/tmp/evil bs=4096 skip=1 count=1 2>/dev/null | tr -d '\0')
  before=${json%%"$1"*}
  [ "$before" != "$json" ] && [ ${#1} = ${#2} ] || { echo "FAILS: no $1 to edit"; bad=$((bad + 1)); }
  for json_at in 4096 20480; do
    printf %s "$2" | dd of=/tmp/evil bs=1 seek=$((json_at + ${#before})) conv=notrunc 2>/dev/null
  done
}
# put FILE-OFFSET BYTES
put() { printf "$2" | dd of=/tmp/evil bs=1 seek=$1 conv=notrunc 2>/dev/null; }
clear_page() { dd if=/dev/zero of=/tmp/evil bs=4096 seek=$1 count=1 conv=notrunc 2>/dev/null; }
# attack WHAT WANTED-STATUS KEY EPOCH [SED...]: the new disk's header, changed, must not become a mapping.
attack() {
  what=$1 want=$2 key=$3 epoch=$4; shift 4
  cp /tmp/new /tmp/evil
  [ $# = 0 ] || "$@"
  losetup "$dev" /tmp/evil
  holds "refused: $what" status "$want" luks_drive open "$dev" "$key" "$epoch" evil
  [ ! -e /dev/mapper/evil ] || { echo "FAILS: it was mapped"; bad=$((bad + 1)); dmsetup remove evil; }
  losetup -d "$dev"
}
attack "another key"             $AUTH 2 3
attack "another epoch"           $AUTH 1 4
attack "a null cipher"           $FORMAT 1 3 edit aes-xts-plain64 cipher_null-ecb
attack "a plain segment"         $FORMAT 1 3 edit '"type":"crypt"' '"type":"linea"'
attack "another offset"          $FORMAT 1 3 edit '"offset":"1048576"' '"offset":"1052672"'
attack "an older format"         $FORMAT 1 3 put 6 '\000\001'
attack "only the second header"  $FORMAT 1 3 clear_page 0
attack "only the first header"   $FORMAT 1 3 clear_page 4
attack "bytes in the keyslot area" $FORMAT 1 3 put 100000 x
attack "no JSON"                 $FORMAT 1 3 clear_page 1
exit $bad
