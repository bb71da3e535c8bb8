/* nsm_codec.h - what goes over /dev/nsm, byte for byte, both ways.
 *
 * The Nitro Security Module is asked and answers in CBOR (AWS nsm-api). The
 * daemon builds requests and parses responses; the simulator does the other two,
 * so both run the same code. Pure: no secret, no descriptor, no allocation. Parsed
 * fields point into the caller's bytes. Maps may be definite or indefinite and
 * their keys in any order; a duplicate, a missing field, a wrong type or a byte
 * too many is E_FORMAT; keys we do not know are skipped. */
#ifndef KEYSTORE_NSM_CODEC_H
#define KEYSTORE_NSM_CODEC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "core/buf.h"
#include "core/err.h"
#include "core/hash.h"

enum {
    NSM_REQUEST_MAX = 0x1000, NSM_RESPONSE_MAX = 0x3000,       /* the driver's own limits            */
    NSM_PCRS = 32, NSM_PCR_LEN = 48,
    NSM_USER_DATA_MAX = 512, NSM_NONCE_MAX = 512, NSM_PUBLIC_KEY_MAX = 1024, NSM_RANDOM_MAX = 256,
    NSM_MODULE_ID_MAX = 128
};
enum nsm_op {
    NSM_DESCRIBE_PCR, NSM_EXTEND_PCR, NSM_LOCK_PCR, NSM_LOCK_PCRS, NSM_DESCRIBE,
    NSM_ATTESTATION, NSM_GET_RANDOM, NSM_OPS,
    NSM_REFUSED = NSM_OPS                                       /* response only: {"Error": …}       */
};
enum nsm_error {
    NSM_INVALID_ARGUMENT, NSM_INVALID_INDEX, NSM_INVALID_RESPONSE, NSM_READ_ONLY_INDEX,
    NSM_INVALID_OPERATION, NSM_BUFFER_TOO_SMALL, NSM_INPUT_TOO_LARGE, NSM_INTERNAL_ERROR, NSM_ERRORS
};

struct nsm_request {
    enum nsm_op op;
    uint16_t index;                              /* Describe/Extend/LockPCR; LockPCRs: its range      */
    struct bytes data;                           /* ExtendPCR: hashed into the PCR as it is           */
    struct bytes user_data, nonce, public_key;   /* Attestation: p = NULL for null                    */
};
struct nsm_response {
    enum nsm_op op;
    enum nsm_error error;                        /* NSM_REFUSED                                       */
    bool lock;                                   /* DescribePCR                                       */
    struct bytes data;                           /* DescribePCR, ExtendPCR: the PCR; Attestation: the document; GetRandom: the bytes */
    struct {                                     /* DescribeNSM                                       */
        uint16_t major, minor, patch, max_pcrs;
        uint32_t locked;                         /* bit set of PCR indexes                            */
        struct bytes module_id, digest;          /* text                                              */
    } about;
};

/* Build. Fails: E_LIMIT (does not fit the writer, or index >= 32). */
err nsm_request_build(struct wr *w, const struct nsm_request *q);
err nsm_response_build(struct wr *w, const struct nsm_response *a);
/* Parse all of p[0..n). Fails: E_FORMAT, E_LIMIT (n beyond the driver's limit).
 * The lengths NSM itself polices (user_data, nonce, public_key) are left to the caller. */
err nsm_request_parse(struct nsm_request *q, const void *p, size_t n);
err nsm_response_parse(struct nsm_response *a, const void *p, size_t n);
/* "ReadOnlyIndex" and so on, as NSM spells it. */
const char *nsm_error_text(enum nsm_error e);

#endif
