/* image_own.h - an attached image from inside. Only for image*.c. */
#ifndef DISKCRYPT_IMAGE_OWN_H
#define DISKCRYPT_IMAGE_OWN_H
#include <limits.h>
#include "diskcrypt/image.h"

struct image {
    enum image_backend backend;
    int   loop;                           /* the loop device, open: keeps it attached         */
    char  loop_path[32];
    int   mapped;                         /* the mapping over it, open: keeps it; -1: none    */
    char  device[48];                     /* what carries the file system                     */
    bool  mounted;
    char  dir[PATH_MAX];
    int   root;                           /* the mounted file system's root                   */
    pid_t guard;                          /* thaws if we cannot; 0: not frozen                */
    int   guard_fd;
};

/* May an image have that size? Fails: E_FORMAT. */
err image_size_check(uint64_t size);
/* Let go of a mapping, if there is one. */
void image_unmap(struct image *im);

#endif
