/* luks.h - dm-crypt under the state disk, by libcryptsetup. Role `volume` only.
 *
 * `path` is the block device (or, for all but luks_open(), a plain file) that holds the image.
 * The volume key is given, never generated and never stored: the header has no keyslot.
 * The library is told the profile of luks_header.h, and its own reading of a header is believed
 * only after luks_header_check() has seen the same bytes. A header must come from an authenticated
 * copy; its own checksum has no key. */
#ifndef DISKCRYPT_LUKS_H
#define DISKCRYPT_LUKS_H
#include "core/err.h"
#include "core/secret.h"
#include "diskcrypt/luks_header.h"

/* Write a header for `key` (LUKS_KEY bytes), and check it as any other.
 * Fails: E_STATE (the disk has a header already), E_FORMAT, E_IO. */
err luks_format(const char *path, const secret *key, const struct luks_owner *owner);
/* The header is of the profile, this owner's, and for this key. Fails: as luks_header_check(), E_AUTH (key), E_IO. */
err luks_check(const char *path, const secret *key, const struct luks_owner *owner);
/* luks_check(), then make /dev/mapper/NAME. Discards pass through, so that what files free leaves
 * the sealed copy. The key goes into the kernel by its keyring, where no process can read it back.
 * Needs CAP_SYS_ADMIN and CAP_MKNOD. Fails: also E_ABSENT (no device-mapper). */
err luks_open(const char *path, const char *name, const secret *key, const struct luks_owner *owner);

/* luks_check(), then let the open mapping NAME have all of the block device, which grew. Fails: as luks_open(). */
err luks_resize(const char *path, const char *name, const secret *key, const struct luks_owner *owner);

#endif
