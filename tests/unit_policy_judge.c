/* Which release takes effect: the adversarial cases, one test each, and the ways that are allowed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/policy_trial.h"
#include "tests/support/check_main.h"

static struct trial *release(void)
{
    return trial_of(good_release);
}

START_TEST(a_good_release)
{
    struct trial *t = release();
    two_sign(t);
    ends(t, REASON_NONE);
    ck_assert(t->j.signers == 2 && t->j.needed == 2 && t->j.delay == 86400 && t->j.ready_at == 0 && !t->j.emergency);
    t = release();                               /* the formats are as good as one another */
    signs(t, 2, MAINTAINER_NOSTR);
    signs(t, 1, MAINTAINER_SK);
    ends(t, REASON_NONE);
    t = release();
    signs(t, 0, MAINTAINER_SSH);
    ends(t, REASON_QUORUM);
    ck_assert_uint_eq(t->j.signers, 1);
}
END_TEST

START_TEST(duplicate_signer)
{
    struct trial *t = release();
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 0, MAINTAINER_SSH);
    signs_with(t, 0, MAINTAINER_SSH, t->text, &(struct odd){ .sha256 = true });     /* another signature, the same key */
    ends(t, REASON_QUORUM);
    ck_assert_uint_eq(t->j.signers, 1);
    t = release();                               /* an SK key under another application */
    signs(t, 1, MAINTAINER_SK);
    signs_with(t, 1, MAINTAINER_SK, t->text, &(struct odd){ .application = "ssh:other" });
    ends(t, REASON_QUORUM);
    t = release();
    signs(t, 2, MAINTAINER_NOSTR);
    signs(t, 2, MAINTAINER_NOSTR);
    ends(t, REASON_QUORUM);
}
END_TEST

/* That the policy cannot list one key twice is in unit_policy_document.c; here the set has it all the same. */
START_TEST(duplicate_signer_under_two_names)
{
    struct trial *t = release();
    t->in_force.keys.one[1] = t->in_force.keys.one[0];
    strcpy(t->in_force.keys.one[1].name, "another");
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 0, MAINTAINER_SSH);
    ends(t, REASON_QUORUM);
    ck_assert_uint_eq(t->j.signers, 1);
}
END_TEST

START_TEST(junk_blocks_nothing)
{
    struct trial *t = release();
    char broken[SIGNATURE_ROOM];
    signs(t, 5, MAINTAINER_SSH);                 /* a stranger */
    signs(t, 5, MAINTAINER_NOSTR);
    signs_with(t, 0, MAINTAINER_SSH, with(t->text, "Holdfast 0.2", "Holdfast 0.3"), NULL);     /* a forgery in a name that signs below */
    t->sig[t->count++] = (struct bytes){ "junk", 4 };
    t->sig[t->count++] = (struct bytes){ "", 0 };
    memset(broken, '{', sizeof broken);
    t->sig[t->count++] = (struct bytes){ broken, sizeof broken };
    two_sign(t);
    ends(t, REASON_NONE);
}
END_TEST

START_TEST(lower_sequence)
{
    struct trial *t = release();
    two_sign(t);
    t->s.sequence = 8;
    ends(t, REASON_LOWER_SEQUENCE);
    t->s.sequence = 7;                           /* the same, of another release */
    ends(t, REASON_LOWER_SEQUENCE);
    sha256(t->s.release, t->text, strlen(t->text));
    ends(t, REASON_NONE);                        /* of that very one: it is resumed */
}
END_TEST

START_TEST(other_service)
{
    static void (*const all[])(char out[static DOCUMENT_ROOM]) = { good_release, good_next_policy, good_permit };
    for (int i = 0; i < 3; i++) {
        struct trial *t = trial_of(all[i]);
        edit(t, SERVICE_HEX, "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5f");
        two_sign(t);
        ends(t, REASON_OTHER_SERVICE);
    }
}
END_TEST

START_TEST(other_network)
{
    static void (*const all[])(char out[static DOCUMENT_ROOM]) = { good_release, good_next_policy, good_permit };
    for (int i = 0; i < 3; i++) {
        struct trial *t = trial_of(all[i]);
        edit(t, "signet", "mainnet");
        two_sign(t);
        ends(t, REASON_OTHER_NETWORK);
        t->s.network[0] = 0;                     /* not known here, but the policy has one */
        ends(t, REASON_OTHER_NETWORK);
    }
}
END_TEST

START_TEST(wrong_namespace)
{
    struct trial *t = release();
    signs(t, 0, MAINTAINER_SSH);
    signs_with(t, 1, MAINTAINER_SK, t->text, &(struct odd){ .name_space = "holdfast-policy@holdfast" });
    signs_with(t, 2, MAINTAINER_NOSTR, t->text, &(struct odd){ .event = 8730 });
    ends(t, REASON_QUORUM);
    ck_assert_uint_eq(t->j.signers, 1);
}
END_TEST

START_TEST(expired)
{
    struct trial *t = release();
    two_sign(t);
    t->s.now = 2000;
    ends(t, REASON_NONE);
    t->s.now = 2001;
    ends(t, REASON_EXPIRED);
    t->s.now = 5001;                             /* and so has the policy */
    ends(t, REASON_POLICY_EXPIRED);
    t = trial_of(good_next_policy);              /* which a new one may still follow */
    t->s.now = 5001;
    edit(t, "\"expires\": 5000", "\"expires\": 9000");
    two_sign(t);
    ends(t, REASON_NONE);
    t->s.now = 9001;
    ends(t, REASON_EXPIRED);
}
END_TEST

START_TEST(not_yet_valid)
{
    struct trial *t = release();
    two_sign(t);
    t->s.now = 1000;
    ends(t, REASON_NONE);
    t->s.now = 999;
    ends(t, REASON_NOT_YET_VALID);
}
END_TEST

START_TEST(vetoed)
{
    struct trial *t = release();
    uint8_t hash[2][32] = { { 1 } };
    two_sign(t);
    t->s.vetoed = (const uint8_t (*)[32])hash;
    t->s.vetoed_count = 2;
    ends(t, REASON_NONE);
    sha256(hash[1], t->text, strlen(t->text));
    ends(t, REASON_VETOED);
}
END_TEST

START_TEST(other_policy)
{
    struct trial *t = release();
    edit(t, "\"policy_version\":1", "\"policy_version\":2");
    two_sign(t);
    ends(t, REASON_OTHER_POLICY);
    t = release();
    t->in_force.hash[31] ^= 1;                   /* the right version, of another policy */
    two_sign(t);
    ends(t, REASON_OTHER_POLICY);
}
END_TEST

START_TEST(delay_and_emergency)
{
    struct trial *t = release();
    two_sign(t);
    t->s.accepted = 1400;
    ends(t, REASON_PENDING);
    ck_assert_uint_eq(t->j.ready_at, 87800);
    edit(t, "\"expires\":2000", "\"expires\":90000");
    t->in_force.expires = 90000;
    t->count = 0;
    two_sign(t);
    t->s.now = 87799;
    ends(t, REASON_PENDING);
    t->s.now = 87800;
    ends(t, REASON_NONE);
    t = release();
    edit(t, "\"emergency\":false", "\"emergency\":true");
    two_sign(t);
    ends(t, REASON_QUORUM);                      /* more keys are needed */
    signs(t, 2, MAINTAINER_NOSTR);
    ends(t, REASON_NONE);
    ck_assert(t->j.emergency && t->j.delay == 3600);
    t->in_force.emergency_threshold = 0;
    ends(t, REASON_NO_EMERGENCY);
    t = release();                               /* all keys, and no word of an emergency: the whole delay */
    two_sign(t);
    signs(t, 2, MAINTAINER_NOSTR);
    ends(t, REASON_NONE);
    ck_assert(!t->j.emergency && t->j.delay == 86400);
}
END_TEST

START_TEST(revoked_release)
{
    struct trial *t = release();
    two_sign(t);
    sha256(t->in_force.revoked_release[0], t->text, strlen(t->text));
    t->in_force.revoked_release_count = 1;
    ends(t, REASON_REVOKED_RELEASE);
}
END_TEST

START_TEST(minimum_state_generation)
{
    struct trial *t = release();
    two_sign(t);
    t->s.generation = 3;
    ends(t, REASON_NONE);
    t->s.generation = 2;
    ends(t, REASON_OLD_STATE);
}
END_TEST

START_TEST(policy_absent)
{
    static void (*const all[])(char out[static DOCUMENT_ROOM]) = { good_release, good_permit };
    for (int i = 0; i < 2; i++) {
        struct trial *t = trial_of(all[i]);
        two_sign(t);
        t->s.policy = NULL;
        ends(t, REASON_NO_POLICY);
    }
}
END_TEST

/* The same members and values, laid out anew, are another document. */
START_TEST(signature_over_a_reserialised_document)
{
    struct trial *t = release();
    signs_with(t, 0, MAINTAINER_SSH, with(t->text, ",", ", "), NULL);
    signs_with(t, 1, MAINTAINER_SK, with(t->text, "}", "}\n"), NULL);
    signs_with(t, 2, MAINTAINER_NOSTR, with(t->text, "\"sequence\":7,\"policy_version\":1", "\"policy_version\":1,\"sequence\":7"), NULL);
    ends(t, REASON_QUORUM);
    ck_assert_uint_eq(t->j.signers, 0);
}
END_TEST

/* Ten thousand, most of them forged in the names of those who sign: the good ones still count, and time is bounded. */
START_TEST(ten_thousand_signatures)
{
    enum { MANY = 10000 };
    struct trial *t = release();
    struct bytes *all = calloc(MANY, sizeof *all);
    struct document d;
    struct timespec before, after;
    ck_assert_ptr_nonnull(all);
    signs_with(t, 0, MAINTAINER_SSH, with(t->text, "Holdfast 0.2", "Holdfast 0.3"), NULL);
    signs(t, 5, MAINTAINER_SSH);
    two_sign(t);
    signs_with(t, 2, MAINTAINER_NOSTR, with(t->text, "Holdfast 0.2", "Holdfast 0.3"), NULL);
    for (int i = 0; i < MANY; i++) all[i] = t->sig[i < QUORUM_TRIES - 1 ? 0 : i % 3 == 0 ? 1 : 4];
    all[MANY / 2] = t->sig[2];
    all[MANY - 1] = t->sig[3];
    trial_parse(&d, t->text);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    ASSERT_OK(judge(&t->j, &d, all, MANY, &t->s));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    ck_assert_int_eq(t->j.reason, REASON_NONE);
    ck_assert_uint_eq(t->j.signers, 2);
    ck_assert_int_le(after.tv_sec - before.tv_sec, 20);      /* sanitized and slow machines included */
    /* All forged, and then more than are read: no more verifications than there is a bound for. */
    struct quorum q;
    struct quorum_note *notes = calloc(MANY, sizeof *notes);
    for (int i = 0; i < MANY; i++) all[i] = t->sig[0];
    ASSERT_OK(quorum_count(&q, notes, &d, all, MANY, &t->in_force.keys));
    ck_assert(q.count == 0 && q.bad == QUORUM_TRIES && q.unread == MANY - QUORUM_TRIES);
    ck_assert(notes[0].word == QUORUM_BAD && notes[0].key == 0 && notes[MANY - 1].word == QUORUM_UNREAD);
    free(notes);
    free(all);
}
END_TEST

/* A line for each check; those behind a failure are not made. */
START_TEST(the_account)
{
    struct trial *t = release();
    two_sign(t);
    t->s.sequence = 9;
    ends(t, REASON_LOWER_SEQUENCE);
    size_t failed = 0;
    while (t->j.line[failed].verdict == JUDGED_OK) failed++;
    ck_assert_str_eq(t->j.line[failed].name, "sequence");
    ck_assert_int_eq(t->j.line[failed].verdict, JUDGED_FAILED);
    ck_assert_str_eq(t->j.line[failed].detail, "7; the last was 9");
    for (size_t i = failed + 1; i < t->j.count; i++) ck_assert(t->j.line[i].verdict == JUDGED_SKIPPED && !t->j.line[i].detail[0]);
    ck_assert_str_eq(t->j.line[t->j.count - 1].name, "delay");
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("judge", a_good_release, duplicate_signer, duplicate_signer_under_two_names, junk_blocks_nothing, lower_sequence,
                       other_service, other_network, wrong_namespace, expired, not_yet_valid, vetoed, other_policy, delay_and_emergency,
                       revoked_release, minimum_state_generation, policy_absent, signature_over_a_reserialised_document,
                       ten_thousand_signatures, the_account);
}

CHECK_MAIN(suite)
