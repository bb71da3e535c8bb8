#include "policy/entry.h"

#include <string.h>

static const char *const names[ENTRY_KINDS] = {
    [ENTRY_GENESIS] = "genesis", [ENTRY_BOOT] = "boot",   [ENTRY_SEAL] = "seal",         [ENTRY_POLICY] = "policy", [ENTRY_RELEASE] = "release",
    [ENTRY_VETO] = "veto",       [ENTRY_GRANT] = "grant", [ENTRY_ROLLBACK] = "rollback", [ENTRY_REKEY] = "rekey",   [ENTRY_REOPEN] = "reopen",
};

const char *entry_name(unsigned kind)
{
    return kind < ENTRY_KINDS ? names[kind] : NULL;
}

static void write_boot(struct wr *w, const struct entry *e)
{
    wr_bytes(w, e->pcr, sizeof e->pcr);
    wr_u8(w, e->simulated);
    wr_bytes(w, e->random, 32);
    wr_u64(w, e->generation);
    wr_bytes(w, e->manifest, 32);
    wr_bytes(w, e->release, 32);
    wr_u64(w, e->previous);
}

static void read_boot(struct rd *r, struct entry *e)
{
    rd_copy(r, e->pcr, sizeof e->pcr);
    const uint8_t simulated = rd_u8(r);
    if (simulated > 1) r->bad = true;
    e->simulated = simulated == 1;
    rd_copy(r, e->random, 32);
    e->generation = rd_u64(r);
    rd_copy(r, e->manifest, 32);
    rd_copy(r, e->release, 32);
    e->previous = rd_u64(r);
}

static void write_signed(struct wr *w, const struct entry *e)
{
    wr_var(w, e->document.p, e->document.n);
    wr_u32(w, e->signatures);
    wr_bytes(w, e->signature_list.p, e->signature_list.n);
}

static void read_signed(struct rd *r, struct entry *e)
{
    size_t n = 0;
    e->document.p = rd_var(r, ENTRY_DOCUMENT_MAX, &e->document.n);
    e->signatures = rd_u32(r);
    if (e->signatures > ENTRY_SIGNATURES) r->bad = true;
    e->signature_list.p = r->p;
    const size_t before = r->left;
    for (uint32_t i = 0; i < e->signatures && rd_ok(r); i++) (void)rd_var(r, ENTRY_SIGNATURE_MAX, &n);
    e->signature_list.n = before - r->left;
}

void entry_write(struct wr *w, const struct entry *e)
{
    wr_u8(w, (uint8_t)e->kind);
    wr_u8(w, ENTRY_VERSION);
    wr_u64(w, e->time);
    switch (e->kind) {
    case ENTRY_GENESIS: wr_var(w, e->document.p, e->document.n); break;
    case ENTRY_BOOT: write_boot(w, e); break;
    case ENTRY_SEAL: wr_u64(w, e->generation); wr_bytes(w, e->manifest, 32); wr_u32(w, e->epoch); break;
    case ENTRY_POLICY: case ENTRY_RELEASE: case ENTRY_VETO: write_signed(w, e); break;
    case ENTRY_GRANT: wr_bytes(w, e->release, 32); wr_bytes(w, e->build, 32); wr_bytes(w, e->grant, 32); break;
    case ENTRY_ROLLBACK: wr_u64(w, e->known); wr_u64(w, e->generation); wr_bytes(w, e->manifest, 32); write_signed(w, e); break;
    case ENTRY_REKEY: wr_u32(w, e->epoch); wr_u32(w, e->new_epoch); break;
    case ENTRY_REOPEN: wr_u32(w, e->number); wr_u64(w, e->size); wr_bytes(w, e->root, 32); break;
    case ENTRY_KINDS: MUST(false);
    }
}

static void read_rest(struct rd *r, struct entry *e)
{
    switch (e->kind) {
    case ENTRY_GENESIS: e->document.p = rd_var(r, ENTRY_DOCUMENT_MAX, &e->document.n); break;
    case ENTRY_BOOT: read_boot(r, e); break;
    case ENTRY_SEAL: e->generation = rd_u64(r); rd_copy(r, e->manifest, 32); e->epoch = rd_u32(r); break;
    case ENTRY_POLICY: case ENTRY_RELEASE: case ENTRY_VETO: read_signed(r, e); break;
    case ENTRY_GRANT: rd_copy(r, e->release, 32); rd_copy(r, e->build, 32); rd_copy(r, e->grant, 32); break;
    case ENTRY_ROLLBACK: e->known = rd_u64(r); e->generation = rd_u64(r); rd_copy(r, e->manifest, 32); read_signed(r, e); break;
    case ENTRY_REKEY: e->epoch = rd_u32(r); e->new_epoch = rd_u32(r); break;
    case ENTRY_REOPEN: e->number = rd_u32(r); e->size = rd_u64(r); rd_copy(r, e->root, 32); break;
    case ENTRY_KINDS: r->bad = true; break;
    }
}

err entry_parse(struct entry *out, const void *p, size_t n)
{
    struct rd r = rd_of(p, n);
    memset(out, 0, sizeof *out);
    const uint8_t kind = rd_u8(&r), version = rd_u8(&r);
    if (!rd_ok(&r) || !entry_name(kind) || version != ENTRY_VERSION)
        FAIL(E_FORMAT, "a log entry of kind %u, version %u: this program knows kinds 1 to %d of version %d", kind, version, ENTRY_KINDS - 1, ENTRY_VERSION);
    out->kind = (enum entry_kind)kind;
    out->time = rd_u64(&r);
    read_rest(&r, out);
    return rd_end(&r, names[kind]);
}

err entry_signatures(struct bytes *out, size_t cap, size_t *count, const struct entry *e)
{
    struct rd r = rd_of(e->signature_list.p, e->signature_list.n);
    *count = 0;
    if (e->signatures > cap) FAIL(E_LIMIT, "%u signatures", e->signatures);
    for (uint32_t i = 0; i < e->signatures; i++) out[i].p = rd_var(&r, ENTRY_SIGNATURE_MAX, &out[i].n);
    TRY(rd_end(&r, "signatures of a log entry"));
    *count = e->signatures;
    return OK;
}
