/* luks_header.h - what the LUKS2 header of a state disk must be, to the last byte.
 *
 * A header decides how the kernel reads a disk; whoever writes it can ask for a null cipher, a
 * second plain segment, or a keyslot of his own. So nothing in it is obeyed: it is compared with
 * a profile, and anything else, known or unknown, is refused before a library parses it. Only the
 * UUID, the salts, the key's digest and the sequence number are free. (Format: the LUKS2 On-Disk Format
 * Specification 1.1.)
 *
 * Profile 1: two copies of 16 KiB at 0 and 16 KiB; a keyslot area of 256 KiB, empty and zero; zeros;
 * from 1 MiB on one segment of aes-xts-plain64 with 4096-byte sectors; a PBKDF2-SHA256 digest of
 * the 512-bit volume key (1000 rounds: the key is uniform); no keyslot, for the key is never
 * stored; and one token of type "holdfast" with service id, epoch and profile.
 * Past profiles stay in the table: old disks must open. */
#ifndef DISKCRYPT_LUKS_HEADER_H
#define DISKCRYPT_LUKS_HEADER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"

enum {
    LUKS_DATA    = 1 << 20,       /* where the encrypted bytes begin                    */
    LUKS_COPY    = 16384,         /* one copy of the header: 4096 binary, the rest JSON */
    LUKS_SLOTS   = 256 << 10,     /* keyslot area, behind the two copies                */
    LUKS_SECTOR  = 4096,
    LUKS_KEY     = 64,            /* aes-xts: two AES-256 keys                          */
    LUKS_ROUNDS  = 1000
};

/* Whose disk it is; both stand in the token. */
struct luks_owner { uint8_t service_id[32]; uint32_t epoch; };

/* Does a disk that begins with these bytes claim to be LUKS? */
bool luks_header_is(const void *p, size_t n);
/* The JSON of the token for a new header. */
enum { LUKS_TOKEN = 192 };
void luks_header_token(char out[static LUKS_TOKEN], const struct luks_owner *owner);
/* Compare the first LUKS_DATA bytes of a disk with the profile. Fails: E_FORMAT (not a header
 * of the profile: the log says what differs), E_AUTH (another service's or epoch's). */
err luks_header_check(const uint8_t head[static LUKS_DATA], const struct luks_owner *owner);

#endif
