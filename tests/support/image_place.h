/* image_place.h - a place for a disk of its own: the tests of diskcrypt/image*.c. Each test lives in a mount
 * namespace of its own, so that nothing stays on the machine, whatever happens. */
#ifndef TESTS_SUPPORT_IMAGE_PLACE_H
#define TESTS_SUPPORT_IMAGE_PLACE_H
#include "diskcrypt/image.h"
#include "tests/support/check_main.h"

enum { SIZE = 32 << 20, MKFS_MS = 30000 };

/* A folder with two in it: where the tmpfs goes, and where the disk is mounted. */
struct place { char dir[64], memory[80], disk[80]; };
void place_make(struct place *p);
void place_drop(struct place *p);
#define PLACE __attribute__((cleanup(place_drop))) struct place
/* In a new mount namespace: an empty file of SIZE for a disk, on a tmpfs with room for nine. */
void image_file(int *fd, const struct place *p);
void put_file(const struct place *p, const char *name, const char *text);
void has_file(const struct place *p, const char *name, const char *text);
/* main(): run the suite, or skip where a disk cannot be had. */
int place_main(check_suite *suite);

#endif
