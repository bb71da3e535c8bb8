/* handover.c - the old build's part of an upgrade: it verifies who asks for the keyring, stops signing, and grants it. */
#include <string.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/papers.h"
#include "keystore/announce.h"
#include "keystore/attest.h"
#include "keystore/grant.h"
#include "policy/statement.h"

enum { DISK_MS = 300000, SIGN_MS = 10000, TRIES = 4 };

/* What is said to who asked. `reason`: a short name, "" when granted. */
struct answer { const char *reason, *words, *object; };

static err say(const struct answer *a, int fd, const struct msg *m)
{
    uint8_t body[768];
    struct wr w = wr_of(body, sizeof body);
    wr_u8(&w, !a->reason[0]);
    wr_var(&w, a->reason, strlen(a->reason));
    wr_var(&w, a->words, strlen(a->words));
    wr_var(&w, a->object, strlen(a->object));
    TRY(wr_end(&w, "KEEPER_GRANTED"));
    return msg_send(fd, KEEPER_GRANTED, m->seq, body, w.len, 5000);
}

/* The release among those that were accepted. Out: *at, its place; *d. Refused: why. */
static err find_release(struct answer *no, size_t *at, struct document *d, const struct papers *p, const uint8_t hash[static 32])
{
    static const char *const words[PAPER_STATES] = {
        [PAPER_PENDING] = "The release is agreed, and waits for its delay to pass.", [PAPER_VETOED] = "The release has been vetoed.",
        [PAPER_GRANTED] = "A grant has been made for this release.", [PAPER_VOID] = "The release does not hold any more: GET /releases.",
    };
    static const char *const names[PAPER_STATES] = { [PAPER_PENDING] = "pending", [PAPER_VETOED] = "vetoed", [PAPER_GRANTED] = "granted", [PAPER_VOID] = "void" };
    for (size_t i = 0; i < p->s.release_count; i++) {
        enum paper_state state;
        uint64_t ready_at = 0;
        TRY(papers_state(&state, d, &ready_at, &p->s.release[i], p));
        if (memcmp(d->hash, hash, 32) != 0) continue;
        *at = i;
        /* A grant that was given up may be made anew: who made it has started again since, so the log went on, and it is void. */
        if (state != PAPER_READY && state != PAPER_GRANTED) *no = (struct answer){ names[state], words[state], "" };
        return OK;
    }
    *no = (struct answer){ "unknown-release", "No such release has been accepted under the policy in force.", "" };
    return OK;
}

static err check_announcement(struct answer *no, struct announcement *a, const struct keeper *k, const struct document *d, const struct papers *p, struct bytes doc)
{
    struct record r;
    struct attest_doc parsed;
    enum announce_reason why = ANNOUNCE_GOOD;
    uint8_t pcr16[SERVICE_PCR_LEN];
    const char *failed = NULL;
    const struct attest_check check = { .root = { k->root, k->root_len }, .at = (int64_t)p->at.now };
    TRY(record_parse(&r, k->record, k->record_len));
    statement_service_pcr(pcr16, p->service);
    const struct announce_want want = {
        .service_id = p->service, .public_key = k->shown.public_key, .service_pcr = pcr16, .pcr = { d->pcr[0], d->pcr[1], d->pcr[2] },
        .pcr8 = d->has_pcr8 ? d->pcr8 : NULL, .not_before = d->not_before, .expires = d->expires, .accepted = r.genesis.accepted,
    };
    if (attest_verify(&parsed, &failed, doc.p, doc.n, &check).code)
        *no = (struct answer){ failed ? failed : "attestation", "The announcement's attestation document does not verify.", "" };
    else if (announce_check(a, &why, &parsed, &want).code) *no = (struct answer){ announce_reason_name(why), announce_reason_text(why), "" };
    return OK;
}

static err ask_sign(struct keeper *k, uint16_t type, uint16_t want)
{
    uint8_t room[16];
    struct msg m;
    return msg_call(k->env->peer[ROLE_SIGN], type, NULL, 0, want, &m, room, sizeof room, SIGN_MS);
}

static err still(struct grant_terms *t, struct keeper *k)
{
    uint8_t room[64];
    struct msg m;
    TRY(keeper_ask_disk(k, DISK_STILL, NULL, 0, DISK_STILL_IS, &m, room, sizeof room, DISK_MS));
    struct rd r = rd_of(m.body, m.len);
    t->log_number = rd_u32(&r);
    t->log_size = rd_u64(&r);
    rd_copy(&r, t->log_root, 32);
    return rd_end(&r, "DISK_STILL_IS");
}

static err put(struct keeper *k, const struct grant_terms *t, const struct papers *p, const uint8_t *grant, size_t n)
{
    BYTES body = NULL;
    BYTES standing = NULL;
    struct msg m;
    uint8_t room[16];
    TRY(mem_new(&body, STANDING_MAX + GRANT_MAX + 256));
    TRY(mem_new(&standing, STANDING_MAX));
    struct wr w = wr_of(body, STANDING_MAX + GRANT_MAX + 256), s = wr_of(standing, STANDING_MAX);
    standing_write(&s, &p->s);
    TRY(wr_end(&s, "what is in force"));
    wr_u64(&w, t->log_size);
    wr_u64(&w, p->at.now);
    wr_bytes(&w, t->release, 32);
    wr_bytes(&w, t->build_key, 32);
    wr_var(&w, grant, n);
    wr_var(&w, standing, s.len);
    TRY(wr_end(&w, "DISK_GRANT_PUT"));
    return keeper_ask_disk(k, DISK_GRANT_PUT, body, w.len, DISK_GRANT_KEPT, &m, room, sizeof room, DISK_MS);
}

static err terms_of(struct grant_terms *t, const struct record *r, const struct document *d, const struct announcement *a, const uint8_t id[static 32])
{
    memset(t, 0, sizeof *t);
    memcpy(t->service_id, id, 32);
    t->epoch = r->epoch;
    memcpy(t->build_key, a->build_key, 32);
    memcpy(t->release, d->hash, 32);
    memcpy(t->pcr, d->pcr, sizeof t->pcr);
    memcpy(t->blockhash, r->genesis.blockhash, 32);
    sha256(t->record, r->bound, r->bound_len);
    const size_t n = strlen(a->arn);
    if (n >= sizeof t->arn) FAIL(E_LIMIT, "an ARN of %zu characters", n);
    memcpy(t->arn, a->arn, n + 1);
    return OK;
}

/* Nothing is signed from here on. The keyring is opened anew for this (KMS is asked), as nobody keeps it; if the log goes on between
 * the last seal and the grant, both are made again. */
static err grant(char object[static GRANT_NAME], struct keeper *k, struct papers *p, size_t at, const struct document *d, const struct announcement *a)
{
    KEYRING ring = { 0 };
    struct record r;
    struct grant_terms t;
    uint8_t bytes[GRANT_MAX], hash[32];
    size_t n = 0;
    TRY(record_parse(&r, k->record, k->record_len));
    TRY(keeper_reopen(k, &ring, &r));
    TRY(terms_of(&t, &r, d, a, ring.service_id));
    p->s.release[at].granted = 1;
    p->s.sequence = d->sequence;
    memcpy(p->s.release_hash, d->hash, 32);
    k->signing_stopped = true;
    TRY(ask_sign(k, SIGN_STOP, SIGN_STOPPED));
    err e = OK;
    for (unsigned i = 0; i < TRIES; i++) {
        e = still(&t, k);
        /* The last seal failed, and all is as it was: signing goes on. */
        if (e.code) return keeper_sign_again(k, e);
        TRY(grant_seal(bytes, &n, &ring, &t));
        e = put(k, &t, p, bytes, n);
        if (e.code != E_DENIED) break;
    }
    TRY(e);
    sha256(hash, bytes, n);
    grant_name(object, t.build_key, hash);
    log_info("the keyring is granted to the build of release %s; this enclave signs no more", d->label);
    return keeper_tell(k, PHASE_HANDED_OVER);
}

/* What fails before signing stopped leaves all as it was; after that a start decides (a grant is void once the log went on). */
err keeper_on_grant(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct rd r = rd_of(m->body, m->len);
    struct bytes doc;
    uint8_t hash[32];
    struct document d;
    struct announcement a;
    PAPERS p = { 0 };
    struct answer no = { "", "", "" };
    char object[GRANT_NAME] = "";
    size_t at = 0;
    (void)pass;
    rd_copy(&r, hash, 32);
    doc.p = rd_var(&r, ATTEST_MAX, &doc.n);
    TRY(rd_end(&r, "KEEPER_GRANT"));
    if (k->state != PHASE_SERVING) return msg_send_error(fd, m, (err){ E_STATE });
    err e = papers_look(&p, k);
    if (!e.code) e = find_release(&no, &at, &d, &p, hash);
    if (!e.code && !no.reason[0]) e = check_announcement(&no, &a, k, &d, &p, doc);
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    if (no.reason[0]) return say(&no, fd, m);
    e = grant(object, k, &p, at, &d, &a);
    /* KMS or the store could not be had, and it signs on. */
    if (e.code && k->state == PHASE_SERVING && !k->signing_stopped) return msg_send_error(fd, m, (err){ e.code == E_TIMEOUT ? E_TIMEOUT : E_CLOSED });
    TRY(e);
    return say(&(struct answer){ "", "granted", object }, fd, m);
}
