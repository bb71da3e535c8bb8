/* verify.h - a sceptic's view of a service: every check of a document and its statement, by name.
 *
 * Judges evidence only: whoever calls has fetched or read it. Nothing here is believed before
 * the document's signature and chain to the pinned root have been checked. */
#ifndef PARENT_VERIFY_H
#define PARENT_VERIFY_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "keystore/attest.h"

enum { VERIFY_CHECKS = 16, VERIFY_DETAIL = 288 };
enum verify_verdict { VERIFY_OK, VERIFY_FAILED, VERIFY_SKIPPED };

/* What the verifier asks for. `check` is attest_verify()'s. */
struct verify_want {
    struct attest_check check;
    bool root_given;                     /* not AWS's pinned root but one the user named       */
    bool online;                         /* a statement is needed, and the key that is served  */
    bool image;                          /* `check.pcrs` come from an image file, too          */
    bool image_bad;                      /* ... which could not be measured: fails `image`     */
};
struct verify_evidence {
    struct bytes doc, statement;         /* statement.p = NULL: none                           */
    const char *served_key;              /* online: what /public-key says; NULL: no key yet    */
};

struct verify_line { const char *name; enum verify_verdict verdict; char detail[VERIFY_DETAIL]; };
struct verify_result {
    struct verify_line line[VERIFY_CHECKS];
    size_t count;
    const char *failed;                  /* name of the check that failed, or NULL: accepted   */
    struct attest_doc doc;               /* borrowed from the evidence; zero when it has no form */
    json_t *statement;                   /* owned; NULL unless the document vouches for it     */
    bool debug, simulated;               /* simulated: the statement says so                   */
};
void verify_result_drop(struct verify_result *r);
#define VERIFY_RESULT __attribute__((cleanup(verify_result_drop))) struct verify_result

/* Judge. The checks: image (when asked for), those of attest_checks(), then statement, service,
 * public-key. After the first that fails the rest are skipped. Out: *out. */
void verify_run(struct verify_result *out, const struct verify_want *want, const struct verify_evidence *e);

/* Unix seconds as 2026-11-21T04:00:00Z. */
void verify_time_text(char out[static 32], uint64_t seconds);

#endif
