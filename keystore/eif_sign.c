/* eif_sign.c - the signature section: CBOR in which byte strings are arrays of numbers,
 * because that is what the builder's serialiser makes of them. */
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "keystore/cbor.h"
#include "keystore/eif.h"
#include "keystore/pem.h"

/* Bytes in either spelling: an array of numbers below 256, or a byte string. */
static err read_bytes(uint8_t *out, size_t cap, size_t *n, struct rd *r, const char *what)
{
    struct cb_walk walk;
    struct rd ahead = *r;
    struct cb_item item;
    *n = 0;
    TRY(cb_next(&item, &ahead));
    if (item.kind == CB_BYTES) {
        if (item.text.n > cap) FAIL(E_LIMIT, "EIF signature: %s of %zu bytes", what, item.text.n);
        *r = ahead;
        *n = item.text.n;
        if (*n) memcpy(out, item.text.p, *n);
        return OK;
    }
    TRY(cb_enter(&walk, r, CB_ARRAY, what));
    for (;;) {
        bool more;
        uint64_t v = 0;
        TRY(cb_more(&more, &walk, r));
        if (!more) return OK;
        TRY(cb_uint(&v, r, 255, what));
        if (*n == cap) FAIL(E_LIMIT, "EIF signature: %s is longer than %zu bytes", what, cap);
        out[(*n)++] = (uint8_t)v;
    }
}

/* {"register_index": 0, "register_value": 48 bytes}: what a signing key says. */
static err read_claim(struct eif_signature *out, struct bytes payload)
{
    static const char *const names[] = { "register_index", "register_value" };
    struct rd r = rd_of(payload.p, payload.n);
    struct cb_map map;
    uint64_t index = UINT64_MAX;
    size_t n = 0;
    TRY(cb_map_enter(&map, &r, "EIF signed PCR"));
    for (;;) {
        struct cb_item key;
        bool more;
        TRY(cb_map_key(&key, &more, &map, &r));
        if (!more) break;
        const size_t field = cb_key_index(&key, names, 2);
        if (field == 0) TRY(cb_uint(&index, &r, 31, "register_index"));
        else if (field == 1) TRY(read_bytes(out->pcr0, EIF_PCR, &n, &r, "register_value"));
        else TRY(cb_skip(&r));
    }
    TRY(rd_end(&r, "EIF signed PCR"));
    out->names_pcr0 = index == 0 && n == EIF_PCR;
    return OK;
}

/* COSE_Sign1 of whichever algorithm: only its payload is wanted here. */
static err read_cose(struct eif_signature *out, const uint8_t *p, size_t n)
{
    struct rd r = rd_of(p, n);
    struct rd ahead = r;
    struct cb_item item;
    struct cb_walk walk;
    struct bytes part = { NULL, 0 };
    bool more;
    TRY(cb_next(&item, &ahead));
    if (item.kind == CB_TAG) r = ahead;
    TRY(cb_enter(&walk, &r, CB_ARRAY, "EIF COSE_Sign1"));
    for (int i = 0; i < 4; i++) {
        TRY(cb_more(&more, &walk, &r));
        if (!more) FAIL(E_FORMAT, "EIF signature: not a COSE_Sign1");
        if (i == 1) TRY(cb_skip(&r));
        else TRY(cb_bytes(&part, &r, "EIF COSE_Sign1"));
        if (i == 2) TRY(read_claim(out, part));
    }
    TRY(cb_more(&more, &walk, &r));
    if (more) FAIL(E_FORMAT, "EIF signature: not a COSE_Sign1");
    return rd_end(&r, "EIF COSE_Sign1");
}

static err read_entry(struct eif_signature *out, uint8_t *room, struct rd *r)
{
    static const char *const names[] = { "signing_certificate", "signature" };
    struct cb_map map;
    unsigned seen = 0;
    size_t n = 0;
    TRY(cb_map_enter(&map, r, "EIF signature"));
    for (;;) {
        struct cb_item key;
        bool more;
        TRY(cb_map_key(&key, &more, &map, r));
        if (!more) break;
        const size_t field = cb_key_index(&key, names, 2);
        if (field == 2) {
            TRY(cb_skip(r));
            continue;
        }
        TRY(read_bytes(room, EIF_SIGNATURE_MAX, &n, r, names[field]));
        if (field == 0) TRY(pem_certificate(out->certificate, sizeof out->certificate, &out->certificate_len, room, n));
        else TRY(read_cose(out, room, n));
        seen |= 1u << field;
    }
    if (seen != 3) FAIL(E_FORMAT, "EIF signature: certificate or signature is missing");
    return OK;
}

err eif_signature_parse(struct eif_signature *out, const uint8_t *section, size_t n)
{
    BYTES room = NULL;
    struct rd r = rd_of(section, n);
    struct cb_walk walk;
    bool more;
    memset(out, 0, sizeof *out);
    if (n > EIF_SIGNATURE_MAX) FAIL(E_LIMIT, "a signature section of %zu bytes", n);
    TRY(mem_new(&room, EIF_SIGNATURE_MAX));
    TRY(cb_enter(&walk, &r, CB_ARRAY, "EIF signatures"));
    TRY(cb_more(&more, &walk, &r));
    if (!more) FAIL(E_FORMAT, "EIF signature: the section is empty");
    TRY(read_entry(out, room, &r));
    for (;;) {
        TRY(cb_more(&more, &walk, &r));
        if (!more) break;
        TRY(cb_skip(&r));
    }
    return rd_end(&r, "EIF signatures");
}
