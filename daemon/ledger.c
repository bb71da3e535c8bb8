/* ledger.c - the keeper and the service's log: what disk says about it, and what time it is. */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "daemon/keeper.h"
#include "keystore/attest.h"

err keeper_on_log(void *self, int fd, const struct msg *m, int *pass)
{
    struct keeper *k = self;
    struct rd r = rd_of(m->body, m->len);
    size_t n = 0;
    (void)pass;
    wire_get_log(&r, &k->log);
    (void)rd_var(&r, WIRE_LOG_MOST, &n);
    TRY(rd_end(&r, "DISK_LOG"));
    return msg_send(fd, DISK_LOG_SEEN, 0, NULL, 0, 5000);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One unasked frame of disk's. */
static err take_in(struct keeper *k, const struct msg *m)
{
    const int disk = k->env->peer[ROLE_DISK];
    int none = -1;
    for (size_t i = 0; i < keeper_disk_table.count; i++) {
        const struct msg_rule *rule = &keeper_disk_table.rules[i];
        if (rule->type == m->type && m->len >= rule->min && m->len <= rule->max && rule->when & 1u << k->state) return rule->on(k, disk, m, &none);
    }
    FAIL(E_STATE, "disk said %u unasked", m->type);
}

err keeper_await_anchor(struct keeper *k, int within_ms)
{
    BYTES room = NULL;
    TRY(mem_new(&room, WIRE_LOG_MOST));
    for (const uint64_t until = now_ms() + (uint64_t)within_ms; k->state == PHASE_WITNESSING;) {
        struct pollfd p[2] = { { .fd = k->env->peer[ROLE_DISK], .events = POLLIN }, { .fd = k->env->control, .events = POLLIN } };
        struct msg m;
        const uint64_t now = now_ms();
        if (now >= until || poll(p, 2, (int)(until - now)) <= 0 || p[1].revents) return OK;
        TRY(msg_recv(p[0].fd, &m, room, WIRE_LOG_MOST, NULL, 10000));
        TRY(take_in(k, &m));
    }
    return OK;
}

err keeper_ask_disk(struct keeper *k, uint16_t type, const void *body, size_t n, uint16_t want, struct msg *m, void *room, size_t cap, int deadline_ms)
{
    enum { SEQ = 7 };
    const int disk = k->env->peer[ROLE_DISK];
    const size_t most = cap > WIRE_LOG_MOST ? cap : WIRE_LOG_MOST;      /* what it says unasked may be longer than the answer */
    BYTES any = NULL;
    TRY(mem_new(&any, most));
    TRY(msg_send(disk, type, SEQ, body, n, 10000));
    for (;;) {
        TRY(msg_recv(disk, m, any, most, NULL, deadline_ms));
        if (m->seq == SEQ && m->type == want) {
            if (m->len > cap) FAIL(E_LIMIT, "disk answers with %u bytes", m->len);
            if (m->len) memcpy(room, m->body, m->len);
            m->body = room;
            return OK;
        }
        if (m->seq == SEQ && m->type == MSG_ERROR && m->len == 1 && m->body[0] && m->body[0] < E_CODES) return (err){ (enum err_code)m->body[0] };
        TRY(take_in(k, m));
    }
}

/* The document is this module's own answer to this process, so that its form is all there is to check. */
err keeper_now(struct keeper *k, uint64_t *now, uint8_t pcr[static 3][48])
{
    BYTES bytes = NULL;
    struct attest_doc doc;
    size_t n = 0;
    const struct bytes none = { NULL, 0 };
    TRY(mem_new(&bytes, NSM_RESPONSE_MAX));
    TRY(nsm_attestation(&k->nsm, bytes, NSM_RESPONSE_MAX, &n, none, none, none));
    TRY(attest_parse(&doc, bytes, n));
    *now = doc.timestamp_ms / 1000;
    for (unsigned i = 0; i < 3; i++) {
        if (!doc.pcr[i]) FAIL(E_FORMAT, "the security module's document has no PCR%u", i);
        memcpy(pcr[i], doc.pcr[i], 48);
    }
    return OK;
}
