/* What documents have made to be in force, between two starts: read as written, judged anew each time, bounded. */
#include <string.h>

#include "policy/standing.h"
#include "tests/policy_case.h"
#include "tests/policy_trial.h"
#include "tests/support/check_main.h"

enum { ROOM = 64 << 10 };

static uint8_t service[32], head[32];

static struct standing_place at(uint64_t now)
{
    memset(service, 0x5e, sizeof service);
    return (struct standing_place){ .service = service, .now = now, .generation = 100, .log_size = 1000, .head = head };
}

/* A paper with the signatures of persons 0 and 1, in buffers of its own. */
struct signed_paper { char text[DOCUMENT_ROOM]; uint8_t list[2 * SIGNATURE_ROOM]; struct document d; struct standing_paper paper; };

static void sign(struct signed_paper *p, void (*good)(char out[static DOCUMENT_ROOM]), uint64_t accepted)
{
    char room[SIGNATURE_ROOM];
    struct wr w = wr_of(p->list, sizeof p->list);
    good(p->text);
    trial_parse(&p->d, p->text);
    for (int n = 0; n < 2; n++) {
        const struct bytes s = person_sshsig(room, n, n ? MAINTAINER_SK : MAINTAINER_SSH, p->text, NULL);
        wr_var(&w, s.p, s.n);
    }
    p->paper = (struct standing_paper){ .document = { p->text, strlen(p->text) }, .signatures = 2, .list = { p->list, w.len }, .accepted = accepted };
}

static void in_force(struct standing *s, struct signed_paper *policy)
{
    memset(s, 0, sizeof *s);
    sign(policy, good_policy, 10);
    s->policy = policy->paper;
}

static size_t written(uint8_t *out, const struct standing *s)
{
    struct wr w = wr_of(out, ROOM);
    standing_write(&w, s);
    ASSERT_OK(wr_end(&w, "standing"));
    return w.len;
}

START_TEST(it_is_read_as_written)
{
    static struct signed_paper policy, release, next;
    static uint8_t bytes[ROOM], again[ROOM];
    struct standing s, got;
    in_force(&s, &policy);
    sign(&release, good_release, 1200);
    sign(&next, good_next_policy, 1300);
    s.next = next.paper;
    standing_take(&s, &release.d, &release.paper);
    memset(s.vetoed[0], 7, 32), s.vetoed_count = 1;
    memset(s.spent[0], 8, DOCUMENT_NONCE), s.spent_count = 1;
    s.sequence = 41;
    memset(s.release_hash, 9, 32);
    s.release[0].granted = 1;
    const size_t n = written(bytes, &s);
    ASSERT_OK(standing_read(&got, bytes, n));
    ck_assert(got.release_count == 1 && got.release[0].granted && got.sequence == 41 && got.vetoed_count == 1 && got.spent_count == 1);
    ck_assert_uint_eq(written(again, &got), n);
    ck_assert_mem_eq(bytes, again, n);
    for (size_t cut = 1; cut < n; cut++) ASSERT_FAILS(standing_read(&got, bytes, cut));
    ASSERT_CODE(standing_read(&got, bytes, n + 1), E_FORMAT);
    bytes[0]++;
    ASSERT_CODE(standing_read(&got, bytes, n), E_FORMAT);
    /* nothing was ever accepted: no bytes at all */
    ASSERT_OK(standing_read(&got, NULL, 0));
    ck_assert(!got.policy.document.n && !got.release_count);
}
END_TEST

START_TEST(a_release_waits_for_its_delay_and_for_no_veto)
{
    static struct signed_paper policy, release;
    struct standing s;
    struct document d;
    struct judgement j;
    in_force(&s, &policy);
    sign(&release, good_release, 1200);
    standing_take(&s, &release.d, &release.paper);
    standing_take(&s, &release.d, &release.paper);            /* once is enough */
    ck_assert_uint_eq(s.release_count, 1);
    struct standing_place now = at(1300);
    ASSERT_OK(standing_judge(&d, &j, &s.release[0], &s, &now));
    ck_assert(j.reason == REASON_PENDING && j.ready_at == 1200 + 86400);
    /* when the delay is over the release has expired, as its author chose */
    now = at(1200 + 86400);
    ASSERT_OK(standing_judge(&d, &j, &s.release[0], &s, &now));
    ck_assert_int_ne(j.reason, REASON_NONE);
    now = at(1300);
    struct document veto = { .kind = DOCUMENT_VETO };
    memcpy(veto.release, release.d.hash, 32);
    standing_take(&s, &veto, &(struct standing_paper){ 0 });
    ASSERT_OK(standing_judge(&d, &j, &s.release[0], &s, &now));
    ck_assert_int_eq(j.reason, REASON_VETOED);
}
END_TEST

START_TEST(a_policy_comes_into_force_when_its_delay_is_over)
{
    static struct signed_paper policy, next, release;
    struct standing s;
    bool changed = true;
    in_force(&s, &policy);
    ASSERT_OK(standing_settle(&s, &changed, &(struct standing_place){ .service = service, .head = head }));
    ck_assert(!changed);
    sign(&release, good_release, 1200);
    standing_take(&s, &release.d, &release.paper);
    sign(&next, good_next_policy, 1000);
    standing_take(&s, &next.d, &next.paper);
    struct standing_place now = at(1500);
    ASSERT_OK(standing_settle(&s, &changed, &now));
    ck_assert(!changed && s.next.document.n && s.policy.document.p == policy.text);
    /* never to be: it expired while it waited, and the one before stays */
    now = at(1000 + 86400);
    ASSERT_OK(standing_settle(&s, &changed, &now));
    ck_assert(changed && !s.next.document.n && s.policy.document.p == policy.text && s.release_count == 1);
    /* a first policy has nothing to wait for */
    struct standing none = { 0 };
    none.next = policy.paper;
    none.next.accepted = 1500;
    now = at(1500);
    ASSERT_OK(standing_settle(&none, &changed, &now));
    ck_assert(changed && none.policy.document.n && !none.next.document.n && none.release_count == 0);
}
END_TEST

START_TEST(lists_are_bounded)
{
    struct standing s = { 0 };
    struct document d = { .kind = DOCUMENT_VETO };
    for (unsigned i = 0; i < STANDING_VETOED + 5; i++) {
        memset(d.release, (int)i, 32);
        standing_take(&s, &d, &(struct standing_paper){ 0 });
    }
    ck_assert_uint_eq(s.vetoed_count, STANDING_VETOED);
    ck_assert(s.vetoed[0][0] == 5 && s.vetoed[STANDING_VETOED - 1][0] == STANDING_VETOED + 4);
    d.kind = DOCUMENT_PERMIT;
    for (unsigned i = 0; i < STANDING_SPENT + 1; i++) {
        memset(d.nonce, (int)i, sizeof d.nonce);
        standing_take(&s, &d, &(struct standing_paper){ 0 });
    }
    ck_assert(s.spent_count == STANDING_SPENT && s.spent[0][0] == 1);
}
END_TEST

static Suite *suite(void)
{
    return CHECK_SUITE("policy standing", it_is_read_as_written, a_release_waits_for_its_delay_and_for_no_veto, a_policy_comes_into_force_when_its_delay_is_over,
                       lists_are_bounded);
}

CHECK_MAIN(suite)
