/* head.c - the one record that moves. */
#include <stdio.h>
#include <string.h>

#include "diskcrypt/manifest.h"

static const char head_magic[8] = { 'h', 'f', '-', 'h', 'e', 'a', 'd', '\n' };

static bool hex_digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
            return false;
    return true;
}

/* A name has one form only, so a head cannot point outside what a seal makes. */
static bool manifest_name_fits(const char *name, uint64_t generation)
{
    char want[OBJECT_NAME];
    int n = snprintf(want, sizeof want, "g%016llx-", (unsigned long long)generation);
    return n == 18 && strlen(name) == 18 + 8 + 9 && memcmp(name, want, 18) == 0 &&
           hex_digits(name + 18, 8) && memcmp(name + 26, ".manifest", 9) == 0;
}

static bool record_name_fits(const char *name)
{
    return strlen(name) == 7 + 16 && memcmp(name, "record-", 7) == 0 && hex_digits(name + 7, 16);
}

static bool log_name_fits(const char *name)
{
    return strlen(name) == 37 && memcmp(name, "log-", 4) == 0 && hex_digits(name + 4, 16) && name[20] == '-' && hex_digits(name + 21, 16);
}

static err head_check(const struct head *h)
{
    if (h->log[0] ? !log_name_fits(h->log) : !chunk_is_zero(h->log_sha256, 32))
        FAIL(E_FORMAT, "a head of generation %llu names a wrong log segment", (unsigned long long)h->generation);
    if (h->generation == 0) {
        if (h->manifest[0] || h->record[0] || h->log[0] || !chunk_is_zero(h->manifest_sha256, 32) || !chunk_is_zero(h->record_sha256, 32))
            FAIL(E_FORMAT, "a head of generation 0 that names objects");
        return OK;
    }
    if (!manifest_name_fits(h->manifest, h->generation))
        FAIL(E_FORMAT, "a head of generation %llu names a wrong manifest", (unsigned long long)h->generation);
    if (!record_name_fits(h->record))
        FAIL(E_FORMAT, "a head of generation %llu names a wrong record", (unsigned long long)h->generation);
    return OK;
}

err head_build(uint8_t out[static LINK_HEAD_MAX], size_t *len, const struct head *h)
{
    *len = 0;
    TRY(head_check(h));
    struct wr w = wr_of(out, LINK_HEAD_MAX);
    wr_bytes(&w, head_magic, sizeof head_magic);
    wr_u32(&w, HEAD_VERSION);
    wr_bytes(&w, h->service, sizeof h->service);
    wr_u32(&w, h->epoch);
    wr_u64(&w, h->generation);
    wr_var(&w, h->manifest, strlen(h->manifest));
    wr_bytes(&w, h->manifest_sha256, sizeof h->manifest_sha256);
    wr_var(&w, h->record, strlen(h->record));
    wr_bytes(&w, h->record_sha256, sizeof h->record_sha256);
    wr_var(&w, h->log, strlen(h->log));
    wr_bytes(&w, h->log_sha256, sizeof h->log_sha256);
    TRY(wr_end(&w, "a head"));
    *len = w.len;
    return OK;
}

/* A name as text; a NUL inside would hide what follows it. */
static void name_from(struct rd *r, char out[static LINK_NAME_MAX + 1])
{
    size_t n = 0;
    const uint8_t *p = rd_var(r, LINK_NAME_MAX, &n);
    if (p && n > 0 && memchr(p, 0, n))
        r->bad = true;
    else if (p && n > 0)
        memcpy(out, p, n);
}

err head_parse(struct head *out, const void *p, size_t n)
{
    *out = (struct head){ 0 };
    struct head h = { 0 };
    struct rd r = rd_of(p, n);
    const uint8_t *magic = rd_bytes(&r, sizeof head_magic);
    if (!magic || memcmp(magic, head_magic, sizeof head_magic) != 0)
        FAIL(E_FORMAT, "not a head");
    uint32_t version = rd_u32(&r);
    if (version != HEAD_VERSION)
        FAIL(E_FORMAT, "a head of format %u: this program knows format %d", version, HEAD_VERSION);
    rd_copy(&r, h.service, sizeof h.service);
    h.epoch = rd_u32(&r);
    h.generation = rd_u64(&r);
    name_from(&r, h.manifest);
    rd_copy(&r, h.manifest_sha256, sizeof h.manifest_sha256);
    name_from(&r, h.record);
    rd_copy(&r, h.record_sha256, sizeof h.record_sha256);
    name_from(&r, h.log);
    rd_copy(&r, h.log_sha256, sizeof h.log_sha256);
    TRY(rd_end(&r, "a head"));
    TRY(head_check(&h));
    *out = h;
    return OK;
}
