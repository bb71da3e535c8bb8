/* eif.c - an image's sections and its measurement. The signature section is eif_sign.c's. */
#include "keystore/eif.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"

enum { PIECE = 1 << 18, VERSION_LEAST = 2, VERSION_MOST = 4, CRC_AT = EIF_HEADER - 4 };
static const uint8_t magic[4] = ".eif";

const char *eif_type_text(enum eif_type t)
{
    static const char *const text[EIF_TYPES] = { "invalid", "kernel", "cmdline", "ramdisk", "signature", "metadata" };
    return t > 0 && t < EIF_TYPES ? text[t] : text[0];
}

/* ---- where things are ---- */

struct table { uint64_t offset[EIF_SECTIONS_MAX], size[EIF_SECTIONS_MAX]; };

static err read_header(struct eif *out, struct table *t, struct blk *image)
{
    uint8_t bytes[EIF_HEADER];
    if (image->size(image) < EIF_HEADER) FAIL(E_FORMAT, "an enclave image has at least %d bytes", EIF_HEADER);
    TRY(image->read_at(image, bytes, sizeof bytes, 0));
    struct rd r = rd_of(bytes, sizeof bytes);
    const uint8_t *first = rd_bytes(&r, sizeof magic);
    if (!first || memcmp(first, magic, sizeof magic) != 0) FAIL(E_FORMAT, "not an enclave image: it does not begin with .eif");
    out->version = rd_u16be(&r);
    out->flags = rd_u16be(&r);
    out->default_mem = rd_u64be(&r);
    out->default_cpus = rd_u64be(&r);
    (void)rd_u16be(&r);
    out->count = rd_u16be(&r);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) t->offset[i] = rd_u64be(&r);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++) t->size[i] = rd_u64be(&r);
    (void)rd_u32be(&r);
    out->crc = rd_u32be(&r);
    TRY(rd_end(&r, "EIF header"));
    if (out->version < VERSION_LEAST || out->version > VERSION_MOST) FAIL(E_FORMAT, "enclave image of version %u: 2 to 4 are known", out->version);
    if (out->count == 0 || out->count > EIF_SECTIONS_MAX) FAIL(E_FORMAT, "an enclave image of %zu sections", out->count);
    return OK;
}

static err check_size(const struct eif_section *s)
{
    const uint64_t most = s->type == EIF_SIGNATURE ? EIF_SIGNATURE_MAX : s->type == EIF_METADATA ? EIF_METADATA_MAX
                        : s->type == EIF_CMDLINE ? EIF_CMDLINE_MAX : UINT64_MAX;
    if (s->size > most) FAIL(E_LIMIT, "a %s section of %llu bytes", eif_type_text(s->type), (unsigned long long)s->size);
    return OK;
}

/* The section that begins at *at, which moves behind it. */
static err read_section(struct eif_section *s, uint64_t *at, struct blk *image)
{
    uint8_t bytes[EIF_SECTION_HEADER];
    const uint64_t end = image->size(image);
    if (*at > end || end - *at < sizeof bytes) FAIL(E_FORMAT, "the image ends inside a section's header");
    TRY(image->read_at(image, bytes, sizeof bytes, *at));
    struct rd r = rd_of(bytes, sizeof bytes);
    const uint16_t type = rd_u16be(&r);
    s->flags = rd_u16be(&r);
    s->size = rd_u64be(&r);
    s->offset = *at;
    TRY(rd_end(&r, "EIF section header"));
    if (type < EIF_KERNEL || type >= EIF_TYPES) FAIL(E_FORMAT, "a section of the unknown type %u", type);
    s->type = (enum eif_type)type;
    if (s->size > end - *at - sizeof bytes) FAIL(E_FORMAT, "the image ends inside a %s section", eif_type_text(s->type));
    *at += sizeof bytes + s->size;
    return check_size(s);
}

/* A second kernel would be measured by one reader and ignored by the next. */
static err check_set(const struct eif *e)
{
    size_t seen[EIF_TYPES] = { 0 };
    for (size_t i = 0; i < e->count; i++) {
        const enum eif_type t = e->section[i].type;
        if (t == EIF_RAMDISK && !seen[EIF_KERNEL]) FAIL(E_FORMAT, "a ramdisk stands before the kernel");
        if (t != EIF_RAMDISK && seen[t]) FAIL(E_FORMAT, "more than one %s section", eif_type_text(t));
        seen[t]++;
    }
    if (!seen[EIF_KERNEL] || !seen[EIF_CMDLINE] || !seen[EIF_RAMDISK])
        FAIL(E_FORMAT, "an enclave image needs a kernel, a command line and a ramdisk");
    return OK;
}

err eif_read(struct eif *out, struct blk *image)
{
    struct eif e = { .count = 0 };
    struct table t;
    uint64_t at = EIF_HEADER;
    TRY(read_header(&e, &t, image));
    for (size_t i = 0; i < e.count; i++) {
        TRY(read_section(&e.section[i], &at, image));
        if (t.offset[i] != e.section[i].offset || t.size[i] != e.section[i].size)
            FAIL(E_FORMAT, "section %zu is not where the header's table says", i);
    }
    if (at != image->size(image)) FAIL(E_FORMAT, "%llu bytes stand behind the last section", (unsigned long long)(image->size(image) - at));
    TRY(check_set(&e));
    *out = e;
    return OK;
}

/* ---- measuring ---- */

struct eif_meter {
    struct sha384_run *image, *boot, *rest;
    unsigned           ramdisks;
    enum eif_type      part;
};

void eif_meter_drop(struct eif_meter **m)
{
    if (!*m) return;
    sha384_drop(&(*m)->image);
    sha384_drop(&(*m)->boot);
    sha384_drop(&(*m)->rest);
    free(*m);
    *m = NULL;
}

err eif_meter_new(struct eif_meter **out)
{
    EIF_METER m = calloc(1, sizeof *m);
    if (!m) FAIL(E_MEMORY, "no memory to measure an image");
    TRY(sha384_begin(&m->image));
    TRY(sha384_begin(&m->boot));
    TRY(sha384_begin(&m->rest));
    *out = m;
    m = NULL;
    return OK;
}

void eif_meter_part(struct eif_meter *m, enum eif_type type)
{
    m->part = type;
    if (type == EIF_RAMDISK) m->ramdisks++;
}

void eif_meter_add(struct eif_meter *m, const void *p, size_t n)
{
    if (m->part != EIF_KERNEL && m->part != EIF_CMDLINE && m->part != EIF_RAMDISK) return;
    sha384_add(m->image, p, n);
    sha384_add(m->part == EIF_RAMDISK && m->ramdisks > 1 ? m->rest : m->boot, p, n);
}

/* A PCR that was zero and is extended once. */
static void extend_zero(uint8_t out[static EIF_PCR], const uint8_t digest[static EIF_PCR])
{
    uint8_t both[2 * EIF_PCR] = { 0 };
    memcpy(both + EIF_PCR, digest, EIF_PCR);
    sha384(out, both, sizeof both);
}

static void end_one(struct sha384_run **run, uint8_t out[static EIF_PCR])
{
    uint8_t digest[EIF_PCR];
    sha384_end(run, digest);
    extend_zero(out, digest);
}

void eif_meter_end(struct eif_meter **m, struct eif_pcrs *out)
{
    end_one(&(*m)->image, out->pcr0);
    end_one(&(*m)->boot, out->pcr1);
    end_one(&(*m)->rest, out->pcr2);
    eif_meter_drop(m);
}

void eif_pcr8(uint8_t out[static EIF_PCR], const void *der, size_t n)
{
    uint8_t digest[EIF_PCR];
    sha384(digest, der, n);
    extend_zero(out, digest);
}

/* CRC-32/ISO-HDLC, a byte at a time: the reflected polynomial 0xedb88320. */
struct crc { uint32_t table[256], now; };

static void crc_begin(struct crc *c)
{
    c->now = UINT32_MAX;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t v = i;
        for (int bit = 0; bit < 8; bit++) v = v & 1 ? v >> 1 ^ 0xedb88320u : v >> 1;
        c->table[i] = v;
    }
}

static void crc_add(struct crc *c, const uint8_t *p, size_t n)
{
    uint32_t now = c->now;
    for (size_t i = 0; i < n; i++) now = c->table[(now ^ p[i]) & 0xff] ^ now >> 8;
    c->now = now;
}

static err measure_signature(struct eif_pcrs *out, const uint8_t *p, size_t n)
{
    BYTES room = NULL;
    TRY(mem_new(&room, sizeof(struct eif_signature)));
    struct eif_signature *s = (struct eif_signature *)(void *)room;
    TRY(eif_signature_parse(s, p, n));
    eif_pcr8(out->pcr8, s->certificate, s->certificate_len);
    out->has_pcr8 = true;
    return OK;
}

static err measure_section(struct eif_pcrs *out, struct eif_meter *m, struct crc *c, uint8_t *piece,
                           const struct eif_section *s, struct blk *image)
{
    TRY(image->read_at(image, piece, EIF_SECTION_HEADER, s->offset));
    crc_add(c, piece, EIF_SECTION_HEADER);
    eif_meter_part(m, s->type);
    for (uint64_t done = 0; done < s->size;) {
        const size_t n = s->size - done < PIECE ? (size_t)(s->size - done) : PIECE;
        TRY(image->read_at(image, piece, n, s->offset + EIF_SECTION_HEADER + done));
        crc_add(c, piece, n);
        eif_meter_add(m, piece, n);
        done += n;
    }
    _Static_assert((int)EIF_SIGNATURE_MAX <= (int)PIECE, "a signature section is one piece");
    if (s->type == EIF_SIGNATURE) TRY(measure_signature(out, piece, (size_t)s->size));
    return OK;
}

err eif_measure(struct eif_pcrs *out, const struct eif *e, struct blk *image)
{
    EIF_METER m = NULL;
    BYTES piece = NULL;
    struct crc c;
    struct eif_pcrs got = { .crc = 0 };
    TRY(eif_meter_new(&m));
    TRY(mem_new(&piece, PIECE));
    crc_begin(&c);
    TRY(image->read_at(image, piece, EIF_HEADER, 0));
    crc_add(&c, piece, CRC_AT);
    for (size_t i = 0; i < e->count; i++) TRY(measure_section(&got, m, &c, piece, &e->section[i], image));
    eif_meter_end(&m, &got);
    got.crc = ~c.now;
    *out = got;
    return OK;
}
