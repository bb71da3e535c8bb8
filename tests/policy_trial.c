#include "tests/policy_trial.h"

#include <string.h>

#include "tests/support/check_main.h"

void trial_parse(struct document *d, const char *text)
{
    enum reason why;
    ASSERT_OK(document_parse(d, &why, text, strlen(text)));
}

/* A service with the good policy in force, at the time 1500. */
struct trial *trial_of(void (*good)(char out[static DOCUMENT_ROOM]))
{
    static struct trial t;
    char policy[DOCUMENT_ROOM];
    memset(&t, 0, sizeof t);
    good_policy(policy);
    trial_parse(&t.in_force, policy);
    good(t.text);
    t.s = (struct situation){ .network = "signet", .now = 1500, .policy = &t.in_force, .sequence = 6, .generation = 5, .log_size = 40 };
    memset(t.s.service, 0x5e, 32);
    memset(t.s.head, 0x5e, 32);
    return &t;
}

void signs_with(struct trial *t, int n, enum maintainer_kind kind, const char *bytes, const struct odd *odd)
{
    ck_assert_uint_lt(t->count, SIGS);
    t->sig[t->count] = kind == MAINTAINER_NOSTR ? person_nostr(t->room[t->count], n, bytes, odd) : person_sshsig(t->room[t->count], n, kind, bytes, odd);
    t->count++;
}

void signs(struct trial *t, int n, enum maintainer_kind kind) { signs_with(t, n, kind, t->text, NULL); }

void edit(struct trial *t, const char *from, const char *to)
{
    const char *edited = with(t->text, from, to);
    strcpy(t->text, edited);
}

static enum reason verdict(struct trial *t)
{
    struct document d;
    trial_parse(&d, t->text);
    ASSERT_OK(judge(&t->j, &d, t->sig, t->count, &t->s));
    return t->j.reason;
}

void ends(struct trial *t, enum reason want)
{
    const enum reason got = verdict(t);
    ck_assert_msg(got == want, "%s, expected %s", reason_name(got), reason_name(want));
}

void two_sign(struct trial *t)
{
    signs(t, 0, MAINTAINER_SSH);
    signs(t, 1, MAINTAINER_SK);
}
