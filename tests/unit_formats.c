/* A fixture of each format version is kept (tests/fixtures/formats) and must be read for ever: what was sealed once has to open. The next
 * version's fixture is made the same way: HOLDFAST_FORMATS_MAKE=DIR unit_formats writes those of today's code into DIR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "daemon/journal.h"
#include "keystore/announce.h"
#include "keystore/grant.h"
#include "policy/entry.h"
#include "policy/record.h"
#include "policy/tail.h"
#include "tests/formats_case.h"
#include "tests/log_case.h"
#include "tests/support/seal_rig.h"

#define SERVICE "0e7ae6d8f76af48b9917a0dff53a491aa61e0f3c764cdb5fd4f27a4cba5ecedb"
#define COMMITMENT "b5486f559ea8d39c2f6c232b755751e7b47bd4f3135abe64a4edb53980b05f1d"
#define LOG_KEY "32c8e9fbb816e6c586567a9d4d96683714a2a23744ef9c840b43b98d05508c58"
#define WITNESS_KEY "bb5c672482b0dcca91a21a4ed63b15afde8aa1378da72cd01b349589d6e7dd6a"
#define BUILD_KEY_HEX "818d7b3560a8f5ba8a22f0c5a298abacbede0da0a6833f8149898001742a3e4f"

static const struct { const char *name, *sha256; } kept[] = {
    { "head_2.bin", "ea51c94e453cce210344ef73b9dcacf37e21a33fec3e5de9a03e4a9c87408cfc" },
    { "manifest_1.bin", "a7dba7f5422daab694540f31b32348d99bdb295532764b07001d7c80de13ed35" },
    { "pack_1_first.bin", "100065ff3662bac092eb65d5c6d53eab93aaf62faa434981728486e5576818b2" },
    { "pack_1_second.bin", "2873eac1f763d27633046064eefef7adbbc4c48e76ac4cb8a4497cfdc7009964" },
    { "record_4.bin", "4428fef8e5514fca17b9e84cfdffc2bbfa27472de50746235293e8448ca5d6d7" },
    { "segment_1.bin", "4a8411043ab082d04aa4b59ff79ddc00241936f121cad4de79154fdbb898f87d" },
    { "checkpoint_cosigned_1.txt", "ad36ac24e041b07471d734d7155245f9c98771889dd6dc40160d44e54e2b3d6c" },
    { "grant_1.bin", "524c36578f50681aa0228b2d09e2a9fa1fb6e0b7fe324c5d5a3b1ef378005b10" },
    { "announcement_1.bin", "b4d2e784e9c1e8eeaaa18c22d3abf7af1b09a564baac5c26901da44d3f9e64bb" },
};

static const char *kept_dir(void)
{
    static char path[512];
    const char *source = getenv("HOLDFAST_SOURCE");
    snprintf(path, sizeof path, "%s/tests/fixtures/formats", source ? source : ".");
    return path;
}

/* ---- one function for each format and version: takes the folder with the fixture ---- */

static void open_ring(struct keyring *ring, const struct record *r)
{
    SECRET root = NULL;
    formats_build_root(&root);
    ASSERT_OK(keyring_unseal(ring, root, r->keyring, r->keyring_len, r->bound, r->bound_len));
    ASSERT_OK(keyring_check(ring, r->commitment));
}

static void genesis_of_record_4(const struct genesis *g)
{
    uint8_t id[SERVICE_ID_LEN];
    ck_assert_str_eq(g->name, "formats");
    ck_assert_str_eq(g->key_arn, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001");
    ck_assert_str_eq(g->profile, "holdfast-1");
    ck_assert_uint_eq(g->rules, 2);
    ck_assert_uint_eq(g->rule_set[0].n, 3);
    is_run(g->rule_set[0].bytes, 3, 0x01);
    ck_assert_uint_eq(g->rule_set[1].n, 1);
    ck_assert_uint_eq(g->rule_set[1].bytes[0], 0x09);
    is_run(g->blockhash, 32, 0xb0);
    ck_assert(g->limited);
    ck_assert_uint_eq(g->max_weight, 400000);
    ck_assert_uint_eq(g->created, 1790000000);
    is_run(g->nonce, 16, 0xc0);
    ck_assert_uint_eq(g->accepted, 5);
    is_point(g->key_point, 2, 0xd0);
    ck_assert(g->check.made);
    ck_assert_str_eq(g->check.network, "signet");
    ck_assert_str_eq(g->check.anchor, "checkpoint");
    ck_assert_uint_eq(g->check.height, 200000);
    ck_assert_uint_eq(g->check.time, 1789999000);
    ck_assert_uint_eq(g->check.depth, 7);
    is_run(g->check.work, 32, 0x11);
    ASSERT_OK(genesis_id(id, g));           /* the document's bytes are in it: a service id may never change */
    is_hex(id, 32, SERVICE);
}

static void record_4(const char *dir)
{
    static struct fixture f;
    struct record r;
    KEYRING ring = { 0 };
    formats_load(&f, dir, "record_4.bin");
    ASSERT_OK(record_parse(&r, f.p, f.n));
    ck_assert_uint_eq(r.epoch, 2);
    genesis_of_record_4(&r.genesis);
    is_point(r.public_key, 2, 0x50);
    is_hex(r.commitment, 32, COMMITMENT);
    ck_assert_str_eq(r.build_arn, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002");
    is_point(r.build_point, 3, 0x21);
    is_run(r.release, 32, 0x30);
    open_ring(&ring, &r);
    is_hex(ring.service_id, 32, SERVICE);
    ck_assert_uint_eq(ring.epoch, 2);
    is_secret(ring.master, 0x40);
    is_secret(ring.service_root, 0x60);
}

static void head_2(const char *dir)
{
    static struct fixture f, other;
    struct head h;
    formats_load(&f, dir, "head_2.bin");
    ASSERT_OK(head_parse(&h, f.p, f.n));
    is_hex(h.service, 32, SERVICE);
    ck_assert_uint_eq(h.epoch, 2);
    ck_assert_uint_eq(h.generation, 2);
    ck_assert_uint_eq(strlen(h.manifest), 35);
    ck_assert(memcmp(h.manifest, "g0000000000000002-", 18) == 0 && strcmp(h.manifest + 26, ".manifest") == 0);
    ck_assert_uint_eq(strlen(h.record), 23);
    ck_assert(memcmp(h.record, "record-", 7) == 0);
    ck_assert_uint_eq(strlen(h.log), 37);
    ck_assert(memcmp(h.log, "log-0000000000000000-", 21) == 0);
    formats_load(&other, dir, "manifest_1.bin");
    is_hash_of(h.manifest_sha256, &other);
    formats_load(&other, dir, "record_4.bin");
    is_hash_of(h.record_sha256, &other);
    formats_load(&other, dir, "segment_1.bin");
    is_hash_of(h.log_sha256, &other);
}

/* Out: *m, *pack as the manifest has them; m borrows from f. */
static void manifest_1(struct manifest_clear *m, struct manifest_pack pack[static 2], struct fixture *f, const char *dir)
{
    static struct fixture record;
    formats_load(f, dir, "manifest_1.bin");
    formats_load(&record, dir, "record_4.bin");
    ASSERT_OK(manifest_clear_parse(m, f->p, f->n));
    is_hex(m->service, 32, SERVICE);
    ck_assert_uint_eq(m->epoch, 2);
    ck_assert_uint_eq(m->generation, 2);
    is_hash_of(m->record, &record);
    ck_assert_uint_eq(m->time, 1790000200);
    ck_assert_uint_eq(m->log_position, 10);
    ck_assert_uint_eq(m->image_size, 12 * 16384);
    ck_assert_uint_eq(m->stored, 2);
    ck_assert_uint_eq(m->packs, 2);
    ck_assert_uint_eq(m->total_size, f->n);
    for (unsigned i = 0; i < 2; i++) {
        manifest_pack_get(&pack[i], m, i);
        ck_assert_uint_eq(pack[i].generation, i + 1);
        ck_assert_uint_eq(pack[i].image_size, 12 * 16384);
        ck_assert_uint_eq(pack[i].size, 100 + 16384);
    }
    ck_assert_mem_eq(pack[1].salt, m->salt, SALT);
}

static void pack_1(struct fixture *f, const char *dir, const char *name, const struct manifest_pack *p)
{
    struct pack_head h;
    formats_load(f, dir, name);
    ck_assert_uint_eq(f->n, 100 + 16384);
    ASSERT_OK(pack_head_parse(&h, f->p));
    is_hex(h.service, 32, SERVICE);
    ck_assert_uint_eq(h.epoch, 2);
    ck_assert_uint_eq(h.generation, p->generation);
    ck_assert_mem_eq(h.salt, p->salt, SALT);
    ck_assert_uint_eq(h.image_size, 12 * 16384);
}

/* Put what is kept into a store. Returns its head; *ring is what its record opens to. */
static struct head store_of(struct rig *r, struct keyring *ring, const char *dir)
{
    static struct fixture f, packed;
    struct manifest_clear m;
    struct manifest_pack pack[2];
    struct record record;
    struct head h;
    formats_load(&f, dir, "head_2.bin");
    ASSERT_OK(head_parse(&h, f.p, f.n));
    ASSERT_OK(store_memory_set(r->m, NULL, f.p, f.n));
    formats_load(&f, dir, "segment_1.bin");
    ASSERT_OK(store_memory_set(r->m, h.log, f.p, f.n));
    formats_load(&f, dir, "record_4.bin");
    ASSERT_OK(store_memory_set(r->m, h.record, f.p, f.n));
    ASSERT_OK(record_parse(&record, f.p, f.n));
    open_ring(ring, &record);
    manifest_1(&m, pack, &f, dir);
    ASSERT_OK(store_memory_set(r->m, h.manifest, f.p, f.n));
    for (unsigned i = 0; i < 2; i++) {
        pack_1(&packed, dir, i ? "pack_1_second.bin" : "pack_1_first.bin", &pack[i]);
        ASSERT_OK(store_memory_set(r->m, pack[i].name, packed.p, packed.n));
    }
    return h;
}

/* Head, record, manifest and packs, all the way to the disk's bytes. */
static void disk_of_manifest_1(const char *dir)
{
    RIG r;
    KEYRING ring = { 0 };
    BLK want = rig_image(12);
    BLK back = rig_image(12);
    struct seal_report rep;
    rig_open(&r, 0, 2);
    const struct head h = store_of(&r, &ring, dir);
    memcpy(r.service, h.service, 32);
    secret_drop(&r.key);
    ASSERT_OK(keyring_child(&r.key, SEAL_KEY, &ring, "seal", 2));
    ASSERT_OK(rig_restore(&r, &rep, back));
    ck_assert_uint_eq(rep.generation, 2);
    ck_assert_uint_eq(rep.time, 1790000200);
    ck_assert_uint_eq(rep.log_position, 10);
    ck_assert_uint_eq(rep.data, 2 * 16384);
    rig_fill(want, 1, 5);
    rig_fill(want, 10, 6);
    rig_same(want, back);
}

/* ---- the log ---- */

static void entry_boot(const struct entry *e)
{
    for (unsigned i = 0; i < 3; i++) is_run(e->pcr[i], 48, (uint8_t)(0x10 * (i + 1)));
    ck_assert(e->simulated);
    is_run(e->random, 32, 0x0a);
    ck_assert_uint_eq(e->generation, 7);
    is_run(e->manifest, 32, 0x0b);
    is_run(e->release, 32, 0x0c);
    ck_assert_uint_eq(e->previous, 3);
}

static void entry_paper(const struct entry *e, const char *document)
{
    struct bytes sigs[2];
    size_t n = 0;
    is_text(e->document, document);
    ck_assert_uint_eq(e->signatures, 2);
    ASSERT_OK(entry_signatures(sigs, 2, &n, e));
    ck_assert_uint_eq(n, 2);
    is_text(sigs[0], "first");
    is_text(sigs[1], "second");
}

static void entry_grant(const struct entry *e)
{
    is_run(e->release, 32, 0x30);
    is_run(e->build, 32, 0x31);
    is_run(e->grant, 32, 0x32);
}

static void entry_rollback(const struct entry *e)
{
    ck_assert_uint_eq(e->known, 9);
    ck_assert_uint_eq(e->generation, 8);
    is_run(e->manifest, 32, 0x33);
    entry_paper(e, "a permit");
}

static void entry_rekey_reopen(const struct entry *e)
{
    if (e->kind == ENTRY_REKEY) {
        ck_assert_uint_eq(e->epoch, 1);
        ck_assert_uint_eq(e->new_epoch, 2);
        return;
    }
    ck_assert_uint_eq(e->number, 4);
    ck_assert_uint_eq(e->size, 12);
    is_run(e->root, 32, 0x34);
}

/* The seals: of generation 1 as third, of 2 as last, whose manifest is the one that is kept. */
static void entry_seal(const struct entry *e, uint32_t place, const char *dir)
{
    static struct fixture manifest;
    formats_load(&manifest, dir, "manifest_1.bin");
    ck_assert_uint_eq(e->generation, place == 2 ? 1 : 2);
    ck_assert_uint_eq(e->epoch, 2);
    ck_assert_uint_eq(e->time, place == 2 ? 1790000100 : 1790000200);
    if (place != 2) is_hash_of(e->manifest, &manifest);
}

static void entry_1(const struct entry *e, uint32_t place, const char *dir)
{
    if (e->kind != ENTRY_SEAL) ck_assert_uint_eq(e->time, 1790000000u + (unsigned)e->kind);
    switch (e->kind) {
    case ENTRY_GENESIS: is_text(e->document, "a genesis document"); break;
    case ENTRY_BOOT: entry_boot(e); break;
    case ENTRY_SEAL: entry_seal(e, place, dir); break;
    case ENTRY_POLICY: entry_paper(e, "a policy"); break;
    case ENTRY_RELEASE: entry_paper(e, "a release"); break;
    case ENTRY_VETO: entry_paper(e, "a veto"); break;
    case ENTRY_GRANT: entry_grant(e); break;
    case ENTRY_ROLLBACK: entry_rollback(e); break;
    case ENTRY_REKEY:
    case ENTRY_REOPEN: entry_rekey_reopen(e); break;
    case ENTRY_KINDS: ck_abort_msg("an entry of no kind");
    }
}

static void segment_1(const char *dir)
{
    static struct fixture f;
    static const enum entry_kind order[] = { ENTRY_GENESIS, ENTRY_BOOT, ENTRY_SEAL, ENTRY_POLICY, ENTRY_RELEASE, ENTRY_VETO, ENTRY_GRANT, ENTRY_ROLLBACK, ENTRY_REKEY, ENTRY_REOPEN, ENTRY_SEAL };
    uint8_t key[32];
    struct tail t;
    struct entry e;
    size_t n = 0;
    formats_load(&f, dir, "segment_1.bin");
    ASSERT_OK(hex_to(key, 32, LOG_KEY, 64));
    ASSERT_OK(tail_parse(&t, f.p, f.n));
    ASSERT_OK(tail_check(&t, key));
    is_hex(t.service, 32, SERVICE);
    ck_assert_uint_eq(t.epoch, 2);
    ck_assert_uint_eq(t.number, 0);
    ck_assert_uint_eq(t.from, 0);
    ck_assert_str_eq(t.previous, "");
    ck_assert_uint_eq(t.count, sizeof order / sizeof *order);
    struct rd r = tail_entries(&t);
    for (uint32_t i = 0; i < t.count; i++) {
        const uint8_t *p = tail_next(&r, &n);
        ASSERT_OK(entry_parse(&e, p, n));
        ck_assert_int_eq(e.kind, order[i]);
        entry_1(&e, i, dir);
    }
}

/* What the enclave goes on from: the state in the segment. */
static void state_of_segment_1(const char *dir)
{
    RIG r;
    KEYRING ring = { 0 };
    STORE st = NULL;
    JOURNAL j = NULL;
    SECRET log_key = NULL;
    uint8_t manifest[32];
    size_t n = 0;
    rig_open(&r, 0, 2);
    const struct head h = store_of(&r, &ring, dir);
    ASSERT_OK(keyring_child(&log_key, 32, &ring, "log", 2));
    ASSERT_OK(store_memory_open(&st, r.m, NULL));
    ASSERT_OK(journal_new(&j, log_key, h.service, 2, st));
    ASSERT_OK(journal_resume(j, &h));
    ck_assert(journal_fits(j, &h));
    ck_assert_uint_eq(journal_last(j, manifest), 2);
    ck_assert_mem_eq(manifest, h.manifest_sha256, 32);
    ck_assert_uint_eq(journal_size(j), 11);
    ck_assert_uint_eq(journal_boot(j), 1);
    is_hex(journal_key(j)->key, 32, LOG_KEY);
    const uint8_t *state = journal_state(j, &n);
    is_text((struct bytes){ state, n }, "what is in force");
}

static void checkpoint_cosigned_1(const char *dir)
{
    static struct fixture f, segment;
    static struct note note;
    struct checkpoint c;
    struct tail t;
    struct tlog tree;
    struct note_key k;
    uint8_t key[32], root[32];
    uint64_t time = 1;
    formats_load(&f, dir, "checkpoint_cosigned_1.txt");
    formats_load(&segment, dir, "segment_1.bin");
    ASSERT_OK(note_parse(&note, (const char *)f.p, f.n));
    ASSERT_OK(checkpoint_parse(&c, note.text, note.text_len));
    ck_assert_str_eq(c.origin, "holdfast/" SERVICE);
    ck_assert_uint_eq(c.size, 11);
    ASSERT_OK(tail_parse(&t, segment.p, segment.n));
    ASSERT_OK(tail_tree(&tree, &t));
    tlog_root(root, &tree);
    ck_assert_mem_eq(c.root, root, 32);
    ASSERT_OK(hex_to(key, 32, LOG_KEY, 64));
    ASSERT_OK(note_key_make(&k, "holdfast/" SERVICE, NOTE_ED25519, key));
    ASSERT_OK(cosign_check(&time, &note, &k));
    ck_assert_uint_eq(time, 0);
    ASSERT_OK(hex_to(key, 32, WITNESS_KEY, 64));
    ASSERT_OK(note_key_make(&k, "example.org/witness", NOTE_COSIGNATURE, key));
    ASSERT_OK(cosign_check(&time, &note, &k));
    ck_assert_uint_eq(time, 1790000400);
}

/* ---- from one build to the next ---- */

static void grant_1(const char *dir)
{
    static struct fixture f;
    struct grant_terms t;
    BUILD_KEYPAIR own = { 0 };
    KEYRING ring = { 0 };
    SECRET root = NULL;
    formats_load(&f, dir, "grant_1.bin");
    ASSERT_OK(grant_read(&t, f.p, f.n));
    ck_assert_uint_eq(t.epoch, 2);
    is_hex(t.service_id, 32, SERVICE);
    is_hex(t.build_key, 32, BUILD_KEY_HEX);
    is_run(t.release, 32, 0x30);
    for (unsigned i = 0; i < 3; i++) is_run(t.pcr[i], 48, (uint8_t)(0x10 * (i + 1)));
    is_run(t.blockhash, 32, 0xb0);
    is_run(t.record, 32, 0x70);
    ck_assert_uint_eq(t.log_number, 3);
    ck_assert_uint_eq(t.log_size, 11);
    is_run(t.log_root, 32, 0x90);
    ck_assert_str_eq(t.arn, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002");
    formats_build_root(&root);
    ASSERT_OK(build_key_derive(&own, root, t.service_id));
    ASSERT_OK(grant_open(&ring, f.p, f.n, &own, &t));
    is_secret(ring.master, 0x40);
    is_secret(ring.service_root, 0x60);
}

static void announcement_1(const char *dir)
{
    static struct fixture f;
    uint8_t key[32];
    struct announcement a;
    enum announce_reason why = ANNOUNCE_REASONS;
    formats_load(&f, dir, "announcement_1.bin");
    formats_run(key, 32, 0x21);
    const struct attest_doc d = { .public_key = { key, sizeof key }, .user_data = { f.p, f.n } };
    ASSERT_OK(announce_read(&a, &why, &d));
    is_run(a.build_key, 32, 0x21);
    ck_assert_uint_eq(a.findings, 5);
    is_hex(a.service_id, 32, SERVICE);
    is_point(a.public_key, 2, 0x50);
    ck_assert_str_eq(a.arn, "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000002");
}

/* ---- tests ---- */

/* A fixture is what the program of its time made: one that is made anew proves nothing about what people have. */
START_TEST(kept_as_they_were)
{
    static struct fixture f;
    uint8_t hash[32];
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        formats_load(&f, kept_dir(), kept[i].name);
        sha256(hash, f.p, f.n);
        is_hex(hash, 32, kept[i].sha256);
    }
}
END_TEST

static void all(const char *dir)
{
    record_4(dir);
    head_2(dir);
    disk_of_manifest_1(dir);
    segment_1(dir);
    state_of_segment_1(dir);
    checkpoint_cosigned_1(dir);
    grant_1(dir);
    announcement_1(dir);
}

START_TEST(kept_are_read)
{
    RIG arena;
    rig_open(&arena, 0, 1);
    all(kept_dir());
}
END_TEST

/* What makes them still does: with this the next version's are made. */
START_TEST(made_today_are_read)
{
    char scratch[] = "/tmp/holdfast-formats-XXXXXX", path[512];
    const char *keep = getenv("HOLDFAST_FORMATS_MAKE");
    RIG arena;
    rig_open(&arena, 0, 1);
    if (!keep) ck_assert_ptr_nonnull(mkdtemp(scratch));
    formats_make(keep ? keep : scratch);
    all(keep ? keep : scratch);
    for (size_t i = 0; i < sizeof kept / sizeof *kept && !keep; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch, kept[i].name);
        ck_assert_int_eq(unlink(path), 0);
    }
    if (!keep) ck_assert_int_eq(rmdir(scratch), 0);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("formats", kept_as_they_were, kept_are_read, made_today_are_read);
}

CHECK_MAIN(suite)
