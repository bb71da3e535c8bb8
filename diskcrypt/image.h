/* image.h - the disk itself: a sparse file in memory, a block device, ext4, a mount.
 *
 * Used by the role that has the privilege (init); it knows no key and reads none
 * of the disk's bytes. Everything lives in a mount namespace of its own and the
 * loop device clears itself when its last user goes, so that even SIGKILL of all
 * processes leaves nothing attached and nothing mounted.
 *
 *   image_namespace -> image_tmpfs -> image_create -> (restore into the descriptor)
 *   -> image_attach -> [a process that has the volume key opens the mapping; image_map]
 *   -> image_mkfs (a new disk only) -> image_mount -> … -> image_close
 *
 * Calls out of order are E_STATE. Needs CAP_SYS_ADMIN (and CAP_MKNOD where
 * /dev has no node for the loop device). */
#ifndef DISKCRYPT_IMAGE_H
#define DISKCRYPT_IMAGE_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "core/err.h"

enum image_backend { IMAGE_LOOP, IMAGE_LUKS };        /* plain ext4 in the image; LUKS2 around it */
enum { IMAGE_SIZE_MIN = 8 << 20 };                    /* ext4 with a journal needs this much */

/* Leave the present mount namespace for a private one. Fails: E_IO. */
err image_namespace(void);
/* Mount a tmpfs of at most `size` bytes on the existing folder dir (mode 0700, nosuid, nodev,
 * noexec; not swapped out where the kernel can promise that). It goes with the namespace. */
err image_tmpfs(const char *dir, uint64_t size);
/* Make a sparse file of `size` zero bytes without a name in the folder `dir`.
 * Out: *fd, open for reading and writing, close-on-exec. Size: whole 64 KiB, at least IMAGE_SIZE_MIN.
 * Fails: E_FORMAT (size), E_IO. */
err image_create(int *fd, const char *dir, uint64_t size);

struct image;
/* Has this kernel what LUKS needs? Loads the module if need be. Fails: E_ABSENT. */
err image_luks_possible(void);
/* Attach the file `fd` (borrowed) as a block device of 4096-byte sectors. Fails: E_IO. */
err image_attach(struct image **out, int fd);
/* Its loop device's number. */
int image_number(const struct image *im);
/* The name below /dev/mapper of the mapping over loop device `number`. */
enum { IMAGE_MAP_NAME = 32 };
void image_map_name(char out[static IMAGE_MAP_NAME], int number);
/* From here on use the mapping of that name instead of the loop device. It goes by itself when the
 * last user does, as the loop device. Fails: E_IO (no mapping), E_STATE (not over this disk; order). */
err image_map(struct image *im);
enum image_backend image_backend(const struct image *im);
/* Path of the block device that carries the file system. */
const char *image_device(const struct image *im);
/* Make an empty ext4 on it: forks and runs mkfs.ext4 with fixed arguments and an empty
 * environment, and waits for that child by its pid. What it prints is logged when it fails.
 * Fails: E_TIMEOUT (killed), E_IO. */
err image_mkfs(struct image *im, int timeout_ms);
/* Mount it on the existing folder `dir` (nosuid, nodev, noexec, noatime) and give its
 * root directory to owner:group with `mode`. */
err image_mount(struct image *im, const char *dir, uid_t owner, gid_t group, mode_t mode);
/* Make the file `fd` and its block device `size` bytes large; never smaller. The file system follows with image_fill(), a
 * mapping in between by luks_resize(). After a failure anywhere the disk works as before, and all of it may be tried again.
 * Fails: E_FORMAT (size, as image_create()), E_STATE (not mounted; frozen; smaller than it is), E_IO. */
err image_grow(struct image *im, int fd, uint64_t size);
/* Let the mounted file system have all of its block device. Needs CAP_SYS_RESOURCE too.
 * Fails: E_STATE, E_DENIED (that capability is missing), E_IO. */
err image_fill(struct image *im);
/* Stop all writes to the file system and flush what it has: the file then holds a
 * consistent state until image_thaw(). Should this process die in between, or
 * `limit_ms` pass, the file system thaws by itself.
 * Fails: E_STATE (not mounted, frozen already), E_IO. */
err image_freeze(struct image *im, int limit_ms);
/* Fails: E_TIMEOUT (it had thawed by itself: what was copied meanwhile is no consistent state). */
err image_thaw(struct image *im);
/* Thaw if frozen, and unmount. Fails: E_IO (busy). */
err image_unmount(struct image *im);
/* Unmount if mounted, and let go of the block device. Fails: E_IO; the device
 * then goes when its last user does. */
err image_detach(struct image *im);
/* Undo all of it, as far as it got, and free it; NULLs *im. Safe to repeat. */
void image_close(struct image **im);
#define IMAGE __attribute__((cleanup(image_close))) struct image *

#endif
