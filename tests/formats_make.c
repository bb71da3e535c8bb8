/* formats_make.c - makes the fixtures of the wire formats; HOLDFAST_FORMATS_MAKE=DIR unit_formats keeps them (see formats_case.h). */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "daemon/journal.h"
#include "keystore/announce.h"
#include "keystore/grant.h"
#include "policy/record.h"
#include "tests/formats_case.h"
#include "tests/log_case.h"
#include "tests/support/seal_rig.h"

static void save(const char *dir, const char *name, const void *p, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f != NULL, "%s cannot be made", path);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

/* ---- the service record, with its sealed keyring ---- */

static void point(uint8_t out[static 33], uint8_t sign, uint8_t first)
{
    out[0] = sign;
    formats_run(out + 1, 32, first);
}

/* That of a build which took the service over. */
static void fields(struct record *r)
{
    struct genesis *g = &r->genesis;
    *r = (struct record){ .epoch = FORMATS_EPOCH, .genesis = { .name = "formats", .key_arn = FORMATS_GENESIS_ARN, .profile = "holdfast-1", .rules = 2, .limited = true,
        .max_weight = 400000, .created = FORMATS_TIME, .accepted = 5, .check = { .made = true, .network = "signet", .anchor = "checkpoint", .height = 200000, .time = 1789999000, .depth = 7 } } };
    g->rule_set[0].n = 3;
    formats_run(g->rule_set[0].bytes, 3, 0x01);
    g->rule_set[1].n = 1;
    g->rule_set[1].bytes[0] = 0x09;
    formats_run(g->blockhash, 32, RUN_BLOCKHASH);
    formats_run(g->nonce, 16, 0xc0);
    formats_run(g->check.work, 32, 0x11);
    point(g->key_point, 2, 0xd0);
    point(r->public_key, 2, RUN_PUBLIC);
    strcpy(r->build_arn, FORMATS_BUILD_ARN);
    point(r->build_point, 3, 0x21);
    formats_run(r->release, 32, RUN_RELEASE);
}

static void make_ring(struct keyring *ring, const struct record *r)
{
    ring->epoch = FORMATS_EPOCH;
    ASSERT_OK(genesis_id(ring->service_id, &r->genesis));
    formats_secret(&ring->master, RUN_MASTER);
    formats_secret(&ring->service_root, RUN_SERVICE_ROOT);
}

static size_t make_record(uint8_t out[static RECORD_MAX], struct record *r, const struct keyring *ring)
{
    uint8_t sealed[KEYRING_SEALED];
    SECRET root = NULL;
    struct wr w = wr_of(out, RECORD_MAX);
    formats_build_root(&root);
    ASSERT_OK(keyring_commitment(r->commitment, ring));
    record_write_bound(&w, r);
    ASSERT_OK(keyring_seal(sealed, ring, root, w.p, w.len));
    record_write_keyring(&w, sealed, sizeof sealed);
    ASSERT_OK(wr_end(&w, "record"));
    return w.len;
}

/* ---- a store of two generations, and the log beside it ---- */

static void add(struct journal *j, struct entry e)
{
    e.time = FORMATS_TIME + (uint64_t)e.kind;
    ASSERT_OK(journal_add(j, &e));
}

static void add_boot(struct journal *j)
{
    struct entry e = { .kind = ENTRY_BOOT, .simulated = true, .generation = 7, .previous = 3 };
    for (unsigned i = 0; i < 3; i++) formats_run(e.pcr[i], 48, (uint8_t)(0x10 * (i + 1)));
    formats_run(e.random, 32, 0x0a);
    formats_run(e.manifest, 32, 0x0b);
    formats_run(e.release, 32, 0x0c);
    add(j, e);
}

static void add_paper(struct journal *j, enum entry_kind kind, const char *text, struct entry e)
{
    uint8_t list[32];
    struct wr w = wr_of(list, sizeof list);
    wr_var(&w, "first", 5);
    wr_var(&w, "second", 6);
    e.kind = kind;
    e.document = (struct bytes){ (const uint8_t *)text, strlen(text) };
    e.signatures = 2;
    e.signature_list = (struct bytes){ list, w.len };
    add(j, e);
}

/* Each kind but `seal`, which the journal makes. */
static void add_entries(struct journal *j)
{
    struct entry rollback = { .known = 9, .generation = 8 }, grant = { .kind = ENTRY_GRANT }, reopen = { .kind = ENTRY_REOPEN, .number = 4, .size = 12 };
    add_paper(j, ENTRY_POLICY, "a policy", (struct entry){ 0 });
    add_paper(j, ENTRY_RELEASE, "a release", (struct entry){ 0 });
    add_paper(j, ENTRY_VETO, "a veto", (struct entry){ 0 });
    formats_run(grant.release, 32, RUN_RELEASE);
    formats_run(grant.build, 32, 0x31);
    formats_run(grant.grant, 32, 0x32);
    add(j, grant);
    formats_run(rollback.manifest, 32, 0x33);
    add_paper(j, ENTRY_ROLLBACK, "a permit", rollback);
    add(j, (struct entry){ .kind = ENTRY_REKEY, .epoch = 1, .new_epoch = 2 });
    formats_run(reopen.root, 32, 0x34);
    add(j, reopen);
}

static void save_object(struct rig *r, const char *dir, const char *file, const char *name)
{
    size_t n = 0;
    const uint8_t *p = store_memory_object(r->m, &n, name);
    ck_assert_msg(p != NULL, "no %s", name);
    save(dir, file, p, n);
}

static void save_store(struct rig *r, const char *dir)
{
    struct head h;
    struct manifest_clear m;
    struct manifest_pack pack;
    size_t n = 0;
    const uint8_t *p = store_memory_head(r->m, &n);
    ASSERT_OK(head_parse(&h, p, n));
    save(dir, "head_2.bin", p, n);
    p = store_memory_object(r->m, &n, h.manifest);
    ASSERT_OK(manifest_clear_parse(&m, p, n));
    save(dir, "manifest_1.bin", p, n);
    ck_assert_uint_eq(m.packs, 2);
    manifest_pack_get(&pack, &m, 0);
    save_object(r, dir, "pack_1_first.bin", pack.name);
    manifest_pack_get(&pack, &m, 1);
    save_object(r, dir, "pack_1_second.bin", pack.name);
    save_object(r, dir, "record_4.bin", h.record);
    save_object(r, dir, "segment_1.bin", h.log);
}

/* The log's checkpoint, signed by the log key and a witness. */
static void save_checkpoint(const struct journal *j, const char *dir)
{
    const uint8_t seed = FORMATS_WITNESS;
    const struct note_key k = case_key("example.org/witness", NOTE_COSIGNATURE, seed);
    const struct cosign_key holder = case_holder(&seed);
    uint8_t text[2 * JOURNAL_NOTE];
    struct note note;
    struct wr w = wr_of(text, sizeof text);
    ASSERT_OK(journal_checkpoint(&w, j));
    ASSERT_OK(note_parse(&note, (const char *)text, w.len));
    ASSERT_OK(cosign_write(&w, &k, &holder, FORMATS_TIME + 400, note.text, note.text_len));
    save(dir, "checkpoint_cosigned_1.txt", text, w.len);
}

static void make_store(const char *dir, const struct keyring *ring, const uint8_t *record, size_t record_len)
{
    RIG r;
    BLK image = rig_image(FORMATS_CHUNKS);
    STORE st = NULL;
    SEAL_HEAD found = { 0 };
    SEALER s = NULL;
    JOURNAL j = NULL;
    SECRET seal_key = NULL;
    SECRET log_key = NULL;
    struct seal_report rep;
    rig_open(&r, 0, FORMATS_EPOCH);
    ASSERT_OK(keyring_child(&seal_key, 32, ring, "seal", FORMATS_EPOCH));
    ASSERT_OK(keyring_child(&log_key, 32, ring, "log", FORMATS_EPOCH));
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ASSERT_OK(seal_head_get(&found, st));
    ASSERT_OK(seal_open(&s, seal_key, ring->service_id, FORMATS_EPOCH, st, &found));
    ASSERT_OK(journal_new(&j, log_key, ring->service_id, FORMATS_EPOCH, st));
    const struct seal_journal hooks = journal_hooks(j);
    seal_use_journal(s, &hooks);
    add(j, (struct entry){ .kind = ENTRY_GENESIS, .document = { (const uint8_t *)"a genesis document", 18 } });
    add_boot(j);
    rig_fill(image, 1, 5);
    ASSERT_OK(seal_write(s, &rep, image, record, record_len, FORMATS_TIME + 100));
    add_entries(j);
    ASSERT_OK(journal_set_state(j, (const uint8_t *)"what is in force", 16));
    rig_fill(image, 10, 6);
    ASSERT_OK(seal_write(s, &rep, image, NULL, 0, FORMATS_TIME + 200));
    save_store(&r, dir);
    save_checkpoint(j, dir);
}

/* ---- from one build to the next ---- */

static void make_handover(const char *dir, const struct keyring *ring)
{
    struct grant_terms t = { .epoch = FORMATS_EPOCH, .log_number = 3, .log_size = 11, .arn = FORMATS_BUILD_ARN };
    struct announcement a = { .findings = 5, .arn = FORMATS_BUILD_ARN };
    BUILD_KEYPAIR heir = { 0 };
    SECRET root = NULL;
    uint8_t grant[GRANT_MAX], user_data[ANNOUNCE_USER_DATA];
    size_t n = 0;
    formats_build_root(&root);
    ASSERT_OK(build_key_derive(&heir, root, ring->service_id));
    memcpy(t.service_id, ring->service_id, 32);
    memcpy(t.build_key, heir.point, BUILD_KEY);
    formats_run(t.release, 32, RUN_RELEASE);
    for (unsigned i = 0; i < GRANT_PCRS; i++) formats_run(t.pcr[i], GRANT_PCR, (uint8_t)(0x10 * (i + 1)));
    formats_run(t.blockhash, 32, RUN_BLOCKHASH);
    formats_run(t.record, 32, 0x70);
    formats_run(t.log_root, 32, 0x90);
    ASSERT_OK(grant_seal(grant, &n, ring, &t));
    save(dir, "grant_1.bin", grant, n);
    memcpy(a.service_id, ring->service_id, 32);
    point(a.public_key, 2, RUN_PUBLIC);
    ASSERT_OK(announce_write(user_data, &n, &a));
    save(dir, "announcement_1.bin", user_data, n);
}

void formats_make(const char *dir)
{
    uint8_t record[RECORD_MAX];
    struct record r;
    KEYRING ring = { 0 };
    fields(&r);
    make_ring(&ring, &r);
    const size_t n = make_record(record, &r, &ring);
    make_store(dir, &ring, record, n);
    make_handover(dir, &ring);
}
