/* fetch: the enclave's one way to KMS. It holds session credentials and no key,
 * ends TLS, parses JSON, and passes envelopes on unopened. Init starts it again if it dies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/io.h"
#include "core/link.h"
#include "core/log.h"
#include "core/mem.h"
#include "daemon/loop.h"
#include "daemon/roles.h"
#include "daemon/wire.h"
#include "keystore/kms.h"
#include "keystore/kms_gather.h"

enum { CA_MAX = 1 << 20, ROOM = 32 << 10, ONE_STATE = 1u, EVIDENCE_MS = 60000 };

struct fetch {
    struct role_env *env;
    struct kms      *kms;
    char             arn[ARN_MAX];    /* the key that `kms` is open for            */
    char             host[ARN_HOST_MAX];
    uint16_t         port;
    struct creds_source source;
    uint8_t         *ca;
    size_t           ca_len;
};

/* The authorities are read while files can still be opened; the key is named later. */
static err read_ca(struct fetch *f, const char *path)
{
    FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) FAIL(E_ABSENT, "[kms] ca: %s cannot be read", path);
    off_t size = lseek(fd, 0, SEEK_END);
    if (size <= 0 || size > CA_MAX || lseek(fd, 0, SEEK_SET) != 0) FAIL(E_FORMAT, "[kms] ca: %s is empty or too large", path);
    TRY(mem_new(&f->ca, (size_t)size));
    f->ca_len = (size_t)size;
    return fd_read(fd, f->ca, f->ca_len, -1);
}

static err read_endpoint(struct fetch *f, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (n >= sizeof f->host) FAIL(E_LIMIT, "[kms] endpoint: too long");
    memcpy(f->host, text, n);
    f->host[n] = 0;
    if (!colon) return OK;
    char *rest = NULL;
    unsigned long port = strtoul(colon + 1, &rest, 10);
    if (*rest || !port || port > 65535) FAIL(E_FORMAT, "[kms] endpoint: `%s` is no port", colon + 1);
    f->port = (uint16_t)port;
    return OK;
}

/* Out of the environment and into `out`; what stood there is wiped. */
static err take_variable(char *out, size_t room, const char *name)
{
    char *value = getenv(name);
    if (!value) return OK;
    size_t n = strlen(value);
    if (n >= room) FAIL(E_LIMIT, "%s is too long", name);
    memcpy(out, value, n + 1);
    mem_wipe(value, n);
    return OK;
}

static err take_environment(struct fetch *f)
{
    struct creds *c = &f->source.given;
    TRY(take_variable(c->access_key, sizeof c->access_key, "AWS_ACCESS_KEY_ID"));
    TRY(take_variable(c->secret_key, sizeof c->secret_key, "AWS_SECRET_ACCESS_KEY"));
    TRY(take_variable(c->token, sizeof c->token, "AWS_SESSION_TOKEN"));
    TRY(take_variable(f->source.authorization, sizeof f->source.authorization, "AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    (void)clearenv();
    return OK;
}

static err choose_source(struct fetch *f, const char *word)
{
    TRY(take_environment(f));
    if (strcmp(word, "env") == 0) {
        f->source.kind = CREDS_GIVEN;
        if (!f->source.given.access_key[0] || !f->source.given.secret_key[0])
            FAIL(E_ABSENT, "[kms] credentials is env, but AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set");
        return OK;
    }
    creds_wipe(&f->source.given);
    if (strcmp(word, "imds") == 0) return OK;
    struct creds_source named = { 0 };
    TRY(creds_container_uri(&named, word));
    memcpy(named.authorization, f->source.authorization, sizeof named.authorization);
    f->source = named;
    return OK;
}

err fetch_warm_up(struct role_env *env)
{
    struct fetch *f = calloc(1, sizeof *f);
    if (!f) FAIL(E_MEMORY, "fetch");
    f->env = env;
    env->warm = f;
    TRY(kms_warm_up());
    TRY(choose_source(f, env->config.kms_credentials));
    TRY(read_endpoint(f, env->config.kms_endpoint));
    return read_ca(f, env->config.kms_ca);
}

/* libcurl asks for a connection; init makes it, the parent joins it to host:port. */
static err dial(void *self, const char *host, uint16_t port, int *fd)
{
    struct fetch *f = self;
    FD way = -1;
    TRY(role_want(f->env, GIVE_EGRESS, EGRESS_KMS, &way));
    TRY(link_hello(way, LINK_EGRESS, host, port, 10000));
    *fd = take_fd(&way);
    return OK;
}

static err open_for(struct fetch *f, const char *arn)
{
    if (f->kms && strcmp(f->arn, arn) == 0) return OK;
    kms_close(&f->kms);
    struct kms_config c = { .key_arn = arn, .endpoint_host = f->host, .endpoint_port = f->port,
                            .fips = f->env->config.kms_fips, .ca_pem = f->ca, .ca_pem_len = f->ca_len, .creds = f->source };
    err e = kms_open(&f->kms, &c, dial, f);
    mem_wipe(&c.creds, sizeof c.creds);
    TRY(e);
    snprintf(f->arn, sizeof f->arn, "%s", arn);
    return OK;
}

static void text(struct wr *w, const char *s) { wr_var(w, s, strlen(s)); }

static err answer(int fd, const struct msg *m, bool ok, const struct kms_answer *a)
{
    BYTES out = NULL;
    enum { CAP = KMS_CMS_MAX + 4096 };
    TRY(mem_new(&out, CAP));
    struct wr w = wr_of(out, CAP);
    wr_u8(&w, ok);
    wr_u8(&w, a->how.retryable);
    text(&w, a->how.error_type);
    wr_var(&w, a->cms, ok ? a->cms_len : 0);
    text(&w, a->key_id);
    text(&w, a->key_origin);
    text(&w, a->how.request_id);
    TRY(wr_end(&w, "FETCH_DERIVED"));
    return msg_send(fd, FETCH_DERIVED, m->seq, out, w.len, 10000);
}

static err on_derive(void *self, int fd, const struct msg *m, int *pass)
{
    struct fetch *f = self;
    struct rd r = rd_of(m->body, m->len);
    size_t arn_len = 0, spki_len = 0, doc_len = 0;
    char arn[ARN_MAX] = "";
    (void)pass;
    const uint8_t *name = rd_var(&r, sizeof arn - 1, &arn_len);
    const uint8_t *spki = rd_var(&r, KMS_SPKI_MAX, &spki_len);
    const uint8_t *doc = rd_var(&r, KMS_ATTESTATION_MAX, &doc_len);
    TRY(rd_end(&r, "FETCH_DERIVE"));
    memcpy(arn, name, arn_len);
    struct kms_answer *a = calloc(1, sizeof *a);
    if (!a) FAIL(E_MEMORY, "KMS answer");
    err e = open_for(f, arn);
    if (!e.code) e = kms_derive_shared_secret(f->kms, a, spki, spki_len, doc, doc_len);
    if (e.code) log_warn("KMS did not answer as asked: %s %s (request %s)", a->how.error_type, a->how.message, a->how.request_id);
    e = answer(fd, m, e.code == E_OK, a);
    free(a);
    return e;
}

static void free_text(char **p) { free(*p); }

/* Everything KMS says about the key, judged here, where JSON is read; the keeper gets what it needs in a fixed
 * layout, and the text only to hash it. */
static err gather(struct fetch *f, struct wr *w, const char *arn, const uint8_t pcr0[static KEY_PCR], uint32_t within_ms)
{
    GATHERED g = { 0 };
    __attribute__((cleanup(free_text))) char *evidence = NULL;
    struct key_report report;
    uint8_t spki[KEY_P256_SPKI];
    bool has_key = false;
    size_t n = 0;
    TRY(open_for(f, arn));
    TRY(kms_gather(f->kms, &g, within_ms));
    g.evidence.builds.count = 1;
    memcpy(g.evidence.builds.pcr0[0], pcr0, KEY_PCR);
    key_evidence_judge(&report, spki, &has_key, &g.evidence);
    for (unsigned i = 0; i < report.count; i++) {
        const struct key_finding_row *row = key_finding_row(report.found[i].finding);
        log_warn("about the KMS key: %s (%s): %s", row->id, key_severity_text(row->severity), report.found[i].where);
    }
    TRY(key_evidence_write(&evidence, &n, &g.evidence, &report));
    wr_u8(w, 1);
    wr_u32(w, report.set);
    wr_u8(w, has_key);
    wr_bytes(w, spki, sizeof spki);
    wr_var(w, evidence, n);
    return wr_end(w, "FETCH_EVIDENCE_IS");
}

static err on_evidence(void *self, int fd, const struct msg *m, int *pass)
{
    struct rd r = rd_of(m->body, m->len);
    enum { CAP = KEY_EVIDENCE_MAX + 128 };
    char arn[ARN_MAX] = "";
    uint8_t pcr0[KEY_PCR];
    size_t n = 0;
    BYTES out = NULL;
    (void)pass;
    const uint8_t *name = rd_var(&r, sizeof arn - 1, &n);
    rd_copy(&r, pcr0, sizeof pcr0);
    const uint32_t within_ms = rd_u32(&r);
    if (within_ms > EVIDENCE_MS) r.bad = true;
    TRY(rd_end(&r, "FETCH_EVIDENCE"));
    memcpy(arn, name, n);
    TRY(mem_new(&out, CAP));
    struct wr w = wr_of(out, CAP);
    if (gather(self, &w, arn, pcr0, within_ms).code) {
        static const uint8_t nothing[1 + 4 + 1 + KEY_P256_SPKI + 4];
        w = wr_of(out, CAP);
        wr_bytes(&w, nothing, sizeof nothing);
    }
    return msg_send(fd, FETCH_EVIDENCE_IS, m->seq, out, w.len, 10000);
}

static const struct msg_rule rules[] = {
    { FETCH_DERIVE, 16, ROOM, ONE_STATE, 0, on_derive },
    { FETCH_EVIDENCE, 9 + KEY_PCR, ARN_MAX + 8 + KEY_PCR, ONE_STATE, 0, on_evidence },
};
static const struct msg_table table = { rules, sizeof rules / sizeof *rules };

err fetch_main(struct role_env *env)
{
    struct fetch *f = env->warm;
    BYTES room = NULL;
    TRY(mem_new(&room, ROOM));
    unsigned state = 0;
    struct loop l = { .env = env, .state = &state, .self = f, .room = room, .cap = ROOM };
    loop_add(&l, &env->peer[ROLE_KEEPER], &table, false);
    err e = loop_run(&l);
    kms_close(&f->kms);
    mem_wipe(&f->source, sizeof f->source);
    free(f->ca);
    free(f);
    return e;
}
