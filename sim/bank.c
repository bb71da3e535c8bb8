/* bank.c - PCRs, documents and the state file of the simulated module. */
#include "sim/bank.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "core/buf.h"
#include "core/mem.h"
#include "keystore/attest.h"

enum { STATE_MAX = 8192, REISSUE = 30 * 60 };

/* ---- the machine and its file -------------------------------------------- */

static bool instance_ok(const char *s, size_t n)
{
    if (n != BANK_INSTANCE - 1 || memcmp(s, "i-", 2) != 0) return false;
    return strspn(s + 2, "0123456789abcdef") >= n - 2;
}

/* AWS: PCR4 = SHA384(48 zero bytes || instance id). */
static void measure_instance(struct machine *m)
{
    uint8_t text[NSM_PCR_LEN + BANK_INSTANCE - 1] = { 0 };
    memcpy(text + NSM_PCR_LEN, m->instance, BANK_INSTANCE - 1);
    sha384(m->pcr[4], text, sizeof text);
}

static err make_machine(struct machine *m)
{
    static const char *const what[3] = { "holdfast-sim: image", "holdfast-sim: kernel", "holdfast-sim: application" };
    uint8_t id[9];
    char hex[19];
    TRY(random_bytes(id, sizeof id));
    hex_from(hex, id, sizeof id);
    snprintf(m->instance, sizeof m->instance, "i-%.17s", hex);
    /* Known values, so that a key policy can be written before the first start. */
    for (size_t i = 0; i < 3; i++) sha384(m->pcr[i], what[i], strlen(what[i]));
    measure_instance(m);
    return OK;
}

/* "pcr N HEX" or "instance ID", one a line. */
static err parse_line(struct machine *m, unsigned *seen, const char *line, size_t n)
{
    unsigned i = 0;
    int at = 0;
    if (n > 9 && memcmp(line, "instance ", 9) == 0) {
        if (!instance_ok(line + 9, n - 9) || (*seen & 1u << 31)) FAIL(E_FORMAT, "nsm.state: bad instance line");
        memcpy(m->instance, line + 9, BANK_INSTANCE - 1);
        *seen |= 1u << 31;
        return OK;
    }
    char text[160];
    if (n >= sizeof text) FAIL(E_FORMAT, "nsm.state: a line is too long");
    memcpy(text, line, n);
    text[n] = 0;
    if (sscanf(text, "pcr %2u %n", &i, &at) != 1 || at == 0 || i >= BANK_MEASURED || (*seen & 1u << i))
        FAIL(E_FORMAT, "nsm.state: bad line");
    *seen |= 1u << i;
    return hex_to(m->pcr[i], NSM_PCR_LEN, text + at, n - (size_t)at);
}

static err parse_state(struct machine *m, const char *text, size_t n)
{
    unsigned seen = 0;
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        if (!end) FAIL(E_FORMAT, "nsm.state: the last line is not ended");
        size_t line = (size_t)(end - text);
        TRY(parse_line(m, &seen, text, line));
        text += line + 1;
        n -= line + 1;
    }
    if (!(seen & 1u << 31)) FAIL(E_FORMAT, "nsm.state: no instance line");
    return OK;
}

static err state_path(char out[static 4096], const char *dir, const char *name)
{
    int n = snprintf(out, 4096, "%s/%s", dir, name);
    if (n < 0 || n >= 4096) FAIL(E_LIMIT, "the state folder's path is too long");
    return OK;
}

err machine_open(struct machine *m, const char *dir)
{
    char path[4096], text[STATE_MAX];
    memset(m, 0, sizeof *m);
    TRY(state_path(path, dir, "nsm.state"));
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        TRY(make_machine(m));
        return machine_save(m, dir);
    }
    if (fd < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0) FAIL(E_IO, "%s: %s", path, strerror(errno));
    if (n == (ssize_t)sizeof text) FAIL(E_FORMAT, "%s: too long", path);
    return parse_state(m, text, (size_t)n);
}

err machine_save(const struct machine *m, const char *dir)
{
    char path[4096], temporary[4096], text[STATE_MAX], hex[2 * NSM_PCR_LEN + 1];
    TRY(state_path(path, dir, "nsm.state"));
    TRY(state_path(temporary, dir, "nsm.state.new"));
    int n = snprintf(text, sizeof text, "instance %s\n", m->instance);
    for (unsigned i = 0; i < BANK_MEASURED; i++) {
        hex_from(hex, m->pcr[i], NSM_PCR_LEN);
        n += snprintf(text + n, sizeof text - (size_t)n, "pcr %u %s\n", i, hex);
    }
    FD fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, (size_t)n) != n || fsync(fd) < 0 || rename(temporary, path) < 0)
        FAIL(E_IO, "%s: %s", path, strerror(errno));
    return OK;
}

/* ---- one enclave's life --------------------------------------------------- */

struct enclave {
    const struct machine *machine;
    const struct pki *pki;
    struct pki_chain *chain;
    char module_id[NSM_MODULE_ID_MAX];
    uint8_t pcr[NSM_PCRS][NSM_PCR_LEN];
    uint32_t locked;
};

err enclave_new(struct enclave **out, const struct machine *m, const struct pki *p)
{
    uint8_t id[8];
    char hex[17];
    __attribute__((cleanup(enclave_free))) struct enclave *e = calloc(1, sizeof *e);
    if (!e) FAIL(E_MEMORY, "no memory for an enclave");
    TRY(random_bytes(id, sizeof id));
    hex_from(hex, id, sizeof id);
    snprintf(e->module_id, sizeof e->module_id, "%s-enc%s", m->instance, hex);
    e->machine = m;
    e->pki = p;
    e->locked = (1u << BANK_MEASURED) - 1;
    memcpy(e->pcr, m->pcr, sizeof m->pcr);
    static const unsigned hidden[] = { 0, 1, 2, 8 };
    for (size_t i = 0; m->debug && i < 4; i++) memset(e->pcr[hidden[i]], 0, NSM_PCR_LEN);
    TRY(pki_issue(&e->chain, p, m->instance, e->module_id, (int64_t)time(NULL)));
    *out = e;
    e = NULL;
    return OK;
}

void enclave_free(struct enclave **e)
{
    if (!*e) return;
    pki_chain_free(&(*e)->chain);
    free(*e);
    *e = NULL;
}

static void refuse(struct nsm_response *a, enum nsm_error error)
{
    *a = (struct nsm_response){ .op = NSM_REFUSED, .error = error };
}

static struct bytes pcr_bytes(const struct enclave *e, unsigned i)
{
    return (struct bytes){ e->pcr[i], NSM_PCR_LEN };
}

/* new = SHA384(old || data), the data as it came. */
static err extend(struct enclave *e, struct nsm_response *a, const struct nsm_request *q)
{
    BYTES text = NULL;
    TRY(mem_new(&text, NSM_PCR_LEN + q->data.n));
    memcpy(text, e->pcr[q->index], NSM_PCR_LEN);
    if (q->data.n > 0) memcpy(text + NSM_PCR_LEN, q->data.p, q->data.n);
    sha384(e->pcr[q->index], text, NSM_PCR_LEN + q->data.n);
    a->data = pcr_bytes(e, q->index);
    return OK;
}

static err on_pcr(struct enclave *e, struct nsm_response *a, const struct nsm_request *q)
{
    if (q->index >= NSM_PCRS) {
        refuse(a, NSM_INVALID_INDEX);
        return OK;
    }
    bool locked = e->locked & 1u << q->index;
    if (q->op == NSM_DESCRIBE_PCR) {
        a->lock = locked;
        a->data = pcr_bytes(e, q->index);
        return OK;
    }
    if (locked) {
        refuse(a, NSM_READ_ONLY_INDEX);
        return OK;
    }
    if (q->op == NSM_EXTEND_PCR) return extend(e, a, q);
    e->locked |= 1u << q->index;
    return OK;
}

static void on_lock_range(struct enclave *e, struct nsm_response *a, const struct nsm_request *q)
{
    if (q->index > NSM_PCRS) refuse(a, NSM_INVALID_INDEX);
    else e->locked |= q->index == NSM_PCRS ? UINT32_MAX : (1u << q->index) - 1;
}

/* The real module renews its certificate too: a document is never signed by an expired one. */
static err refresh_chain(struct enclave *e, int64_t now)
{
    if (now + REISSUE < pki_until(e->chain)) return OK;
    pki_chain_free(&e->chain);
    return pki_issue(&e->chain, e->pki, e->machine->instance, e->module_id, now);
}

static err on_attestation(struct enclave *e, struct nsm_response *a, const struct nsm_request *q,
                          uint8_t doc[static NSM_RESPONSE_MAX])
{
    struct timespec now;
    size_t n = 0;
    if (q->user_data.n > NSM_USER_DATA_MAX || q->nonce.n > NSM_NONCE_MAX || q->public_key.n > NSM_PUBLIC_KEY_MAX) {
        refuse(a, NSM_INPUT_TOO_LARGE);
        return OK;
    }
    if (clock_gettime(CLOCK_REALTIME, &now) < 0) FAIL(E_IO, "clock_gettime: %s", strerror(errno));
    TRY(refresh_chain(e, now.tv_sec));
    struct attest_doc d = {
        .module_id = { e->module_id, strlen(e->module_id) },
        .timestamp_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
        .certificate = pki_certificate(e->chain, PKI_CHAIN - 1), .cabundle_count = PKI_CHAIN - 1,
        .public_key = q->public_key, .user_data = q->user_data, .nonce = q->nonce,
    };
    for (size_t i = 0; i + 1 < PKI_CHAIN; i++) d.cabundle[i] = pki_certificate(e->chain, i);
    /* Only locked PCRs are in a document. */
    for (unsigned i = 0; i < NSM_PCRS; i++)
        if (e->locked & 1u << i) d.pcr[i] = e->pcr[i];
    TRY(attest_make(doc, NSM_RESPONSE_MAX, &n, &d, true, pki_sign, e->chain));
    a->data = (struct bytes){ doc, n };
    return OK;
}

static void on_describe(const struct enclave *e, struct nsm_response *a)
{
    a->about.major = 1;
    a->about.max_pcrs = NSM_PCRS;
    a->about.locked = e->locked;
    a->about.module_id = (struct bytes){ e->module_id, strlen(e->module_id) };
    a->about.digest = (struct bytes){ "SHA384", 6 };
}

static err on_random(struct nsm_response *a, uint8_t room[static NSM_RESPONSE_MAX])
{
    TRY(random_bytes(room, NSM_RANDOM_MAX));
    a->data = (struct bytes){ room, NSM_RANDOM_MAX };
    return OK;
}

static err dispatch(struct enclave *e, struct nsm_response *a, const struct nsm_request *q, uint8_t room[static NSM_RESPONSE_MAX])
{
    *a = (struct nsm_response){ .op = q->op };
    switch (q->op) {
    case NSM_DESCRIBE_PCR:
    case NSM_EXTEND_PCR:
    case NSM_LOCK_PCR: return on_pcr(e, a, q);
    case NSM_LOCK_PCRS: on_lock_range(e, a, q); return OK;
    case NSM_DESCRIBE: on_describe(e, a); return OK;
    case NSM_ATTESTATION: return on_attestation(e, a, q, room);
    case NSM_GET_RANDOM: return on_random(a, room);
    default: refuse(a, NSM_INVALID_OPERATION); return OK;
    }
}

err enclave_answer(struct enclave *e, uint8_t answer[static NSM_RESPONSE_MAX], size_t *len, const void *request, size_t n)
{
    struct nsm_request q;
    struct nsm_response a;
    BYTES room = NULL;
    TRY(mem_new(&room, NSM_RESPONSE_MAX));
    if (nsm_request_parse(&q, request, n).code) refuse(&a, NSM_INVALID_OPERATION);
    else TRY(dispatch(e, &a, &q, room));
    struct wr w = wr_of(answer, NSM_RESPONSE_MAX);
    TRY(nsm_response_build(&w, &a));
    *len = w.len;
    return OK;
}
