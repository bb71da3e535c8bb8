#include "policy/witness.h"

#include <string.h>

#include "policy/cosign.h"

enum { OLD_LEN = 4, HASH_TEXT = 44 };

/* The next line, without its newline; NULL: there is none. */
static const char *line(const char **p, size_t *left, size_t *n)
{
    const char *at = *p, *end = memchr(at, '\n', *left);
    if (!end) return NULL;
    *n = (size_t)(end - at);
    *left -= *n + 1;
    *p = end + 1;
    return at;
}

err witness_parse(struct witness_request *out, const char *p, size_t n)
{
    size_t len = 0, got = 0;
    if (n > WITNESS_REQUEST_MAX) FAIL(E_LIMIT, "witness: a request of %zu bytes", n);
    const char *at = line(&p, &n, &len);
    if (!at || len <= OLD_LEN || memcmp(at, "old ", OLD_LEN) != 0 || !decimal_read(&out->old, at + OLD_LEN, len - OLD_LEN))
        FAIL(E_FORMAT, "witness: no old size");
    for (out->proof.n = 0; (at = line(&p, &n, &len)) && len > 0; out->proof.n++) {
        if (out->proof.n == TLOG_PATH_MAX) FAIL(E_LIMIT, "witness: a proof of more than %d hashes", TLOG_PATH_MAX);
        if (len != HASH_TEXT || base64_to(out->proof.hash[out->proof.n], TLOG_HASH, &got, at, len).code || got != TLOG_HASH)
            FAIL(E_FORMAT, "witness: line %zu of the proof is not a hash", out->proof.n + 1);
    }
    if (!at) FAIL(E_FORMAT, "witness: no empty line below the proof");
    TRY(note_parse(&out->note, p, n));
    return checkpoint_parse(&out->checkpoint, out->note.text, out->note.text_len);
}

/* Is the note signed by one of the log's keys? A key whose line fails does not stand in the way of another key
 * of the log: the specification asks that one verifies. Out: *status 0 or 403. */
static err judge_signatures(int *status, const struct note *n, const struct note_key *keys, size_t count)
{
    *status = 403;
    for (size_t i = 0; i < count && *status; i++) {
        uint64_t time = 0;
        err e = cosign_check(&time, n, &keys[i]);
        if (e.code == E_OK) *status = 0;
        else if (e.code != E_ABSENT && e.code != E_AUTH) return e;
    }
    return OK;
}

err witness_decide(int *status, struct witness_state *next, const struct witness_request *r, const struct witness_state *known,
                   const struct note_key *keys, size_t count)
{
    static const struct tlog nothing = { 0 };
    const struct checkpoint *c = &r->checkpoint;
    uint8_t empty[TLOG_HASH];
    *next = *known;
    *status = 404;
    if (count == 0) return OK;
    /* The order is the specification's: nothing is told about a log to who cannot sign for it. */
    TRY(judge_signatures(status, &r->note, keys, count));
    if (*status) return OK;
    *status = 400;
    if (r->old > c->size) return OK;
    *status = 409;
    if (r->old != known->size) return OK;
    tlog_root(empty, &nothing);
    if (r->old > 0 && r->old == c->size && memcmp(known->root, c->root, TLOG_HASH) != 0) return OK;
    *status = 422;
    err e = tlog_check_growth(&r->proof, r->old, r->old ? known->root : empty, c->size, c->root);
    if (e.code == E_AUTH || e.code == E_LIMIT) return OK;
    TRY(e);
    next->size = c->size;
    memcpy(next->root, c->root, TLOG_HASH);
    *status = 200;
    return OK;
}
