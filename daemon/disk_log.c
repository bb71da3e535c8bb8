/* disk_log.c - the service's log at the role disk: this start's entry, the newest checkpoint, and the witnesses, who are
 * asked through the parent (it has the entries, and can forge no cosignature) while everything else goes on. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/io.h"
#include "core/link.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/disk.h"
#include "policy/cosign.h"

enum { ASK_MS = 10000, ANSWER_MS = 20000, WAIT_LEAST_MS = 1000, WAIT_MOST_MS = 60000, FINISH_MS = 8000, OWED_MS = 10000, POLICY_MAX = 64 << 10, ANSWER_MAX = 16 << 10 };

static err read_policy(uint8_t *out, size_t *len, const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(errno == ENOENT ? E_ABSENT : E_IO, "%s: the witnesses' trust policy cannot be opened", path);
    for (ssize_t got; (got = read(fd, out + *len, POLICY_MAX - *len)) != 0; *len += (size_t)got)
        if (got < 0) FAIL(E_IO, "reading %s", path);
    if (*len == POLICY_MAX) FAIL(E_LIMIT, "%s: longer than a trust policy may be", path);
    return OK;
}

err disk_log_warm_up(struct role_env *env)
{
    BYTES text = NULL;
    size_t n = 0;
    if (!env->config.witness_policy[0]) return OK;
    struct witnesses *w = calloc(1, sizeof *w);
    if (!w) FAIL(E_MEMORY, "no memory for the trust policy");
    env->warm = w;
    TRY(mem_new(&text, POLICY_MAX));
    TRY(read_policy(text, &n, env->config.witness_policy));
    TRY(witnesses_parse(w, (const char *)text, n));
    if (w->quorum == WITNESSES_NONE) FAIL(E_FORMAT, "%s: its quorum is none: leave [witness] policy out if nobody is to cosign", env->config.witness_policy);
    return OK;
}

/* ---- opening ---- */

static err add_genesis(struct disk *d, const struct opening *o)
{
    const struct entry e = { .kind = ENTRY_GENESIS, .time = o->boot.time, .document = { o->genesis, o->genesis_len } };
    return journal_add(d->journal, &e);
}

err disk_log_add_boot(struct disk *d, const struct wire_boot *b, const struct head *head)
{
    struct entry e = { .kind = ENTRY_BOOT, .time = b->time, .simulated = b->simulated, .previous = journal_boot(d->journal) };
    memcpy(e.pcr, b->pcr, sizeof e.pcr);
    memcpy(e.random, b->random, 32);
    memcpy(e.release, b->release, 32);
    if (head) {
        e.generation = head->generation;
        memcpy(e.manifest, head->manifest_sha256, 32);
    }
    return journal_add(d->journal, &e);
}

/* An older generation under the newest log. Where nobody was named who has to allow it, it is the operator's to do, and is logged for ever.
 * A generation that the log does not know is nobody's to do: the log was put back. */
static err put_back(struct disk *d, const struct opening *o)
{
    struct entry e = { .kind = ENTRY_ROLLBACK, .time = o->boot.time, .generation = d->head.head.generation };
    uint8_t newest[32];
    size_t standing = 0;
    e.known = journal_last(d->journal, newest);
    memcpy(e.manifest, d->head.head.manifest_sha256, 32);
    (void)journal_state(d->journal, &standing);
    if (d->log.witnesses || standing || e.generation >= e.known) {
        log_error("rollback detected: generation %llu is offered, but the log's last is %llu%s. Nothing is signed. Stop, put the newest copy back "
                  "(holdfast backups lists them) and start again; or have the maintainers sign a permit (holdfast permit)",
                  (unsigned long long)e.generation, (unsigned long long)e.known, e.generation == e.known ? ", another one" : "");
        d->log.held = true;
        return OK;
    }
    log_warn("generation %llu is older than the log's last, %llu: nobody is named who has to allow that, so it is accepted, and logged",
             (unsigned long long)e.generation, (unsigned long long)e.known);
    return journal_add(d->journal, &e);
}

err disk_log_open(struct disk *d, const struct opening *o)
{
    TRY(journal_new(&d->journal, d->log_key, d->service_id, d->epoch, d->store));
    secret_drop(&d->log_key);
    if (o->fresh) {
        TRY(add_genesis(d, o));
        TRY(disk_log_add_boot(d, &o->boot, NULL));
    }
    else {
        TRY(journal_resume(d->journal, &d->head.head));
        if (!journal_fits(d->journal, &d->head.head)) TRY(put_back(d, o));
    }
    const struct seal_journal hooks = journal_hooks(d->journal);
    seal_use_journal(d->sealer, &hooks);
    return OK;
}

err disk_log_booted(struct disk *d, const struct opening *o)
{
    d->log.pending = o->boot;
    if (d->log.held) {
        if (d->record) FAIL(E_STATE, "no build takes over a service that was put back");
        d->log.shown.freshness = FRESH_ROLLBACK;
        return OK;
    }
    if (!o->fresh) {
        TRY(disk_log_add_boot(d, &o->boot, &d->head.head));
        /* A build that takes the service over brings a record of its own, which goes with a generation. */
        if (d->record) TRY(disk_first_seal(d));
        else TRY(seal_log(d->sealer, (uint64_t)time(NULL)));
    }
    d->log.boot = journal_boot(d->journal);
    d->log.anchored_generation = d->shown.generation;
    d->log.shown.freshness = d->log.witnesses ? FRESH_WAITING : FRESH_NONE;
    return OK;
}

/* ---- telling ---- */

/* The keeper may be long in asking KMS: it gets one word at a time, so that nobody waits for it, and then the newest. */
static err tell_both(struct disk *d, bool to_web)
{
    BYTES body = NULL;
    struct wire_log *l = &d->log.shown;
    TRY(mem_new(&body, WIRE_LOG_MOST));
    struct wr w = wr_of(body, WIRE_LOG_MOST);
    memcpy(l->key, journal_key(d->journal)->key, 32);
    l->generation = d->shown.generation;
    l->sealed = d->sealed_at_entry + 1;
    memcpy(l->head, d->manifest, 32);
    journal_root(l->root, d->journal);
    l->number = journal_number(d->journal);
    l->size = journal_size(d->journal);
    l->unanchored = d->log.witnesses ? d->shown.generation - d->log.anchored_generation : 0;
    wire_put_log(&w, l);
    wr_var(&w, d->log.note, d->log.note_len);
    TRY(wr_end(&w, "DISK_LOG"));
    err e = to_web ? msg_send(d->env->peer[ROLE_WEB], DISK_LOG, 0, body, w.len, 5000) : OK;
    if (e.code && e.code != E_CLOSED) return e;             /* web is the first to go when the enclave stops */
    d->log.more = d->log.reading;
    if (d->log.reading) return OK;
    d->log.reading = true;
    return msg_send(d->env->peer[ROLE_KEEPER], DISK_LOG, 0, body, w.len, 5000);
}

static err tell(struct disk *d)
{
    return tell_both(d, true);
}

err disk_on_log_seen(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    (void)fd, (void)m, (void)pass;
    d->log.reading = false;
    return d->log.more ? tell_both(d, false) : OK;
}

static err tell_anchored(struct disk *d)
{
    if (d->log.anchored) return OK;
    d->log.anchored = true;
    return msg_send(d->env->peer[ROLE_KEEPER], DISK_ANCHORED, 0, NULL, 0, 5000);
}

/* Without witnesses the newest checkpoint is what there is to show. */
static err keep_note(struct disk *d, const uint8_t *p, size_t n)
{
    BYTES copy = NULL;
    TRY(mem_new(&copy, n));
    memcpy(copy, p, n);
    mem_free_bytes(&d->log.note);
    d->log.note = take_bytes(&copy);
    d->log.note_len = n;
    return OK;
}

static err make_question(struct disk *d)
{
    struct wr w = wr_of(d->log.question, sizeof d->log.question);
    TRY(journal_checkpoint(&w, d->journal));
    d->log.question_len = w.len;
    d->log.asked = journal_size(d->journal);
    d->log.asked_generation = d->shown.generation;
    return OK;
}

err disk_log_tell(struct disk *d)
{
    if (journal_size(d->journal) == d->log.shown.size) return OK;
    if (!d->log.witnesses && !d->log.held) {
        TRY(make_question(d));
        TRY(keep_note(d, d->log.question, d->log.question_len));
        TRY(tell(d));
        return tell_anchored(d);
    }
    if (!d->log.waiting) d->log.next_ms = 0;                /* else the answer to the question before this one comes first */
    return tell(d);
}

/* ---- what limits wait for ---- */

static err answer_owed(struct disk *d, enum spend_verdict v)
{
    const uint8_t one = (uint8_t)v;
    d->log.owes = false;
    return msg_send(d->env->peer[ROLE_BOOK], BOOK_SEALED, d->log.owed_seq, &one, 1, 5000);
}

err disk_log_owe(struct disk *d, uint16_t seq, enum spend_verdict sealed)
{
    struct disk_log *l = &d->log;
    if (l->owes) FAIL(E_STATE, "the book asked for a seal while it waits for one");
    l->owes = true;
    l->owed_seq = seq;
    l->owed = journal_size(d->journal);
    l->owed_until_ms = disk_now_ms() + OWED_MS;
    return sealed == SPEND_GRANTED && l->witnesses ? OK : answer_owed(d, sealed);
}

/* Signing without limits goes on while the witnesses are away; with them a bounded wait, and a refusal that says why. */
static err owed_in_time(struct disk *d, uint64_t now, int *timeout_ms)
{
    const struct disk_log *l = &d->log;
    if (!l->owes) return OK;
    if (now >= l->owed_until_ms) return answer_owed(d, SPEND_UNWITNESSED);
    const uint64_t left = l->owed_until_ms - now;
    if (*timeout_ms < 0 || left < (uint64_t)*timeout_ms) *timeout_ms = (int)left + 1;
    return OK;
}

/* ---- the witnesses ---- */

static void later(struct disk *d)
{
    struct disk_log *l = &d->log;
    fd_close(&l->fd);
    l->waiting = false;
    l->wait_ms = l->wait_ms ? 2 * l->wait_ms : WAIT_LEAST_MS;
    if (l->wait_ms > WAIT_MOST_MS) l->wait_ms = WAIT_MOST_MS;
    l->next_ms = disk_now_ms() + l->wait_ms;
}

static err take_answer(void *self);

static err ask(struct disk *d)
{
    uint8_t body[JOURNAL_NOTE + 128];
    struct wr w = wr_of(body, sizeof body);
    TRY(make_question(d));
    wr_u32(&w, ASK_MS);
    wr_var(&w, d->log.question, d->log.question_len);
    wr_var(&w, journal_name(d->journal), strlen(journal_name(d->journal)));
    TRY(wr_end(&w, "LINK_ANCHOR"));
    /* One connection for all questions: the parent keeps what it has read of the log with it. */
    if (d->log.fd < 0) {
        TRY(role_want(d->env, GIVE_PARENT, 0, &d->log.fd));
        TRY(link_hello(d->log.fd, LINK_WITNESS, NULL, 0, 5000));
        loop_first(d->loop, &d->log.fd, take_answer);
    }
    TRY(msg_send(d->log.fd, LINK_ANCHOR, 1, body, w.len, 5000));
    d->log.waiting = true;
    d->log.next_ms = disk_now_ms() + ANSWER_MS;             /* then it is given up */
    return OK;
}

err disk_log_tick(struct disk *d, int *timeout_ms)
{
    struct disk_log *l = &d->log;
    const uint64_t now = disk_now_ms();
    TRY(owed_in_time(d, now, timeout_ms));                  /* also when nobody is asked any more: the log may be another build's by now */
    if (!l->witnesses || l->held || l->shown.cosigned >= journal_size(d->journal)) return OK;
    if (l->waiting && now >= l->next_ms) {
        log_warn("the parent did not say in time what the witnesses answer");
        later(d);
    }
    /* What cannot be asked now is asked again; nothing else waits for it. */
    if (!l->waiting && now >= l->next_ms && ask(d).code) later(d);
    const uint64_t left = l->next_ms > now ? l->next_ms - now : 0;
    if (*timeout_ms < 0 || left < (uint64_t)*timeout_ms) *timeout_ms = (int)left + 1;
    return OK;
}

static const struct note_key *witness_of(const struct witnesses *w, uint32_t id)
{
    for (size_t i = 0; i < w->name_count; i++)
        if (!w->names[i].threshold && w->names[i].key.id == id) return &w->names[i].key;
    return NULL;
}

/* The question with the cosignatures that came, as a note; those of strangers are left out. */
static err assemble(uint8_t *out, size_t *len, const struct disk *d, struct rd *r, uint32_t count)
{
    struct wr w = wr_of(out, ANSWER_MAX);
    wr_bytes(&w, d->log.question, d->log.question_len);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t signature[NOTE_SIGNATURE];
        const uint32_t id = rd_u32(r);
        struct wr s = wr_of(signature, sizeof signature);
        wr_u64be(&s, rd_u64(r));
        const uint8_t *bytes = rd_bytes(r, 64);
        if (!bytes) break;
        wr_bytes(&s, bytes, 64);
        const struct note_key *k = witness_of(d->log.witnesses, id);
        if (k) note_write_signature(&w, k, signature, s.len);
    }
    *len = w.len;
    return wr_end(&w, "a cosigned checkpoint");
}

static err weigh(bool *enough, struct disk *d, const struct msg *m)
{
    BYTES note = NULL;
    struct note parsed;
    size_t len = 0;
    struct rd r = rd_of(m->body, m->len);
    *enough = false;
    d->log.shown.told = rd_u64(&r);
    const uint32_t count = rd_u32(&r);
    if (!rd_ok(&r) || count >= NOTE_SIGNATURES) FAIL(E_FORMAT, "an answer with %u cosignatures", count);
    TRY(mem_new(&note, ANSWER_MAX));
    TRY(assemble(note, &len, d, &r, count));
    TRY(rd_end(&r, "LINK_ANCHORED"));
    TRY(note_parse(&parsed, (const char *)note, len));
    TRY(witnesses_check(enough, d->log.witnesses, &parsed));
    return *enough ? keep_note(d, note, len) : OK;
}

static err anchored(struct disk *d)
{
    struct disk_log *l = &d->log;
    if (l->shown.freshness != FRESH_WITNESSED) log_info("the witnesses have cosigned the log's %llu entries", (unsigned long long)l->asked);
    l->shown.freshness = FRESH_WITNESSED;
    l->shown.cosigned = l->asked;
    l->anchored_generation = l->asked_generation;
    l->wait_ms = 0;
    l->next_ms = 0;
    TRY(tell(d));
    if (l->owes && l->shown.cosigned >= l->owed) TRY(answer_owed(d, SPEND_GRANTED));
    return l->asked > l->boot ? tell_anchored(d) : OK;
}

/* A witness that has seen more of this log than there is: this state is an old one, or another enclave goes on from it. One
 * that signs already must not go on; at the start nothing is signed before the quorum is there. */
static err not_enough(struct disk *d)
{
    struct disk_log *l = &d->log;
    const bool more = l->shown.told >= l->asked;
    /* The build that this one handed over to is ahead, as it should be. */
    if (more && d->handed_over) {
        l->shown.cosigned = journal_size(d->journal);
        return OK;
    }
    const uint8_t was = l->shown.freshness;
    l->shown.freshness = more ? FRESH_ROLLBACK : FRESH_UNREACHABLE;
    later(d);
    if (more && l->anchored)
        FAIL(E_STATE, "rollback detected: a witness has cosigned %llu entries of this log, which has %llu here: another enclave goes on from this state",
             (unsigned long long)l->shown.told, (unsigned long long)l->asked);
    if (more && was != FRESH_ROLLBACK)
        log_error("rollback detected: a witness has cosigned %llu entries of this log, the store's has %llu. Nothing is signed. "
                  "Stop, put the newest copy of the store back, and start again; or have the maintainers sign a permit (holdfast permit)",
                  (unsigned long long)l->shown.told, (unsigned long long)l->asked);
    else if (!more && was != FRESH_UNREACHABLE) log_warn("too few witnesses have cosigned; they are asked again");
    return tell(d);
}

/* Whatever is wrong with the parent's answer is a failure to reach the witnesses, no more. */
static err take_answer(void *self)
{
    struct disk *d = self;
    BYTES room = NULL;
    struct msg m;
    bool enough = false;
    /* The parent ends a connection that was silent for long. */
    if (!d->log.waiting) {
        fd_close(&d->log.fd);
        return OK;
    }
    TRY(mem_new(&room, ANSWER_MAX));
    err e = msg_recv(d->log.fd, &m, room, ANSWER_MAX, NULL, 2000);
    if (!e.code && m.type == MSG_ERROR && m.len == 1 && m.body[0] == E_ABSENT) log_warn("the parent has no witnesses to ask: [witness] policy in its configuration");
    if (!e.code && m.type != LINK_ANCHORED) e = (err){ E_FORMAT };
    if (!e.code) e = weigh(&enough, d, &m);
    d->log.waiting = false;
    if (e.code) {
        fd_close(&d->log.fd);
        d->log.shown.told = 0;                              /* what was said another time is no answer to this */
    }
    else loop_first(d->loop, &d->log.fd, take_answer);
    if (e.code == E_MEMORY) return e;
    return enough ? anchored(d) : not_enough(d);
}

void disk_log_finish(struct disk *d)
{
    struct disk_log *l = &d->log;
    if (!l->witnesses || !l->anchored) return;
    l->owes = false;                                        /* the book is closed, and its judges end with us */
    l->next_ms = 0;
    for (const uint64_t until = disk_now_ms() + FINISH_MS; l->shown.cosigned < journal_size(d->journal) && disk_now_ms() < until;) {
        int wait = 100;
        if (disk_log_tick(d, &wait).code) return;
        struct pollfd p = { .fd = l->fd, .events = POLLIN };
        if (poll(&p, 1, wait) == 1 && take_answer(d).code) return;
    }
    if (l->shown.cosigned < journal_size(d->journal)) log_warn("the witnesses have not cosigned the last seal: a store put back to before it would not be noticed");
}

/* ---- what the keeper asks ---- */

err disk_on_standing(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    BYTES body = NULL;
    size_t n = 0;
    (void)pass;
    const uint8_t *standing = journal_state(d->journal, &n);
    TRY(mem_new(&body, n + 64));
    struct wr w = wr_of(body, n + 64);
    wr_u64(&w, d->shown.generation);
    wr_bytes(&w, d->manifest, 32);
    wr_u64(&w, d->sealed_at_entry + 1);
    wr_var(&w, standing, n);
    TRY(wr_end(&w, "DISK_STANDING_IS"));
    return msg_send(fd, DISK_STANDING_IS, m->seq, body, w.len, 5000);
}

/* An entry and what follows from it, durable together or not at all; if the store's answer is lost, whoever asks again finds out. */
err disk_on_log_add(void *self, int fd, const struct msg *m, int *pass)
{
    struct disk *d = self;
    struct rd r = rd_of(m->body, m->len);
    struct entry e;
    size_t n = 0, standing_len = 0;
    (void)pass;
    const uint8_t *bytes = rd_var(&r, TAIL_ENTRY_MAX, &n), *standing = rd_var(&r, TAIL_STATE_MAX, &standing_len);
    TRY(rd_end(&r, "DISK_LOG_ADD"));
    TRY(entry_parse(&e, bytes, n));
    err done = disk_store_again(d);
    if (!done.code) done = journal_add(d->journal, &e);
    if (!done.code) done = journal_set_state(d->journal, standing, standing_len);
    if (!done.code) done = seal_log(d->sealer, (uint64_t)time(NULL));
    if (done.code) {
        journal_forget(d->journal);
        d->store_broken = true;
        if (done.code == E_STATE) return done;              /* the head is another's */
        return msg_send_error(fd, m, done);
    }
    uint8_t size[8];
    struct wr w = wr_of(size, sizeof size);
    wr_u64(&w, journal_size(d->journal));
    TRY(msg_send(fd, DISK_LOG_ADDED, m->seq, size, sizeof size, 5000));
    return disk_log_tell(d);
}
