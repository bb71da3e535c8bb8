/* image_own.h - an attached image from inside. Only for image*.c. */
#ifndef DISKCRYPT_IMAGE_OWN_H
#define DISKCRYPT_IMAGE_OWN_H
#include <limits.h>
#include "diskcrypt/image.h"

struct image {
    enum image_backend backend;
    int   loop;                           /* the block device, open: keeps it attached        */
    char  device[32];
    bool  mounted;
    char  dir[PATH_MAX];
    int   root;                           /* the mounted file system's root                   */
    pid_t guard;                          /* thaws if we cannot; 0: not frozen                */
    int   guard_fd;
};

#endif
