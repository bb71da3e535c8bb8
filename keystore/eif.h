/* eif.h - enclave image files, and the PCRs that an enclave started from one has.
 *
 * Source: AWS aws-nitro-enclaves-image-format. A header of 548 bytes names up to 32
 * sections; each has a header of its own. There are two ways to find the sections, one
 * after the other or by the header's table, and different readers go different ways: an
 * image on which the two disagree is refused. Big-endian. Public data; nothing is held
 * but one piece of the file.
 *
 *   PCR0 = X(kernel, command line, all ramdisks)     X(parts) = SHA384(48 zero bytes || SHA384(parts))
 *   PCR1 = X(kernel, command line, first ramdisk)
 *   PCR2 = X(all other ramdisks)
 *   PCR8 = X(signing certificate, DER); zero when the image is not signed
 * Parts are measured in the order of the file, without headers. */
#ifndef KEYSTORE_EIF_H
#define KEYSTORE_EIF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/blk.h"
#include "core/err.h"

enum {
    EIF_HEADER = 548, EIF_SECTION_HEADER = 12, EIF_SECTIONS_MAX = 32,
    EIF_SIGNATURE_MAX = 32768, EIF_METADATA_MAX = 1 << 20, EIF_CMDLINE_MAX = 1 << 16, EIF_CERT_MAX = 8192,
    EIF_PCR = 48, EIF_ARM64 = 1 << 0
};
enum eif_type { EIF_KERNEL = 1, EIF_CMDLINE, EIF_RAMDISK, EIF_SIGNATURE, EIF_METADATA, EIF_TYPES };

struct eif_section { enum eif_type type; uint16_t flags; uint64_t offset, size; };   /* offset: of its header */
struct eif {
    uint16_t version, flags;             /* flags: EIF_ARM64                                 */
    uint64_t default_mem, default_cpus;
    uint32_t crc;                        /* as the header says                               */
    size_t   count;
    struct eif_section section[EIF_SECTIONS_MAX];
};
struct eif_pcrs {
    uint8_t  pcr0[EIF_PCR], pcr1[EIF_PCR], pcr2[EIF_PCR], pcr8[EIF_PCR];
    bool     has_pcr8;
    uint32_t crc;                        /* as the file has it; of an image only             */
};

/* Read the header and where all sections are. One kernel, one command line, one ramdisk or
 * more behind the kernel, at most one signature and one metadata section; no byte outside.
 * Fails: E_FORMAT, E_LIMIT (a section larger than its kind may be), E_IO. */
err eif_read(struct eif *out, struct blk *image);
/* Measure the image that `e` was read from, in one pass. Whether out->crc is e->crc is the
 * caller's to ask. Fails: E_FORMAT (the signature section), E_IO, E_MEMORY. */
err eif_measure(struct eif_pcrs *out, const struct eif *e, struct blk *image);
/* "kernel" and so on; never NULL. */
const char *eif_type_text(enum eif_type t);

/* What the first entry of a signature section holds (the only one that is looked at). */
struct eif_signature {
    uint8_t certificate[EIF_CERT_MAX];   /* DER                                              */
    size_t  certificate_len;
    bool    names_pcr0;                  /* what is signed is `PCR0 has the value` ...       */
    uint8_t pcr0[EIF_PCR];               /* ... this one. The signature itself is not checked */
};
/* Fails: E_FORMAT, E_LIMIT, E_ABSENT (no certificate), E_MEMORY. */
err eif_signature_parse(struct eif_signature *out, const uint8_t *section, size_t n);

/* The same measurement of parts that are not in an image yet: begin each part, add its
 * bytes, and end. Kernel, command line, then ramdisks. */
struct eif_meter;
err  eif_meter_new(struct eif_meter **out);                       /* Fails: E_MEMORY */
void eif_meter_drop(struct eif_meter **m);
void eif_meter_part(struct eif_meter *m, enum eif_type type);
void eif_meter_add(struct eif_meter *m, const void *p, size_t n);
/* PCR8 of a certificate in DER. */
void eif_pcr8(uint8_t out[static EIF_PCR], const void *der, size_t n);
/* Out: all but pcr8. Drops *m. */
void eif_meter_end(struct eif_meter **m, struct eif_pcrs *out);
#define EIF_METER __attribute__((cleanup(eif_meter_drop))) struct eif_meter *

#endif
