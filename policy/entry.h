/* entry.h - what stands in the service's log (docs/wire/log.md, "Entries"). Pure. */
#ifndef POLICY_ENTRY_H
#define POLICY_ENTRY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"

enum entry_kind {
    ENTRY_GENESIS = 1, ENTRY_BOOT, ENTRY_SEAL, ENTRY_POLICY, ENTRY_RELEASE, ENTRY_VETO, ENTRY_GRANT, ENTRY_ROLLBACK, ENTRY_REKEY, ENTRY_REOPEN,
    ENTRY_KINDS
};
enum { ENTRY_VERSION = 1, ENTRY_DOCUMENT_MAX = 32 << 10, ENTRY_SIGNATURES = 64, ENTRY_SIGNATURE_MAX = 8 << 10, ENTRY_BOOT_SIZE = 10 + 144 + 1 + 32 + 8 + 32 + 32 + 8 };
#define ENTRY_NO_BOOT UINT64_MAX

/* Fields that a kind does not have are zero. */
struct entry {
    enum entry_kind kind;
    uint64_t time;                               /* unix seconds                                   */
    uint8_t  pcr[3][48];                         /* boot                                           */
    bool     simulated;
    uint8_t  random[32];
    uint64_t generation;                         /* boot, seal, rollback: that is restored or made  */
    uint8_t  manifest[32];
    uint64_t known;                              /* rollback: the generation the log knew          */
    uint8_t  release[32];                        /* boot, grant                                    */
    uint64_t previous;                           /* boot: entry of the one before; ENTRY_NO_BOOT   */
    uint32_t epoch, new_epoch;                   /* seal, rekey                                    */
    uint8_t  build[32], grant[32];               /* grant                                          */
    uint32_t number;                             /* reopen                                         */
    uint64_t size;
    uint8_t  root[32];
    struct bytes document;                       /* genesis, policy, release, veto, rollback; borrowed */
    uint32_t signatures;                         /* of it; all but genesis                         */
    struct bytes signature_list;                 /* that many var; borrowed                        */
};

/* "boot"; NULL for a number that is no kind. */
const char *entry_name(unsigned kind);
/* Write one; ask wr_end() afterwards. */
void entry_write(struct wr *w, const struct entry *e);
/* Read all of p[0..n). Fails: E_FORMAT (also: a kind or version of another time), E_LIMIT. */
err  entry_parse(struct entry *out, const void *p, size_t n);
/* The signatures, one by one: out[0..cap). Out: *count. Fails: E_LIMIT, E_FORMAT. */
err  entry_signatures(struct bytes *out, size_t cap, size_t *count, const struct entry *e);

#endif
