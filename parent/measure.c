#include "parent/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

enum { PIECE = 1 << 18 };

/* A folder can be opened, and says so only when it is read. */
static err open_file(int *out, const char *path)
{
    struct stat st;
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st)) FAIL(E_IO, "%s", path);
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        FAIL(E_IO, "%s", path);
    }
    *out = take_fd(&fd);
    return OK;
}

enum measure_end measure_image(struct measured *out, const char *path)
{
    FD fd = -1;
    BLK image = NULL;
    *out = (struct measured){ .image.count = 0 };
    if (open_file(&fd, path).code || blk_from_fd(&image, &fd).code) return MEASURE_NO_FILE;
    if (eif_read(&out->image, image).code || eif_measure(&out->pcrs, &out->image, image).code) return MEASURE_MALFORMED;
    return out->pcrs.crc == out->image.crc ? MEASURE_DONE : MEASURE_CRC;
}

err measure_file(struct eif_meter *m, const char *path)
{
    FD fd = -1;
    BYTES piece = NULL;
    TRY(open_file(&fd, path));
    TRY(mem_new(&piece, PIECE));
    for (;;) {
        ssize_t got = read(fd, piece, PIECE);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) FAIL(E_IO, "%s", path);
        if (got == 0) return OK;
        eif_meter_add(m, piece, (size_t)got);
    }
}
