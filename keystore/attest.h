/* attest.h - attestation documents of AWS Nitro Enclaves: read, judge, make.
 *
 * Source: AWS "attestation_process.md" (nsm-api) and the documents the service really
 * sends, which differ from it: absent fields are null, empty strings occur, the
 * payload map may be indefinite. Public data only; linked by all three programs. */
#ifndef KEYSTORE_ATTEST_H
#define KEYSTORE_ATTEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/err.h"
#include "core/hash.h"
#include "keystore/cose.h"

enum {
    ATTEST_MAX = COSE_MAX,               /* longest document read                          */
    ATTEST_PCRS = 32, ATTEST_PCR = 48,   /* digest is always SHA384, so a PCR is 48 bytes  */
    ATTEST_CHAIN_MAX = 8,                /* entries of cabundle; AWS sends 4               */
    ATTEST_CERT_MAX = 1024
};

/* A parsed document. Every field is borrowed from the bytes it was parsed from. */
struct attest_doc {
    struct cose_sign1 cose;
    struct bytes module_id;              /* "i-…-enc…", printable, no NUL                  */
    uint64_t timestamp_ms;               /* since 1970, by the hypervisor's clock          */
    const uint8_t *pcr[ATTEST_PCRS];     /* ATTEST_PCR bytes each, or NULL: not in the document */
    struct bytes certificate;            /* DER                                            */
    struct bytes cabundle[ATTEST_CHAIN_MAX];        /* [0] is the root                     */
    size_t cabundle_count;
    struct bytes public_key, user_data, nonce;      /* p = NULL when null or absent        */
};

/* Parse; judges the form only. Fails: E_FORMAT, E_LIMIT, E_DENIED (not ES384). */
err attest_parse(struct attest_doc *out, const void *doc, size_t n);
/* True when PCR0 is absent or all zero: AWS's mark of a debug-mode enclave. */
bool attest_is_debug(const struct attest_doc *d);

/* What a verifier asks for. Zero-initialise, then set. */
struct attest_pcr { unsigned index; uint8_t value[ATTEST_PCR]; };
struct attest_check {
    struct bytes root;                   /* DER of the pinned root; required               */
    struct attest_root *read_root;       /* the same, read before (below); NULL: it is read now */
    int64_t at;                          /* unix seconds: every certificate is valid then  */
    uint64_t max_age;                    /* seconds between `at` and timestamp, either way; 0: any */
    struct bytes nonce;                  /* p = NULL: any                                  */
    const struct attest_pcr *pcrs;       /* each must be present and equal                 */
    size_t pcr_count;
    bool allow_debug;
};

/* Verify. The checks run in the order of attest_checks() and stop at the first
 * that fails: COSE and payload form; the bundle's root equal to the pinned one BYTE FOR
 * BYTE; P-384 and ECDSA-SHA384 throughout; the chain in the order given, CA
 * flags, path lengths, key usages; validity at `at`, both ends included; the document's
 * signature; debug; PCRs; nonce; age. No CRL is consulted (AWS: must be off), and not
 * OpenSSL's X509_STRICT, which every genuine chain fails.
 * Out:   *out, parsed, also on refusal when the form was good (else zeroed);
 *        *failed, the check's name (a literal), or NULL. Either may be NULL.
 * Fails: E_FORMAT, E_LIMIT ("format"), E_AUTH (certificates, signature, nonce, age), E_DENIED
 *        (algorithm, debug, PCR), E_MEMORY. */
err attest_verify(struct attest_doc *out, const char **failed,
                  const void *doc, size_t n, const struct attest_check *want);
/* The pinned root, read once by who verifies many documents: reading a certificate takes libcrypto a
 * fifth of the time of a signature. Borrows nothing. Fails: E_AUTH (not a P-384 root), E_MEMORY. */
err  attest_root_read(struct attest_root **out, struct bytes der);
void attest_root_drop(struct attest_root **r);
/* The names of the checks, in order, NULL-terminated: format algorithm root
 * certificates chain validity signature debug pcr nonce age. */
const char *const *attest_checks(void);

/* Make a document (the simulator's NSM; tests). `fields` supplies everything but `cose`;
 * a PCR that is NULL is left out. The payload map is indefinite when asked, as documents
 * since 2025-11 are. Out: out[0..*len). Fails: E_LIMIT, or as the signer. */
err attest_make(uint8_t *out, size_t cap, size_t *len, const struct attest_doc *fields,
                bool indefinite, cose_signer sign, void *self);

#endif
