/* measure.h - enclave images on this machine's disk, measured. */
#ifndef PARENT_MEASURE_H
#define PARENT_MEASURE_H
#include <stdbool.h>
#include "keystore/eif.h"

enum { MEASURED_PCRS = 4 };
struct measured { struct eif image; struct eif_pcrs pcrs; };
enum measure_end { MEASURE_DONE, MEASURE_NO_FILE, MEASURE_MALFORMED, MEASURE_CRC };

/* Read and measure. Out: *out; its `image` also when the CRC is wrong, and `pcrs` too. */
enum measure_end measure_image(struct measured *out, const char *path);
/* Add a file's bytes to a part that was begun. Fails: E_IO. */
err measure_file(struct eif_meter *m, const char *path);

#endif
