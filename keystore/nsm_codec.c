/* nsm_codec.c - requests and responses of the Nitro Security Module in CBOR. */
#include "keystore/nsm_codec.h"
#include <string.h>
#include "keystore/cbor.h"

/* Variants by enum nsm_op; those without fields are bare texts. */
static const char *const op_names[NSM_OPS] = {
    [NSM_DESCRIBE_PCR] = "DescribePCR", [NSM_EXTEND_PCR] = "ExtendPCR",   [NSM_LOCK_PCR] = "LockPCR",
    [NSM_LOCK_PCRS] = "LockPCRs",       [NSM_DESCRIBE] = "DescribeNSM",   [NSM_ATTESTATION] = "Attestation",
    [NSM_GET_RANDOM] = "GetRandom",
};
static const char *const error_names[NSM_ERRORS] = {
    [NSM_INVALID_ARGUMENT] = "InvalidArgument",   [NSM_INVALID_INDEX] = "InvalidIndex",
    [NSM_INVALID_RESPONSE] = "InvalidResponse",   [NSM_READ_ONLY_INDEX] = "ReadOnlyIndex",
    [NSM_INVALID_OPERATION] = "InvalidOperation", [NSM_BUFFER_TOO_SMALL] = "BufferTooSmall",
    [NSM_INPUT_TOO_LARGE] = "InputTooLarge",      [NSM_INTERNAL_ERROR] = "InternalError",
};

const char *nsm_error_text(enum nsm_error e)
{
    return (unsigned)e < NSM_ERRORS ? error_names[e] : "?";
}

/* ---- requests ---------------------------------------------------------- */

err nsm_request_build(struct wr *w, const struct nsm_request *q)
{
    MUST((unsigned)q->op < NSM_OPS);
    if (q->op <= NSM_LOCK_PCR && q->index >= NSM_PCRS) FAIL(E_LIMIT, "PCR index %u", q->index);
    if (q->op == NSM_LOCK_PCRS && q->index > NSM_PCRS) FAIL(E_LIMIT, "PCR range %u", q->index);
    bool bare = q->op == NSM_DESCRIBE || q->op == NSM_GET_RANDOM;
    if (!bare) cb_put_map(w, 1);
    cb_put_text(w, op_names[q->op]);
    switch (q->op) {
    case NSM_DESCRIBE_PCR:
    case NSM_LOCK_PCR:
    case NSM_LOCK_PCRS:
        cb_put_map(w, 1);
        cb_put_text(w, q->op == NSM_LOCK_PCRS ? "range" : "index");
        cb_put_uint(w, q->index);
        break;
    case NSM_EXTEND_PCR:
        cb_put_map(w, 2);
        cb_put_text(w, "index");
        cb_put_uint(w, q->index);
        cb_put_text(w, "data");
        cb_put_bytes(w, q->data);
        break;
    case NSM_ATTESTATION:
        cb_put_map(w, 3);
        cb_put_text(w, "user_data");
        cb_put_bytes_or_null(w, q->user_data);
        cb_put_text(w, "nonce");
        cb_put_bytes_or_null(w, q->nonce);
        cb_put_text(w, "public_key");
        cb_put_bytes_or_null(w, q->public_key);
        break;
    default: break;
    }
    return wr_end(w, "NSM request");
}

/* The head of a message: a bare text, or a map of one entry whose value follows.
 * An indefinite outer map is closed by close_outer(). */
struct outer { struct bytes name; bool bare, indefinite; };

static err open_outer(struct outer *o, struct rd *r, const char *what)
{
    struct cb_item i;
    TRY(cb_next(&i, r));
    o->bare = i.kind == CB_TEXT;
    o->indefinite = i.indefinite;
    o->name = i.text;
    if (o->bare) return OK;
    if (i.kind != CB_MAP || (!i.indefinite && i.value != 1)) FAIL(E_FORMAT, "%s: neither a text nor a map of one", what);
    return cb_text(&o->name, r, what);
}

static err close_outer(const struct outer *o, struct rd *r, const char *what)
{
    struct cb_item i;
    if (!o->bare && o->indefinite) TRY(cb_want(&i, r, CB_BREAK, what));
    return rd_end(r, what);
}

static unsigned op_of(struct bytes name)
{
    unsigned op = 0;
    while (op < NSM_OPS && !cb_is(name, op_names[op])) op++;
    return op;
}

enum { F_INDEX, F_RANGE, F_DATA, F_USER_DATA, F_NONCE, F_PUBLIC_KEY, F_FIELDS };
static const char *const request_fields[F_FIELDS] = { "index", "range", "data", "user_data", "nonce", "public_key" };
/* Which fields a request has, and which of them it must have (optional ones may also be null). */
static const struct { unsigned has, must; } request_shape[NSM_OPS] = {
    [NSM_DESCRIBE_PCR] = { 1u << F_INDEX, 1u << F_INDEX },
    [NSM_EXTEND_PCR]   = { 1u << F_INDEX | 1u << F_DATA, 1u << F_INDEX | 1u << F_DATA },
    [NSM_LOCK_PCR]     = { 1u << F_INDEX, 1u << F_INDEX },
    [NSM_LOCK_PCRS]    = { 1u << F_RANGE, 1u << F_RANGE },
    [NSM_ATTESTATION]  = { 1u << F_USER_DATA | 1u << F_NONCE | 1u << F_PUBLIC_KEY, 0 },
};

static err request_field(struct nsm_request *q, struct rd *r, size_t field)
{
    uint64_t v;
    switch (field) {
    case F_INDEX:
    case F_RANGE:
        TRY(cb_uint(&v, r, UINT16_MAX, request_fields[field]));
        q->index = (uint16_t)v;
        return OK;
    case F_DATA: return cb_bytes(&q->data, r, "data");
    case F_USER_DATA: return cb_bytes_or_null(&q->user_data, r, "user_data");
    case F_NONCE: return cb_bytes_or_null(&q->nonce, r, "nonce");
    case F_PUBLIC_KEY: return cb_bytes_or_null(&q->public_key, r, "public_key");
    default: return cb_skip(r);
    }
}

static err request_fields_parse(struct nsm_request *q, struct rd *r)
{
    struct cb_map map;
    struct cb_item key;
    bool more;
    unsigned seen = 0;
    TRY(cb_map_enter(&map, r, "NSM request"));
    for (;;) {
        TRY(cb_map_key(&key, &more, &map, r));
        if (!more) break;
        size_t field = cb_key_index(&key, request_fields, F_FIELDS);
        if (field < F_FIELDS && !(request_shape[q->op].has & 1u << field)) field = F_FIELDS;
        if (field < F_FIELDS) seen |= 1u << field;
        TRY(request_field(q, r, field));
    }
    if ((seen & request_shape[q->op].must) != request_shape[q->op].must) FAIL(E_FORMAT, "NSM request: a field is missing");
    return OK;
}

err nsm_request_parse(struct nsm_request *out, const void *p, size_t n)
{
    if (n > NSM_REQUEST_MAX) FAIL(E_LIMIT, "NSM request of %zu bytes", n);
    struct rd r = rd_of(p, n);
    struct nsm_request q = { .index = 0 };
    struct outer o;
    TRY(open_outer(&o, &r, "NSM request"));
    unsigned op = op_of(o.name);
    if (op == NSM_OPS) FAIL(E_FORMAT, "NSM request: unknown operation");
    q.op = (enum nsm_op)op;
    if (o.bare != (q.op == NSM_DESCRIBE || q.op == NSM_GET_RANDOM))
        FAIL(E_FORMAT, "NSM request: %s in the wrong form", op_names[op]);
    if (!o.bare) TRY(request_fields_parse(&q, &r));
    TRY(close_outer(&o, &r, "NSM request"));
    *out = q;
    return OK;
}

/* ---- responses --------------------------------------------------------- */

static void put_about(struct wr *w, const struct nsm_response *a)
{
    cb_put_map(w, 7);
    cb_put_text(w, "version_major");
    cb_put_uint(w, a->about.major);
    cb_put_text(w, "version_minor");
    cb_put_uint(w, a->about.minor);
    cb_put_text(w, "version_patch");
    cb_put_uint(w, a->about.patch);
    cb_put_text(w, "module_id");
    cb_put_text_n(w, a->about.module_id);
    cb_put_text(w, "max_pcrs");
    cb_put_uint(w, a->about.max_pcrs);
    cb_put_text(w, "locked_pcrs");
    cb_put_array(w, (size_t)__builtin_popcount(a->about.locked));
    for (unsigned i = 0; i < NSM_PCRS; i++)
        if (a->about.locked & 1u << i) cb_put_uint(w, i);
    cb_put_text(w, "digest");
    cb_put_text_n(w, a->about.digest);
}

static void put_data(struct wr *w, const char *name, struct bytes data)
{
    cb_put_map(w, 1);
    cb_put_text(w, name);
    cb_put_bytes(w, data);
}

err nsm_response_build(struct wr *w, const struct nsm_response *a)
{
    MUST((unsigned)a->op <= NSM_REFUSED);
    bool bare = a->op == NSM_LOCK_PCR || a->op == NSM_LOCK_PCRS;
    if (!bare) cb_put_map(w, 1);
    cb_put_text(w, a->op == NSM_REFUSED ? "Error" : op_names[a->op]);
    switch (a->op) {
    case NSM_REFUSED: cb_put_text(w, nsm_error_text(a->error)); break;
    case NSM_DESCRIBE_PCR:
        cb_put_map(w, 2);
        cb_put_text(w, "lock");
        cb_put_bool(w, a->lock);
        cb_put_text(w, "data");
        cb_put_bytes(w, a->data);
        break;
    case NSM_EXTEND_PCR: put_data(w, "data", a->data); break;
    case NSM_ATTESTATION: put_data(w, "document", a->data); break;
    case NSM_GET_RANDOM: put_data(w, "random", a->data); break;
    case NSM_DESCRIBE: put_about(w, a); break;
    default: break;
    }
    return wr_end(w, "NSM response");
}

enum {
    R_DATA, R_DOCUMENT, R_RANDOM, R_LOCK, R_MAJOR, R_MINOR, R_PATCH, R_MODULE_ID, R_MAX_PCRS, R_LOCKED, R_DIGEST, R_FIELDS
};
static const char *const response_fields[R_FIELDS] = {
    "data", "document", "random", "lock", "version_major", "version_minor", "version_patch",
    "module_id", "max_pcrs", "locked_pcrs", "digest",
};
static const unsigned response_shape[NSM_OPS] = {
    [NSM_DESCRIBE_PCR] = 1u << R_LOCK | 1u << R_DATA,
    [NSM_EXTEND_PCR]   = 1u << R_DATA,
    [NSM_ATTESTATION]  = 1u << R_DOCUMENT,
    [NSM_GET_RANDOM]   = 1u << R_RANDOM,
    [NSM_DESCRIBE]     = 1u << R_MAJOR | 1u << R_MINOR | 1u << R_PATCH | 1u << R_MODULE_ID | 1u << R_MAX_PCRS
                       | 1u << R_LOCKED | 1u << R_DIGEST,
};

static err parse_u16(uint16_t *out, struct rd *r, const char *what)
{
    uint64_t v;
    TRY(cb_uint(&v, r, UINT16_MAX, what));
    *out = (uint16_t)v;
    return OK;
}

static err parse_locked(uint32_t *out, struct rd *r)
{
    struct cb_walk walk;
    bool more;
    *out = 0;
    TRY(cb_enter(&walk, r, CB_ARRAY, "locked_pcrs"));
    for (;;) {
        uint64_t i;
        TRY(cb_more(&more, &walk, r));
        if (!more) return OK;
        TRY(cb_uint(&i, r, NSM_PCRS - 1, "locked_pcrs"));
        *out |= 1u << i;
    }
}

static err response_field(struct nsm_response *a, struct rd *r, size_t field)
{
    switch (field) {
    case R_DATA:
    case R_DOCUMENT:
    case R_RANDOM: return cb_bytes(&a->data, r, response_fields[field]);
    case R_LOCK: return cb_bool(&a->lock, r, "lock");
    case R_MAJOR: return parse_u16(&a->about.major, r, "version_major");
    case R_MINOR: return parse_u16(&a->about.minor, r, "version_minor");
    case R_PATCH: return parse_u16(&a->about.patch, r, "version_patch");
    case R_MODULE_ID: return cb_text(&a->about.module_id, r, "module_id");
    case R_MAX_PCRS: return parse_u16(&a->about.max_pcrs, r, "max_pcrs");
    case R_LOCKED: return parse_locked(&a->about.locked, r);
    case R_DIGEST: return cb_text(&a->about.digest, r, "digest");
    default: return cb_skip(r);
    }
}

static err response_fields_parse(struct nsm_response *a, struct rd *r)
{
    struct cb_map map;
    struct cb_item key;
    bool more;
    unsigned seen = 0;
    TRY(cb_map_enter(&map, r, "NSM response"));
    for (;;) {
        TRY(cb_map_key(&key, &more, &map, r));
        if (!more) break;
        size_t field = cb_key_index(&key, response_fields, R_FIELDS);
        if (field < R_FIELDS && !(response_shape[a->op] & 1u << field)) field = R_FIELDS;
        if (field < R_FIELDS) seen |= 1u << field;
        TRY(response_field(a, r, field));
    }
    if (seen != response_shape[a->op]) FAIL(E_FORMAT, "NSM response: a field is missing");
    return OK;
}

/* An error word we do not know is still a refusal. */
static err parse_refusal(struct nsm_response *a, struct rd *r)
{
    struct bytes word;
    TRY(cb_text(&word, r, "NSM error"));
    unsigned e = 0;
    while (e < NSM_ERRORS && !cb_is(word, error_names[e])) e++;
    a->op = NSM_REFUSED;
    a->error = e < NSM_ERRORS ? (enum nsm_error)e : NSM_INTERNAL_ERROR;
    return OK;
}

err nsm_response_parse(struct nsm_response *out, const void *p, size_t n)
{
    if (n > NSM_RESPONSE_MAX) FAIL(E_LIMIT, "NSM response of %zu bytes", n);
    struct rd r = rd_of(p, n);
    struct nsm_response a = { .lock = false };
    struct outer o;
    TRY(open_outer(&o, &r, "NSM response"));
    unsigned op = op_of(o.name);
    if (!o.bare && cb_is(o.name, "Error")) {
        TRY(parse_refusal(&a, &r));
    } else {
        if (op == NSM_OPS) FAIL(E_FORMAT, "NSM response: unknown kind");
        a.op = (enum nsm_op)op;
        if (o.bare != (a.op == NSM_LOCK_PCR || a.op == NSM_LOCK_PCRS))
            FAIL(E_FORMAT, "NSM response: %s in the wrong form", op_names[op]);
        if (!o.bare) TRY(response_fields_parse(&a, &r));
    }
    TRY(close_outer(&o, &r, "NSM response"));
    *out = a;
    return OK;
}
