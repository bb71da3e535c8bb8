/* keystore_envelope.c - a writer of BER from the inside out. */
#include "tests/keystore_envelope.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A growing string of bytes. */
struct part { uint8_t *p; size_t n; };

static struct part raw(const void *p, size_t n)
{
    struct part r = { malloc(n + 1), n };
    if (n) memcpy(r.p, p, n);
    return r;
}

static struct part both(struct part a, struct part b)
{
    a.p = realloc(a.p, a.n + b.n + 1);
    memcpy(a.p + a.n, b.p, b.n);
    a.n += b.n;
    free(b.p);
    return a;
}

static struct part none(void)
{
    return raw(NULL, 0);
}

/* One element; open: indefinite length. */
static struct part element(uint8_t tag, struct part content, bool open)
{
    uint8_t head[4] = { tag, 0x80 };
    size_t n = 2;
    if (!open && content.n < 128) head[1] = (uint8_t)content.n;
    if (!open && content.n >= 128) {
        head[1] = 0x82;
        head[2] = (uint8_t)(content.n >> 8);
        head[3] = (uint8_t)content.n;
        n = 4;
    }
    struct part r = both(raw(head, n), content);
    return open ? both(r, raw("\0\0", 2)) : r;
}

static struct part oid(const struct making *m, const char *name, const char *bytes, size_t n)
{
    struct part o = raw(bytes, n);
    if (m->swap_oid && strcmp(m->swap_oid, name) == 0) o.p[n - 1] ^= 1;
    return element(0x06, o, false);
}
#define OID(m, name, bytes) oid((m), (name), (bytes), sizeof(bytes) - 1)

static struct part hash(const struct making *m, const char *name)
{
    struct part alg = OID(m, name, "\x60\x86\x48\x01\x65\x03\x04\x02\x01");
    if (!m->no_null) alg = both(alg, element(0x05, m->full_null ? raw("", 1) : none(), false));
    return element(0x30, alg, false);
}

static struct part oaep(const struct making *m)
{
    struct part params = none();
    if (!m->no_hash) params = both(params, element(0xa0, hash(m, "hash"), false));
    if (!m->no_mgf) {
        struct part mgf = both(OID(m, "mgf1", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"), hash(m, "mgf-hash"));
        params = both(params, element(0xa1, element(0x30, mgf, false), false));
    }
    if (m->label || m->long_label) {
        struct part label = element(0x04, m->long_label ? raw("L", 1) : none(), false);
        params = both(params, element(0xa2, element(0x30, both(OID(m, "label", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x09"), label), false), false));
    }
    return element(0x30, both(OID(m, "oaep", "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07"), element(0x30, params, false)), false);
}

static struct part recipient(const struct making *m)
{
    struct part r = element(0x02, raw(&m->recipient_version, 1), false);
    r = both(r, element(m->by_issuer ? 0x30 : 0x80, raw(m->id, m->id_len), false));
    r = both(r, oaep(m));
    return element(0x30, both(r, element(0x04, raw(m->key, m->key_len), false)), false);
}

static struct part content(const struct making *m)
{
    if (m->pieces == 0) return element(0x80, raw(m->content, m->content_len), false);
    struct part r = none();
    size_t each = m->content_len / (size_t)m->pieces;
    for (int i = 0; i < m->pieces; i++) {
        size_t n = i + 1 < m->pieces ? each : m->content_len - each * (size_t)(m->pieces - 1);
        r = both(r, element(0x04, raw(m->content + each * (size_t)i, n), false));
    }
    if (m->nested) r = element(0x24, r, m->indefinite);
    return element(0xa0, r, m->indefinite);
}

uint8_t *make_envelope(size_t *n, const struct making *m)
{
    struct part alg = both(OID(m, "aes", "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), element(0x04, raw(m->iv, m->iv_len), false));
    struct part info = both(OID(m, "data", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"), element(0x30, alg, false));
    info = element(0x30, both(info, content(m)), m->indefinite);
    struct part set = none();
    for (int i = 0; i < m->recipients; i++) set = both(set, recipient(m));
    struct part enveloped = element(0x02, raw(&m->version, 1), false);
    if (m->originator) enveloped = both(enveloped, element(0xa0, none(), false));
    enveloped = both(enveloped, both(element(0x31, set, false), info));
    if (m->attributes) enveloped = both(enveloped, element(0xa1, element(0x30, none(), false), false));
    enveloped = element(0xa0, element(0x30, enveloped, m->indefinite), m->indefinite);
    struct part all = element(0x30, both(OID(m, "enveloped", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"), enveloped), m->indefinite);
    if (m->trailing) all = both(all, raw("", 1));
    *n = all.n;
    return all.p;
}
