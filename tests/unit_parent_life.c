/* A service's life replayed: one that keeps the rules, and one fault after the other put into it. */
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "parent/life.h"
#include "tests/policy_case.h"
#include "tests/support/check_main.h"

#define DAY 86400
static const char GENESIS[] = "{\"name\":\"vault\"}";

struct rig { struct life *l; struct life_line line; struct entry e; uint64_t now, count, boot; char policy[DOCUMENT_ROOM], release[DOCUMENT_ROOM]; };

static void service_hex(char out[static 65])
{
    uint8_t id[32];
    sha256(id, GENESIS, strlen(GENESIS));
    hex_from(out, id, 32);
}

static void hash_hex(char out[static 65], const char *text)
{
    uint8_t hash[32];
    sha256(hash, text, strlen(text));
    hex_from(out, hash, 32);
}

/* The cases' documents, of this service and valid for long. */
static void own(char out[static DOCUMENT_ROOM], const char *text)
{
    char id[65];
    service_hex(id);
    const char *edited = with(text, SERVICE_HEX, id);
    if (strstr(edited, "\"expires\":2000")) edited = with(edited, "\"expires\":2000", "\"expires\":2000000000");
    if (strstr(edited, "\"expires\": 5000")) edited = with(edited, "\"expires\": 5000", "\"expires\": 2000000000");
    snprintf(out, DOCUMENT_ROOM, "%s", edited);
}

static void open_rig(struct rig *r)
{
    char text[DOCUMENT_ROOM], old[65], hash[65];
    *r = (struct rig){ .now = 1000000 };
    ASSERT_OK(life_new(&r->l, NULL, 0, NULL));
    good_policy(text);
    hash_hex(old, text);
    own(r->policy, text);
    hash_hex(hash, r->policy);
    good_release(text);
    own(r->release, with(text, old, hash));
}

static enum life_mark feed(struct rig *r, struct entry e)
{
    static uint8_t room[128 << 10];
    struct wr w = wr_of(room, sizeof room);
    e.time = e.time ? e.time : r->now;
    entry_write(&w, &e);
    ASSERT_OK(wr_end(&w, "entry"));
    ASSERT_OK(life_next(r->l, &r->e, &r->line, room, w.len));
    if (e.kind == ENTRY_BOOT) r->boot = r->count;
    r->count++;
    return r->line.mark;
}

static void manifest_of(uint8_t out[static 32], uint64_t generation) { memset(out, generation ? (int)(0x40 + generation) : 0, 32); }

static enum life_mark genesis(struct rig *r) { return feed(r, (struct entry){ .kind = ENTRY_GENESIS, .document = { GENESIS, strlen(GENESIS) } }); }

static enum life_mark seal(struct rig *r, uint64_t generation)
{
    struct entry e = { .kind = ENTRY_SEAL, .generation = generation, .epoch = 1 };
    manifest_of(e.manifest, generation);
    return feed(r, e);
}

static struct entry boot_entry(const struct rig *r, uint64_t generation)
{
    struct entry e = { .kind = ENTRY_BOOT, .generation = generation, .previous = r->count > 1 ? r->boot : ENTRY_NO_BOOT };
    memset(e.pcr, 5, sizeof e.pcr);
    manifest_of(e.manifest, generation);
    return e;
}

static enum life_mark boot(struct rig *r, uint64_t generation) { return feed(r, boot_entry(r, generation)); }

/* A boot of the release's build. */
static enum life_mark boot_new(struct rig *r, uint64_t generation, const char *release)
{
    struct document d;
    enum reason why;
    struct entry e = boot_entry(r, generation);
    ASSERT_OK(document_parse(&d, &why, release, strlen(release)));
    memcpy(e.pcr, d.pcr, sizeof e.pcr);
    sha256(e.release, release, strlen(release));
    return feed(r, e);
}

/* With signatures of the persons 0..signers-1: by ssh, by hardware key, by Nostr. */
static struct entry signed_entry(struct entry e, const char *text, int signers, uint8_t room[static 16384])
{
    char one[SIGNATURE_ROOM];
    struct wr w = wr_of(room, 16384);
    for (int i = 0; i < signers; i++) {
        const struct bytes b = i < 2 ? person_sshsig(one, i, (enum maintainer_kind)i, text, NULL) : person_nostr(one, i, text, NULL);
        wr_var(&w, b.p, b.n);
    }
    e.document = (struct bytes){ text, strlen(text) };
    e.signatures = (uint32_t)signers;
    e.signature_list = (struct bytes){ room, w.len };
    return e;
}

static enum life_mark paper(struct rig *r, enum entry_kind kind, const char *text, int signers)
{
    static uint8_t room[16384];
    return feed(r, signed_entry((struct entry){ .kind = kind }, text, signers, room));
}

static enum life_mark veto(struct rig *r)
{
    static uint8_t room[16384];
    char one[SIGNATURE_ROOM], text[DOCUMENT_ROOM], vetoes[DOCUMENT_ROOM], first[DOCUMENT_ROOM], old[65], hash[65];
    struct wr w = wr_of(room, sizeof room);
    good_policy(first);
    hash_hex(old, first);
    hash_hex(hash, r->policy);
    good_veto(text, r->release);
    own(vetoes, with(text, old, hash));
    const struct bytes b = person_sshsig(one, 3, MAINTAINER_SSH, vetoes, NULL);
    wr_var(&w, b.p, b.n);
    return feed(r, (struct entry){ .kind = ENTRY_VETO, .document = { vetoes, strlen(vetoes) }, .signatures = 1, .signature_list = { room, w.len } });
}

static enum life_mark grant(struct rig *r, const char *release)
{
    struct entry e = { .kind = ENTRY_GRANT };
    sha256(e.release, release, strlen(release));
    return feed(r, e);
}

/* Three generations, and a policy in force. */
static void begin(struct rig *r)
{
    open_rig(r);
    ck_assert_int_eq(genesis(r), LIFE_PLAIN);
    ck_assert_int_eq(boot(r, 0), LIFE_PLAIN);
    for (uint64_t g = 1; g <= 3; g++) ck_assert_int_eq(seal(r, g), LIFE_PLAIN);
    ck_assert_int_eq(paper(r, ENTRY_POLICY, r->policy, 2), LIFE_PLAIN);
}

static void end_well(struct rig *r)
{
    struct life_line line;
    life_end(&line, r->l);
    ck_assert_msg(line.mark == LIFE_PLAIN, "%s", line.text);
    life_drop(&r->l);
}

#define FAULT(call, words) \
    do { \
        const enum life_mark mark_ = (call); \
        ck_assert_msg(mark_ == LIFE_FAULT && strstr(r.line.text, words), "mark %d: %s", (int)mark_, r.line.text); \
    } while (0)

START_TEST(a_good_life)
{
    struct rig r;
    char id[65], got[65];
    begin(&r);
    service_hex(id);
    hex_from(got, life_service(r.l), 32);
    ck_assert_str_eq(got, id);
    ck_assert_int_eq(boot(&r, 3), LIFE_PLAIN);
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    ck_assert_ptr_nonnull(strstr(r.line.text, "agreed by 2 keys"));
    ck_assert_int_eq(seal(&r, 4), LIFE_PLAIN);
    r.now += DAY;
    ck_assert_int_eq(grant(&r, r.release), LIFE_NOTICE);
    ck_assert_int_eq(boot(&r, 4), LIFE_PLAIN);                   /* the old build may still start */
    ck_assert_int_eq(boot_new(&r, 4, r.release), LIFE_NOTICE);
    ck_assert_ptr_nonnull(strstr(r.line.text, "takes over"));
    ck_assert_int_eq(seal(&r, 5), LIFE_PLAIN);
    ck_assert_int_eq(boot_new(&r, 5, r.release), LIFE_PLAIN);
    ck_assert_int_eq(feed(&r, (struct entry){ .kind = ENTRY_REKEY, .epoch = 1, .new_epoch = 2 }), LIFE_PLAIN);
    struct entry e = { .kind = ENTRY_SEAL, .generation = 6, .epoch = 2 };
    ck_assert_int_eq(feed(&r, e), LIFE_PLAIN);
    end_well(&r);
}
END_TEST

START_TEST(the_order_of_things)
{
    struct rig r;
    struct life_line line;
    open_rig(&r);
    life_end(&line, r.l);
    ck_assert_int_eq(line.mark, LIFE_FAULT);
    FAULT(boot(&r, 0), "begins with a genesis");
    FAULT(genesis(&r), "second entry is a boot");
    FAULT(genesis(&r), "begins once");
    life_drop(&r.l);
    open_rig(&r);
    ck_assert_int_eq(genesis(&r), LIFE_PLAIN);
    life_end(&line, r.l);
    ck_assert_int_eq(line.mark, LIFE_FAULT);
    FAULT(seal(&r, 1), "second entry is a boot");
    life_drop(&r.l);
    begin(&r);
    ck_assert_int_eq(seal(&r, 3), LIFE_PLAIN);                   /* the same is no other */
    struct entry twin = { .kind = ENTRY_SEAL, .generation = 3, .epoch = 1 };
    FAULT(feed(&r, twin), "generation 3 after 3");
    FAULT(feed(&r, (struct entry){ .kind = ENTRY_SEAL, .generation = 4, .epoch = 2 }), "epoch");
    struct entry e = boot_entry(&r, 4);
    memset(e.manifest, 0, 32);
    e.previous = 0;
    FAULT(feed(&r, e), "another boot before");
    FAULT(feed(&r, (struct entry){ .kind = ENTRY_REKEY, .epoch = 7, .new_epoch = 8 }), "epoch");
    FAULT(feed(&r, (struct entry){ .kind = ENTRY_REOPEN }), "first entry only");
    life_drop(&r.l);
    uint8_t other[32] = { 1 };
    open_rig(&r);
    life_drop(&r.l);
    ASSERT_OK(life_new(&r.l, other, 0, NULL));
    FAULT(genesis(&r), "another service");
    life_drop(&r.l);
}
END_TEST

START_TEST(builds_need_a_release_and_a_grant)
{
    struct rig r;
    begin(&r);
    struct entry e = boot_entry(&r, 3);
    e.pcr[1][0] ^= 1;
    FAULT(feed(&r, e), "names no release");
    life_drop(&r.l);
    begin(&r);
    FAULT(boot_new(&r, 3, r.release), "does not have");
    life_drop(&r.l);
    begin(&r);
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    FAULT(boot_new(&r, 3, r.release), "not granted");
    life_drop(&r.l);
    begin(&r);
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    r.now += DAY;
    ck_assert_int_eq(grant(&r, r.release), LIFE_NOTICE);
    e = boot_entry(&r, 3);
    sha256(e.release, r.release, strlen(r.release));
    FAULT(feed(&r, e), "measurements");
    life_drop(&r.l);
    begin(&r);
    FAULT(grant(&r, r.release), "does not have");
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    r.now += DAY - 1;
    FAULT(grant(&r, r.release), "pending");
    r.now += 3ull << 30;
    FAULT(grant(&r, r.release), "expired");
    life_drop(&r.l);
}
END_TEST

START_TEST(documents_are_judged_again)
{
    struct rig r;
    char text[DOCUMENT_ROOM], other[DOCUMENT_ROOM];
    open_rig(&r);
    ck_assert_int_eq(genesis(&r), LIFE_PLAIN);
    ck_assert_int_eq(boot(&r, 0), LIFE_PLAIN);
    FAULT(paper(&r, ENTRY_RELEASE, r.release, 3), "no-policy");
    FAULT(paper(&r, ENTRY_POLICY, r.policy, 1), "quorum");
    FAULT(paper(&r, ENTRY_POLICY, r.release, 2), "no holdfast-policy");
    FAULT(paper(&r, ENTRY_POLICY, "{\"type\":\"holdfast-policy\"}", 2), "no holdfast-policy");
    good_policy(text);
    FAULT(paper(&r, ENTRY_POLICY, text, 2), "other-service");
    life_drop(&r.l);
    begin(&r);
    FAULT(paper(&r, ENTRY_POLICY, r.policy, 2), "old-version");
    FAULT(paper(&r, ENTRY_RELEASE, r.release, 1), "quorum");
    good_release(text);
    own(other, text);
    FAULT(paper(&r, ENTRY_RELEASE, other, 2), "other-policy");
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    ck_assert_int_eq(veto(&r), LIFE_NOTICE);
    ck_assert_ptr_nonnull(strstr(r.line.text, "VETO of release Holdfast 0.2"));
    FAULT(paper(&r, ENTRY_RELEASE, r.release, 2), "vetoed");
    r.now += DAY;
    FAULT(grant(&r, r.release), "vetoed");
    life_drop(&r.l);
}
END_TEST

/* The next policy waits for the delay of the one before; until then that one decides, and afterwards no longer. */
START_TEST(a_new_policy_comes_into_force_with_its_delay)
{
    struct rig r;
    char next[DOCUMENT_ROOM], text[DOCUMENT_ROOM], first[DOCUMENT_ROOM], old[65], hash[65];
    begin(&r);
    good_policy(first);
    hash_hex(old, first);
    hash_hex(hash, r.policy);
    good_next_policy(text);
    own(next, with(text, old, hash));
    ck_assert_int_eq(paper(&r, ENTRY_POLICY, next, 2), LIFE_PLAIN);
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_PLAIN);
    r.now += DAY;
    FAULT(grant(&r, r.release), "another policy");
    FAULT(paper(&r, ENTRY_RELEASE, r.release, 2), "other-policy");
    life_drop(&r.l);
}
END_TEST

static struct entry back_to(uint64_t known, uint64_t generation)
{
    struct entry e = { .kind = ENTRY_ROLLBACK, .known = known, .generation = generation };
    manifest_of(e.manifest, generation);
    return e;
}

static void permit_for(char out[static DOCUMENT_ROOM], const char *generation, const char *size, char first_of_head)
{
    char text[DOCUMENT_ROOM], head[65];
    for (int i = 0; i < 64; i += 2) head[i] = '4', head[i + 1] = first_of_head;
    head[64] = 0;
    good_permit(text);
    snprintf(out, DOCUMENT_ROOM, "%s", with(with(text, "\"generation\":5", generation), "\"log_size\":40", size));
    const char *tail = strstr(out, "\"head\":\"") + 8;
    memcpy((char *)(uintptr_t)tail, head, 64);
    snprintf(text, sizeof text, "%s", out);
    own(out, text);
}

START_TEST(a_rollback_without_a_policy_is_told_loudly)
{
    struct rig r;
    open_rig(&r);
    ck_assert_int_eq(genesis(&r), LIFE_PLAIN);
    ck_assert_int_eq(boot(&r, 0), LIFE_PLAIN);
    for (uint64_t g = 1; g <= 3; g++) seal(&r, g);
    ck_assert_int_eq(boot(&r, 2), LIFE_PLAIN);                   /* it owes an account */
    ck_assert_int_eq(feed(&r, back_to(3, 2)), LIFE_NOTICE);
    ck_assert_ptr_nonnull(strstr(r.line.text, "ROLLED BACK from generation 3 to 2: nobody had to allow it"));
    ck_assert_int_eq(seal(&r, 3), LIFE_PLAIN);                   /* the number is used again, by another state */
    ck_assert_int_eq(feed(&r, back_to(3, 1)), LIFE_NOTICE);      /* or it is said before the boot */
    ck_assert_int_eq(boot(&r, 1), LIFE_PLAIN);
    FAULT(feed(&r, back_to(3, 1)), "it was 1");
    end_well(&r);
    begin(&r);
    ck_assert_int_eq(boot(&r, 2), LIFE_PLAIN);
    FAULT(seal(&r, 4), "no rollback entry follows");
    ck_assert_int_eq(boot(&r, 2), LIFE_PLAIN);
    struct life_line line;
    life_end(&line, r.l);
    ck_assert(line.mark == LIFE_FAULT && strstr(line.text, "no rollback entry follows"));
    life_drop(&r.l);
}
END_TEST

START_TEST(a_rollback_under_a_policy_needs_its_permit_once)
{
    struct rig r;
    static uint8_t room[16384];
    char permit[DOCUMENT_ROOM];
    begin(&r);
    FAULT(feed(&r, back_to(3, 2)), "no permit");
    life_drop(&r.l);
    begin(&r);
    permit_for(permit, "\"generation\":2", "\"log_size\":3", '2');   /* its seal is entry 3 */
    ck_assert_int_eq(feed(&r, signed_entry(back_to(3, 2), permit, 2, room)), LIFE_NOTICE);
    ck_assert_ptr_nonnull(strstr(r.line.text, "allowed by 2 keys"));
    ck_assert_int_eq(boot(&r, 2), LIFE_PLAIN);
    ck_assert_int_eq(seal(&r, 3), LIFE_PLAIN);
    FAULT(feed(&r, signed_entry(back_to(3, 2), permit, 2, room)), "permit-used");
    life_drop(&r.l);
    begin(&r);
    FAULT(feed(&r, signed_entry(back_to(3, 1), permit, 2, room)), "other-state");
    life_drop(&r.l);
    begin(&r);
    FAULT(feed(&r, signed_entry(back_to(3, 2), permit, 1, room)), "quorum");
    life_drop(&r.l);
    begin(&r);
    permit_for(permit, "\"generation\":2", "\"log_size\":9", '2');   /* longer than the log was */
    FAULT(feed(&r, signed_entry(back_to(3, 2), permit, 2, room)), "other-state");
    life_drop(&r.l);
    begin(&r);
    struct entry never = back_to(3, 2);
    never.manifest[0] ^= 1;
    FAULT(feed(&r, never), "never sealed");
    life_drop(&r.l);
}
END_TEST

START_TEST(what_is_not_known_is_told_apart)
{
    struct rig r;
    begin(&r);
    const uint8_t later[10] = { ENTRY_KINDS + 3, 1 };
    ASSERT_OK(life_next(r.l, &r.e, &r.line, later, sizeof later));
    ck_assert_int_eq(r.line.mark, LIFE_UNKNOWN);
    life_drop(&r.l);
    /* A log begun anew: its build and policy are in the one before. */
    open_rig(&r);
    life_drop(&r.l);
    ASSERT_OK(life_new(&r.l, NULL, 3, NULL));
    ck_assert_int_eq(feed(&r, (struct entry){ .kind = ENTRY_REOPEN, .number = 2, .size = 100 }), LIFE_NOTICE);
    ck_assert_int_eq(boot(&r, 77), LIFE_PLAIN);
    ck_assert_int_eq(seal(&r, 78), LIFE_PLAIN);
    ck_assert_int_eq(paper(&r, ENTRY_RELEASE, r.release, 2), LIFE_NOTICE);
    ck_assert_ptr_nonnull(strstr(r.line.text, "not judged"));
    end_well(&r);
    open_rig(&r);
    life_drop(&r.l);
    ASSERT_OK(life_new(&r.l, NULL, 3, NULL));
    FAULT(feed(&r, (struct entry){ .kind = ENTRY_REOPEN, .number = 1 }), "log 3 was begun after log 1");
    FAULT(genesis(&r), "second entry is a boot");
    life_drop(&r.l);
}
END_TEST

START_TEST(the_first_policy_follows_the_authorisation)
{
    struct rig r;
    struct document authorisation;
    enum reason why;
    char text[DOCUMENT_ROOM], hex[70], policy[DOCUMENT_ROOM];
    good_genesis(text);
    ASSERT_OK(document_parse(&authorisation, &why, text, strlen(text)));
    hash_hex(hex + 1, text);
    hex[0] = '"', hex[65] = '"', hex[66] = 0;
    for (int given = 0; given < 2; given++) {
        open_rig(&r);
        snprintf(policy, sizeof policy, "%s", with(r.policy, "\"previous\": null", "\"previous\": HERE"));
        snprintf(policy, sizeof policy, "%s", with(policy, "HERE", hex));
        life_drop(&r.l);
        ASSERT_OK(life_new(&r.l, NULL, 0, given ? &authorisation : NULL));
        ck_assert_int_eq(genesis(&r), LIFE_PLAIN);
        ck_assert_int_eq(boot(&r, 0), LIFE_PLAIN);
        /* Of its founders only the first has signed here: persons 0 and 1 both by ssh are what it asks for. */
        const enum life_mark mark = paper(&r, ENTRY_POLICY, policy, 2);
        if (given) ck_assert_msg(mark == LIFE_FAULT && strstr(r.line.text, "quorum"), "%s", r.line.text);
        else ck_assert_msg(mark == LIFE_UNKNOWN && strstr(r.line.text, "--authorisation"), "%s", r.line.text);
        life_drop(&r.l);
    }
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("parent_life", a_good_life, the_order_of_things, builds_need_a_release_and_a_grant, documents_are_judged_again,
                       a_new_policy_comes_into_force_with_its_delay, a_rollback_without_a_policy_is_told_loudly,
                       a_rollback_under_a_policy_needs_its_permit_once, what_is_not_known_is_told_apart, the_first_policy_follows_the_authorisation);
}

CHECK_MAIN(suite)
