/* attest.c - the attestation document's form: parse it, build it. */
#include "keystore/attest.h"
#include <string.h>
#include "core/buf.h"
#include "core/mem.h"
#include "keystore/cbor.h"

enum {
    F_MODULE_ID, F_DIGEST, F_TIMESTAMP, F_PCRS, F_CERTIFICATE, F_CABUNDLE, F_PUBLIC_KEY, F_USER_DATA, F_NONCE, FIELDS,
    MANDATORY = (1u << F_PUBLIC_KEY) - 1,
    PUBLIC_KEY_MAX = 1024, USER_DATA_MAX = 512, NONCE_MAX = 512
};
static const char *const field_names[FIELDS] = {
    "module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle", "public_key", "user_data", "nonce",
};
/* The last millisecond of the year 9999: keeps every later sum in range. */
static const uint64_t timestamp_max = 253402300799999;

static err parse_module_id(struct bytes *out, struct rd *r)
{
    TRY(cb_text(out, r, "module_id"));
    const uint8_t *p = out->p;
    if (out->n == 0) FAIL(E_FORMAT, "attestation: empty module_id");
    for (size_t i = 0; i < out->n; i++)
        if (p[i] < 0x21 || p[i] > 0x7e) FAIL(E_FORMAT, "attestation: module_id is not printable");
    return OK;
}

static err parse_digest(struct rd *r)
{
    struct bytes digest;
    TRY(cb_text(&digest, r, "digest"));
    if (!cb_is(digest, "SHA384")) FAIL(E_FORMAT, "attestation: the digest is not SHA384");
    return OK;
}

static err parse_timestamp(uint64_t *out, struct rd *r)
{
    TRY(cb_uint(out, r, timestamp_max, "timestamp"));
    if (*out == 0) FAIL(E_FORMAT, "attestation: timestamp 0");
    return OK;
}

/* AWS's rule allows values of 32, 48 or 64 bytes for three digests, but the digest is
 * always SHA384 and has 48. cb_map refuses an index that comes twice. */
static err parse_pcrs(struct attest_doc *d, struct rd *r)
{
    struct cb_map map;
    TRY(cb_map_enter(&map, r, "pcrs"));
    for (;;) {
        struct cb_item key;
        struct bytes value;
        bool more;
        TRY(cb_map_key(&key, &more, &map, r));
        if (!more) break;
        if (key.kind != CB_UINT || key.value >= ATTEST_PCRS) FAIL(E_FORMAT, "attestation: PCR index out of range");
        TRY(cb_bytes(&value, r, "PCR"));
        if (value.n != ATTEST_PCR) FAIL(E_FORMAT, "attestation: PCR%d has %zu bytes", (int)key.value, value.n);
        d->pcr[key.value] = value.p;
    }
    if (map.count == 0) FAIL(E_FORMAT, "attestation: no PCRs");
    return OK;
}

static err parse_certificate(struct bytes *out, struct rd *r)
{
    TRY(cb_bytes(out, r, "certificate"));
    if (out->n == 0 || out->n > ATTEST_CERT_MAX) FAIL(E_FORMAT, "attestation: certificate of %zu bytes", out->n);
    return OK;
}

static err parse_cabundle(struct attest_doc *d, struct rd *r)
{
    struct cb_walk walk;
    TRY(cb_enter(&walk, r, CB_ARRAY, "cabundle"));
    for (;;) {
        bool more;
        TRY(cb_more(&more, &walk, r));
        if (!more) break;
        if (d->cabundle_count == ATTEST_CHAIN_MAX) FAIL(E_LIMIT, "attestation: more than %d certificates", ATTEST_CHAIN_MAX);
        TRY(parse_certificate(&d->cabundle[d->cabundle_count++], r));
    }
    if (d->cabundle_count == 0) FAIL(E_FORMAT, "attestation: empty cabundle");
    return OK;
}

/* Null and empty both occur in genuine documents, whatever AWS's grammar says. */
static err parse_optional(struct bytes *out, struct rd *r, size_t max, const char *what)
{
    TRY(cb_bytes_or_null(out, r, what));
    if (out->n > max) FAIL(E_FORMAT, "attestation: %s of %zu bytes", what, out->n);
    return OK;
}

static err parse_field(struct attest_doc *d, struct rd *r, size_t field)
{
    switch (field) {
    case F_MODULE_ID: return parse_module_id(&d->module_id, r);
    case F_DIGEST: return parse_digest(r);
    case F_TIMESTAMP: return parse_timestamp(&d->timestamp_ms, r);
    case F_PCRS: return parse_pcrs(d, r);
    case F_CERTIFICATE: return parse_certificate(&d->certificate, r);
    case F_CABUNDLE: return parse_cabundle(d, r);
    case F_PUBLIC_KEY: return parse_optional(&d->public_key, r, PUBLIC_KEY_MAX, "public_key");
    case F_USER_DATA: return parse_optional(&d->user_data, r, USER_DATA_MAX, "user_data");
    case F_NONCE: return parse_optional(&d->nonce, r, NONCE_MAX, "nonce");
    default: return cb_skip(r);       /* a field AWS may add one day: it is signed, and not ours to judge */
    }
}

err attest_parse(struct attest_doc *out, const void *doc, size_t n)
{
    struct attest_doc d = { .timestamp_ms = 0 };
    TRY(cose_parse(&d.cose, doc, n));
    struct rd r = rd_of(d.cose.payload.p, d.cose.payload.n);
    struct cb_map map;
    unsigned seen = 0;
    TRY(cb_map_enter(&map, &r, "attestation document"));
    for (;;) {
        struct cb_item key;
        bool more;
        TRY(cb_map_key(&key, &more, &map, &r));
        if (!more) break;
        size_t field = cb_key_index(&key, field_names, FIELDS);
        if (field < FIELDS) seen |= 1u << field;
        TRY(parse_field(&d, &r, field));
    }
    TRY(rd_end(&r, "attestation document"));
    for (unsigned f = 0; f < FIELDS; f++)
        if ((MANDATORY & 1u << f) && !(seen & 1u << f)) FAIL(E_FORMAT, "attestation: no %s", field_names[f]);
    *out = d;
    return OK;
}

bool attest_is_debug(const struct attest_doc *d)
{
    uint8_t any = 0;
    for (size_t i = 0; d->pcr[0] && i < ATTEST_PCR; i++) any |= d->pcr[0][i];
    return any == 0;
}

static void put_pcrs(struct wr *w, const struct attest_doc *d)
{
    size_t count = 0;
    for (size_t i = 0; i < ATTEST_PCRS; i++) count += d->pcr[i] != NULL;
    cb_put_map(w, count);
    for (size_t i = 0; i < ATTEST_PCRS; i++) {
        if (!d->pcr[i]) continue;
        cb_put_uint(w, i);
        cb_put_bytes(w, (struct bytes){ d->pcr[i], ATTEST_PCR });
    }
}

static void put_field(struct wr *w, const struct attest_doc *d, unsigned field)
{
    cb_put_text(w, field_names[field]);
    switch (field) {
    case F_MODULE_ID: cb_put_text_n(w, d->module_id); break;
    case F_DIGEST: cb_put_text(w, "SHA384"); break;
    case F_TIMESTAMP: cb_put_uint(w, d->timestamp_ms); break;
    case F_PCRS: put_pcrs(w, d); break;
    case F_CERTIFICATE: cb_put_bytes(w, d->certificate); break;
    case F_CABUNDLE:
        cb_put_array(w, d->cabundle_count);
        for (size_t i = 0; i < d->cabundle_count; i++) cb_put_bytes(w, d->cabundle[i]);
        break;
    case F_PUBLIC_KEY: cb_put_bytes_or_null(w, d->public_key); break;
    case F_USER_DATA: cb_put_bytes_or_null(w, d->user_data); break;
    default: cb_put_bytes_or_null(w, d->nonce); break;
    }
}

err attest_make(uint8_t *out, size_t cap, size_t *len, const struct attest_doc *fields,
                bool indefinite, cose_signer sign, void *self)
{
    BYTES payload = NULL;
    TRY(mem_new(&payload, ATTEST_MAX));
    struct wr w = wr_of(payload, ATTEST_MAX);
    if (indefinite) cb_put_map_open(&w);
    else cb_put_map(&w, FIELDS);
    for (unsigned f = 0; f < FIELDS; f++) put_field(&w, fields, f);
    if (indefinite) cb_put_break(&w);
    TRY(wr_end(&w, "attestation document"));
    return cose_build(out, cap, len, (struct bytes){ payload, w.len }, sign, self);
}
