#include "policy/cosign.h"

#include <inttypes.h>
#include <stdio.h>

#include "core/mem.h"
#include "policy/signature.h"

enum { ED25519 = 64 };

static err verify(const uint8_t key[static 32], const uint8_t signature[static ED25519], const void *message, size_t n)
{
    bool good = false;
    TRY(ed25519_check(&good, key, signature, message, n));
    if (!good) FAIL(E_AUTH, "an Ed25519 signature does not verify");
    return OK;
}

void cosign_message(struct wr *w, uint64_t time, const char *text, size_t n)
{
    char head[COSIGN_HEAD];
    snprintf(head, sizeof head, "cosignature/v1\ntime %" PRIu64 "\n", time);
    wr_text(w, head);
    wr_bytes(w, text, n);
}

/* The message of either type, in memory of its own. */
static err message_of(uint8_t **out, size_t *len, uint8_t type, uint64_t time, const char *text, size_t n)
{
    if (time > COSIGN_TIME_MAX) FAIL(E_LIMIT, "cosignature: a time of %" PRIu64, time);
    if (n > NOTE_MAX) FAIL(E_LIMIT, "cosignature: a text of %zu bytes", n);
    TRY(mem_new(out, COSIGN_HEAD + n));
    struct wr w = wr_of(*out, COSIGN_HEAD + n);
    if (type == NOTE_COSIGNATURE) cosign_message(&w, time, text, n);
    else wr_bytes(&w, text, n);
    *len = w.len;
    return wr_end(&w, "cosignature");
}

static err check_line(uint64_t *time, const struct note *n, const struct note_key *k, const struct note_signature *s)
{
    BYTES message = NULL;
    size_t len = 0;
    const size_t head = k->type == NOTE_COSIGNATURE ? 8 : 0;
    struct rd r = rd_of(s->bytes, sizeof s->bytes);
    if (s->n != head + ED25519) FAIL(E_AUTH, "note: a signature of %zu bytes by %s", s->n, k->name);
    *time = head ? rd_u64be(&r) : 0;
    if (*time > COSIGN_TIME_MAX) FAIL(E_AUTH, "cosignature: a time of %" PRIu64 " by %s", *time, k->name);
    TRY(message_of(&message, &len, k->type, *time, n->text, n->text_len));
    return verify(k->key, s->bytes + head, message, len);
}

err cosign_check(uint64_t *time, const struct note *n, const struct note_key *k)
{
    size_t found = 0;
    *time = 0;
    for (size_t i = 0; i < n->count; i++) {
        uint64_t at = 0;
        if (!note_key_is(k, &n->signatures[i])) continue;
        TRY(check_line(&at, n, k, &n->signatures[i]));
        if (at > *time) *time = at;
        found++;
    }
    return found ? OK : (err){ E_ABSENT };       /* no failure yet: another key may have signed */
}

err cosign_write(struct wr *w, const struct note_key *k, const struct cosign_key *holder, uint64_t time, const char *text, size_t n)
{
    BYTES message = NULL;
    size_t len = 0;
    uint8_t signature[ED25519], bytes[NOTE_SIGNATURE];
    struct wr b = wr_of(bytes, sizeof bytes);
    TRY(message_of(&message, &len, k->type, time, text, n));
    TRY(holder->sign(holder->self, signature, message, len));
    /* A fault in signing must not leave this place: it could give the key away. */
    TRY(verify(k->key, signature, message, len));
    if (k->type == NOTE_COSIGNATURE) wr_u64be(&b, time);
    wr_bytes(&b, signature, sizeof signature);
    note_write_signature(w, k, bytes, b.len);
    return wr_end(w, "signature line");
}
