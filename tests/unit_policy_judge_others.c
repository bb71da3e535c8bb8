/* Which policy, veto, rollback permit and genesis authorisation takes effect. */
#include <stdio.h>
#include <string.h>

#include "tests/policy_trial.h"
#include "tests/support/check_main.h"

START_TEST(replayed_old_policy)
{
    struct trial *t = trial_of(good_policy);     /* the very one that is in force */
    two_sign(t);
    ends(t, REASON_OLD_VERSION);
    t = trial_of(good_policy);                   /* and after a newer one */
    static struct document next;
    char text[DOCUMENT_ROOM];
    good_next_policy(text);
    trial_parse(&next, text);
    t->s.policy = &next;
    two_sign(t);
    ends(t, REASON_OLD_VERSION);
}
END_TEST

START_TEST(skipped_version)
{
    struct trial *t = trial_of(good_next_policy);
    edit(t, "\"version\": 2", "\"version\": 3");
    two_sign(t);
    ends(t, REASON_SKIPPED_VERSION);
}
END_TEST

START_TEST(other_previous_policy)
{
    struct trial *t = trial_of(good_next_policy);
    char *at = strstr(t->text, "\"previous\": \"") + strlen("\"previous\": \"");
    *at = *at == '0' ? '1' : '0';
    two_sign(t);
    ends(t, REASON_OTHER_PREVIOUS);
}
END_TEST

START_TEST(a_policy_needs_old_and_new)
{
    struct trial *t = trial_of(good_next_policy);        /* persons 0, 1, 2 give way to 0, 1, 4 */
    two_sign(t);
    ends(t, REASON_NONE);
    ck_assert(t->j.signers == 2 && t->j.new_signers == 2 && t->j.delay == 86400);
    t = trial_of(good_next_policy);
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 2, MAINTAINER_NOSTR);                       /* enough of the old, one of the new */
    ends(t, REASON_QUORUM_NEW);
    t = trial_of(good_next_policy);
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 4, MAINTAINER_NOSTR);                       /* enough of the new, one of the old */
    ends(t, REASON_QUORUM);
    t = trial_of(good_next_policy);                      /* rotation, one by one, while it waits for its delay */
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 2, MAINTAINER_NOSTR);
    signs(t, 4, MAINTAINER_NOSTR);
    t->s.accepted = 1000;
    ends(t, REASON_PENDING);
    ck_assert_uint_eq(t->j.ready_at, 87400);
}
END_TEST

START_TEST(a_revoked_key_has_no_say)
{
    char key[MAINTAINER_TEXT], to[MAINTAINER_TEXT + 40];
    struct trial *t = trial_of(good_next_policy);
    person_text(key, 2, MAINTAINER_NOSTR);
    snprintf(to, sizeof to, "\"revoked_keys\": [\"%s\"]", key);
    edit(t, "\"revoked_keys\": []", to);
    signs(t, 2, MAINTAINER_NOSTR);                       /* he signs his own revocation */
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 4, MAINTAINER_NOSTR);
    ends(t, REASON_QUORUM);
    signs(t, 1, MAINTAINER_SK);
    ends(t, REASON_NONE);
    /* and does not come back with the policy after that */
    t = trial_of(good_next_policy);
    person_key(&t->in_force.revoked_key[0], 4, MAINTAINER_NOSTR);
    t->in_force.revoked_key_count = 1;
    two_sign(t);
    ends(t, REASON_REVOKED_KEY);
}
END_TEST

START_TEST(a_veto)
{
    struct trial *t = trial_of(good_release);
    char of[DOCUMENT_ROOM];
    uint8_t subject[32];
    strcpy(of, t->text);
    sha256(subject, of, strlen(of));
    good_veto(t->text, of);
    t->s.subject = subject;
    signs(t, 0, MAINTAINER_SSH);                 /* maintainers are not who vetoes */
    signs(t, 1, MAINTAINER_SK);
    ends(t, REASON_QUORUM);
    signs(t, 3, MAINTAINER_SSH);
    ends(t, REASON_NONE);
    subject[0] ^= 1;
    ends(t, REASON_NOT_THE_RELEASE);
    t->s.subject = NULL;
    t->in_force.hash[0] ^= 1;
    ends(t, REASON_OTHER_POLICY);
}
END_TEST

START_TEST(the_first_policy)
{
    struct trial *t = trial_of(good_policy);
    static struct document genesis;
    char text[DOCUMENT_ROOM], hex[65], to[80];
    t->s.policy = NULL;                          /* an open service: who they are is their own word */
    two_sign(t);
    ends(t, REASON_NONE);
    ck_assert(t->j.needed == 0 && t->j.new_signers == 2 && t->j.delay == 0);
    good_genesis(text);
    trial_parse(&genesis, text);
    t->s.founders = &genesis.keys;               /* a service with a genesis authorisation: persons 0 and 1, both by ssh */
    memcpy(t->s.founding, genesis.hash, 32);
    ends(t, REASON_OTHER_PREVIOUS);
    hex_from(hex, genesis.hash, 32);
    snprintf(to, sizeof to, "\"previous\": \"%s\"", hex);
    edit(t, "\"previous\": null", to);
    t->count = 0;
    two_sign(t);
    ends(t, REASON_QUORUM);
    signs(t, 1, MAINTAINER_SSH);
    ends(t, REASON_NONE);
}
END_TEST

START_TEST(a_rollback_permit)
{
    struct trial *t = trial_of(good_permit);
    const uint8_t spent[2][DOCUMENT_NONCE] = { { 9 }, { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };
    two_sign(t);
    ends(t, REASON_NONE);
    t->s.spent = spent;
    t->s.spent_count = 1;
    ends(t, REASON_NONE);
    t->s.spent_count = 2;
    ends(t, REASON_PERMIT_USED);
    t->s.spent_count = 0;
    t->s.generation = 4;
    ends(t, REASON_OTHER_STATE);
    t->s.generation = 5;
    t->s.log_size = 39;
    ends(t, REASON_OTHER_STATE);
    t->s.log_size = 40;
    t->s.head[0] ^= 1;
    ends(t, REASON_OTHER_STATE);
    t->s.head[0] ^= 1;
    t->s.now = 2001;
    ends(t, REASON_EXPIRED);
    t->s.now = 1500;
    t->count = 1;
    ends(t, REASON_QUORUM);
}
END_TEST

START_TEST(a_genesis_authorisation)
{
    struct trial *t = trial_of(good_genesis);
    struct maintainers measured = { .threshold = 1, .count = 1 };
    person_key(&measured.one[0], 5, MAINTAINER_NOSTR);
    t->s.policy = NULL;
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 1, MAINTAINER_SSH);
    ends(t, REASON_NOT_AUTHORISED);
    t->s.founders = &measured;
    ends(t, REASON_QUORUM);
    signs(t, 5, MAINTAINER_NOSTR);
    ends(t, REASON_NONE);
    t->s.now = 2001;
    ends(t, REASON_EXPIRED);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("judge_others", replayed_old_policy, skipped_version, other_previous_policy, a_policy_needs_old_and_new,
                       a_revoked_key_has_no_say, a_veto, the_first_policy, a_rollback_permit, a_genesis_authorisation);
}

CHECK_MAIN(suite)
