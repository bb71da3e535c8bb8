#include "daemon/papers.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "policy/entry.h"

enum { DISK_MS = 120000, ROOM = STANDING_MAX + 128, ANSWER_MAX = 16 << 10 };

void papers_drop(struct papers *p)
{
    mem_free_bytes(&p->room);
}

err papers_look(struct papers *p, struct keeper *k)
{
    struct msg m;
    uint8_t pcr[3][48];
    bool changed = false;
    size_t n = 0;
    memcpy(p->service, k->shown.service_id, 32);
    p->at = (struct standing_place){ .service = p->service, .head = p->head };
    TRY(keeper_now(k, &p->at.now, pcr));
    TRY(mem_new(&p->room, ROOM));
    TRY(keeper_ask_disk(k, DISK_STANDING, NULL, 0, DISK_STANDING_IS, &m, p->room, ROOM, DISK_MS));
    struct rd r = rd_of(m.body, m.len);
    p->at.generation = rd_u64(&r);
    rd_copy(&r, p->head, 32);
    p->at.log_size = rd_u64(&r);
    const uint8_t *standing = rd_var(&r, STANDING_MAX, &n);
    TRY(rd_end(&r, "DISK_STANDING_IS"));
    TRY(standing_read(&p->s, standing, n));
    return standing_settle(&p->s, &changed, &p->at);
}

err papers_log(struct keeper *k, const struct entry *e, const struct standing *s)
{
    enum { MOST = TAIL_ENTRY_MAX + STANDING_MAX + 8 };
    BYTES body = NULL;
    BYTES part = NULL;
    uint8_t room[64];
    struct msg m;
    TRY(mem_new(&body, MOST));
    TRY(mem_new(&part, STANDING_MAX));
    struct wr w = wr_of(body, MOST), one = wr_of(part, STANDING_MAX);
    entry_write(&one, e);
    TRY(wr_end(&one, "an entry of the log"));
    wr_var(&w, part, one.len);
    one = wr_of(part, STANDING_MAX);
    standing_write(&one, s);
    TRY(wr_end(&one, "what is in force"));
    wr_var(&w, part, one.len);
    TRY(wr_end(&w, "DISK_LOG_ADD"));
    return keeper_ask_disk(k, DISK_LOG_ADD, body, w.len, DISK_LOG_ADDED, &m, room, sizeof room, DISK_MS);
}

err papers_state(enum paper_state *out, struct document *d, uint64_t *ready_at, const struct standing_paper *release, const struct papers *p)
{
    struct judgement j;
    TRY(standing_judge(d, &j, release, &p->s, &p->at));
    *ready_at = j.ready_at;
    *out = release->granted ? PAPER_GRANTED : j.reason == REASON_VETOED ? PAPER_VETOED : j.reason == REASON_PENDING ? PAPER_PENDING : j.reason ? PAPER_VOID : PAPER_READY;
    return OK;
}

/* ---- one that is submitted ---- */

struct verdict { enum paper_outcome outcome; enum paper_state state; enum reason reason; uint64_t ready_at; struct document d; struct judgement j; };

static err answer(const struct verdict *v, uint64_t now, int fd, const struct msg *m)
{
    BYTES body = NULL;
    TRY(mem_new(&body, ANSWER_MAX));
    struct wr w = wr_of(body, ANSWER_MAX);
    wr_u8(&w, (uint8_t)v->outcome);
    wr_u8(&w, (uint8_t)v->d.kind);
    wr_bytes(&w, v->d.hash, 32);
    wr_u8(&w, (uint8_t)v->reason);
    wr_u8(&w, (uint8_t)v->state);
    wr_u64(&w, v->ready_at);
    wr_u64(&w, now);
    wr_u32(&w, (uint32_t)v->j.count);
    for (size_t i = 0; i < v->j.count; i++) {
        wr_var(&w, v->j.line[i].name, strlen(v->j.line[i].name));
        wr_u8(&w, (uint8_t)v->j.line[i].verdict);
        wr_var(&w, v->j.line[i].detail, strlen(v->j.line[i].detail));
    }
    TRY(wr_end(&w, "KEEPER_JUDGED"));
    return msg_send(fd, KEEPER_JUDGED, m->seq, body, w.len, 5000);
}

static bool same_paper(const struct standing_paper *p, const struct bytes *document)
{
    return p->document.n == document->n && memcmp(p->document.p, document->p, document->n) == 0;
}

/* One that was accepted before is not logged again: who submits it hears how it stands. */
static err known(bool *is, struct verdict *v, const struct bytes *document, const struct papers *p)
{
    *is = true;
    if (p->s.next.document.n && same_paper(&p->s.next, document)) {
        TRY(standing_judge(&v->d, &v->j, &p->s.next, &p->s, &p->at));
        v->state = PAPER_PENDING;
        v->ready_at = v->j.ready_at;
        return OK;
    }
    if (p->s.policy.document.n && same_paper(&p->s.policy, document)) {
        v->state = PAPER_IN_FORCE;
        return document_parse(&v->d, &v->reason, document->p, document->n);
    }
    for (size_t i = 0; i < p->s.release_count; i++)
        if (same_paper(&p->s.release[i], document)) return papers_state(&v->state, &v->d, &v->ready_at, &p->s.release[i], p);
    *is = false;
    return OK;
}

/* The first policy decides who decides from then on, so the measured configuration has to allow it: this very one, or any. */
static bool first_allowed(const struct daemon_config *c, const struct document *d, const struct papers *p)
{
    char hex[65];
    if (d->kind != DOCUMENT_POLICY || p->s.policy.document.n || strcmp(c->first_policy, "open") == 0) return true;
    hex_from(hex, d->hash, 32);
    return strcmp(c->first_policy, hex) == 0;
}

/* A permit is asked for only where a state was put back. */
static err weigh(struct verdict *v, struct papers *p, const struct standing_paper *paper, const struct bytes *list, const struct daemon_config *c, bool put_back)
{
    struct document policy;
    struct situation where;
    if (document_parse(&v->d, &v->reason, paper->document.p, paper->document.n).code) return OK;
    if (v->d.kind == DOCUMENT_GENESIS || (v->d.kind == DOCUMENT_PERMIT && !put_back)) v->reason = REASON_OTHER_KIND;
    else if (!first_allowed(c, &v->d, p)) v->reason = REASON_FIRST_POLICY;
    if (v->reason) return OK;
    TRY(standing_situation(&where, &policy, &p->s, &p->at));
    TRY(judge(&v->j, &v->d, list, paper->signatures, &where));
    v->reason = v->j.reason;
    v->ready_at = p->at.now + v->j.delay;
    v->state = v->j.delay ? PAPER_PENDING : v->d.kind == DOCUMENT_RELEASE ? PAPER_READY : PAPER_IN_FORCE;
    return OK;
}

/* One time only: it is among those that were used from here on. */
static err permit(struct keeper *k, const struct papers *p, const struct standing_paper *paper)
{
    enum { MOST = DOCUMENT_MAX + STANDING_LIST + STANDING_MAX + 32 };
    BYTES body = NULL;
    BYTES standing = NULL;
    uint8_t room[64];
    struct msg m;
    TRY(mem_new(&body, MOST));
    TRY(mem_new(&standing, STANDING_MAX));
    struct wr w = wr_of(body, MOST), s = wr_of(standing, STANDING_MAX);
    standing_write(&s, &p->s);
    TRY(wr_end(&s, "what is in force"));
    wr_u64(&w, p->at.now);
    wr_var(&w, paper->document.p, paper->document.n);
    wr_u32(&w, paper->signatures);
    wr_bytes(&w, paper->list.p, paper->list.n);
    wr_var(&w, standing, s.len);
    TRY(wr_end(&w, "DISK_PERMIT"));
    return keeper_ask_disk(k, DISK_PERMIT, body, w.len, DISK_LOG_ADDED, &m, room, sizeof room, DISK_MS);
}

static err accept(struct keeper *k, struct papers *p, const struct verdict *v, struct standing_paper *paper)
{
    static const enum entry_kind kinds[DOCUMENT_KINDS] = { [DOCUMENT_POLICY] = ENTRY_POLICY, [DOCUMENT_RELEASE] = ENTRY_RELEASE, [DOCUMENT_VETO] = ENTRY_VETO };
    const struct entry e = { .kind = kinds[v->d.kind], .time = p->at.now, .document = paper->document, .signatures = paper->signatures, .signature_list = paper->list };
    bool changed = false;
    paper->accepted = p->at.now;
    standing_take(&p->s, &v->d, paper);
    TRY(standing_settle(&p->s, &changed, &p->at));
    TRY(v->d.kind == DOCUMENT_PERMIT ? permit(k, p, paper) : papers_log(k, &e, &p->s));
    log_info("%s is accepted and logged", document_type(v->d.kind));
    return OK;
}

static err read_paper(struct standing_paper *paper, struct bytes *list, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    *paper = (struct standing_paper){ 0 };
    paper->document.p = rd_var(&r, DOCUMENT_MAX, &paper->document.n);
    paper->signatures = rd_u32(&r);
    if (paper->signatures > STANDING_SIGNATURES) FAIL(E_FORMAT, "a document with %u signatures", paper->signatures);
    paper->list.p = r.p;
    const size_t before = r.left;
    for (uint32_t i = 0; i < paper->signatures; i++) list[i].p = rd_var(&r, ENTRY_SIGNATURE_MAX, &list[i].n);
    paper->list.n = before - r.left;
    TRY(rd_end(&r, "KEEPER_DOCUMENT"));
    if (paper->list.n > STANDING_LIST) FAIL(E_LIMIT, "signatures of %zu bytes", paper->list.n);
    return OK;
}

err keeper_on_document(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct standing_paper paper;
    struct bytes list[STANDING_SIGNATURES];
    struct verdict v = { .outcome = PAPER_REFUSED };
    PAPERS p = { 0 };
    bool is = false;
    (void)pass;
    TRY(read_paper(&paper, list, m));
    if (k->state != PHASE_SERVING && k->state != PHASE_WITNESSING) return msg_send_error(fd, m, (err){ E_STATE });
    err e = papers_look(&p, k);
    if (!e.code) e = known(&is, &v, &paper.document, &p);
    if (!e.code && !is) e = weigh(&v, &p, &paper, list, &k->env->config, k->state == PHASE_WITNESSING && k->log.freshness == FRESH_ROLLBACK);
    /* Before the witnesses have cosigned this start its state may be an old one: nothing but a permit is taken. */
    if (!e.code && !is && !v.reason && k->state == PHASE_WITNESSING && v.d.kind != DOCUMENT_PERMIT) return msg_send_error(fd, m, (err){ E_STATE });
    if (!e.code && !is && !v.reason) e = accept(k, &p, &v, &paper);
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    if (!v.reason) v.outcome = PAPER_AGREED;
    TRY(keeper_show_papers(k, &p.s));
    return answer(&v, p.at.now, fd, m);
}

/* ---- what is in force ---- */

static err put_policy(struct wr *w, const struct standing_paper *policy, const struct papers *p)
{
    struct document d = { 0 };
    struct judgement j = { 0 };
    if (policy->document.n) TRY(standing_judge(&d, &j, policy, &p->s, &p->at));
    wr_u8(w, policy->document.n != 0);
    wr_bytes(w, d.hash, 32);
    wr_u64(w, d.version);
    wr_u64(w, d.expires);
    wr_u64(w, d.delay);
    wr_u64(w, j.ready_at);
    return OK;
}

static err put_release(struct wr *w, const struct standing_paper *release, const struct papers *p)
{
    struct document d;
    enum paper_state state;
    uint64_t ready_at = 0;
    TRY(papers_state(&state, &d, &ready_at, release, p));
    wr_bytes(w, d.hash, 32);
    wr_var(w, d.label, strlen(d.label));
    wr_bytes(w, d.pcr[0], 48);
    wr_u64(w, d.sequence);
    wr_u64(w, d.expires);
    wr_u64(w, ready_at);
    wr_u8(w, (uint8_t)state);
    wr_u8(w, d.emergency);
    return OK;
}

static err render(struct wr *w, const struct papers *p)
{
    wr_u64(w, p->at.now);
    TRY(put_policy(w, &p->s.policy, p));
    TRY(put_policy(w, &p->s.next, p));
    wr_u32(w, (uint32_t)p->s.release_count);
    for (size_t i = 0; i < p->s.release_count; i++) TRY(put_release(w, &p->s.release[i], p));
    return wr_end(w, "KEEPER_STANDING_IS");
}

err keeper_on_standing(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    PAPERS p = { 0 };
    uint8_t body[4096];
    struct wr w = wr_of(body, sizeof body);
    (void)pass;
    if (k->state != PHASE_SERVING && k->state != PHASE_WITNESSING) return msg_send_error(fd, m, (err){ E_STATE });
    err e = papers_look(&p, k);
    if (!e.code) e = render(&w, &p);
    if (e.code) return msg_send_error(fd, m, (err){ E_IO });
    TRY(keeper_show_papers(k, &p.s));
    return msg_send(fd, KEEPER_STANDING_IS, m->seq, body, w.len, 5000);
}

/* What the state statement and /status say: the policy in force, by its hash, and how many releases wait. */
err keeper_show_papers(struct keeper *k, const struct standing *s)
{
    struct document d;
    enum reason why;
    const uint32_t before = k->shown.releases;
    k->has_policy = s->policy.document.n != 0;
    if (k->has_policy) {
        TRY(document_parse(&d, &why, s->policy.document.p, s->policy.document.n));
        memcpy(k->policy, d.hash, 32);
    }
    k->shown.releases = (uint32_t)s->release_count;
    return before == k->shown.releases ? OK : keeper_tell(k, (enum phase)k->state);
}
