/* The request's bytes, and the witness that answers it. */
#include "signer/emulate.h"
#include <stdlib.h>
#include "core/mem.h"

/* A spent output is at least its value and an empty script; a backup root has one size. So no
 * count can ask for more memory than a small multiple of the bytes that came. */
enum { OUTPUT_MIN = 8 + 4, BACKUP_SIZE = 4 + 32 };

static err parse_tx(struct emulate_request *q, struct rd *r)
{
    size_t n;
    const uint8_t *p = rd_var(r, EMULATE_REQUEST_MAX, &n);
    if (!p)
        FAIL(E_FORMAT, "emulation request: no transaction");
    TRY(tx_parse(&q->tx, p, n));
    if (q->tx->in_count == 0)
        FAIL(E_FORMAT, "emulation request: a transaction without inputs");
    return OK;
}

static err parse_spent(struct emulate_request *q, struct rd *r)
{
    size_t count = rd_u32(r);
    if (!rd_ok(r) || count > r->left / OUTPUT_MIN)
        FAIL(E_FORMAT, "emulation request: %zu spent outputs in %zu bytes", count, r->left);
    q->spent = calloc(count + 1, sizeof *q->spent);
    if (!q->spent)
        FAIL(E_MEMORY, "no memory for %zu spent outputs", count);
    for (size_t i = 0; i < count; i++) {
        struct tx_out *o = &q->spent[i];
        o->value = (int64_t)rd_u64(r);
        o->script.p = rd_var(r, EMULATE_REQUEST_MAX, &o->script.n);
        if (!o->script.p)
            FAIL(E_FORMAT, "emulation request: spent output %zu is cut short", i);
    }
    q->spent_count = count;
    return OK;
}

static err parse_backups(struct emulate_request *q, struct rd *r)
{
    size_t count = rd_u32(r);
    if (!rd_ok(r) || count > r->left / BACKUP_SIZE)
        FAIL(E_FORMAT, "emulation request: %zu backup roots in %zu bytes", count, r->left);
    q->backup = calloc(count + 1, sizeof *q->backup);
    if (!q->backup)
        FAIL(E_MEMORY, "no memory for %zu backup roots", count);
    for (size_t i = 0; i < count; i++) {
        q->backup[i].index = rd_u32(r);
        q->backup[i].root = rd_bytes(r, 32);
        if (i && q->backup[i].index <= q->backup[i - 1].index)
            FAIL(E_FORMAT, "emulation request: backup roots out of order");
    }
    q->backup_count = count;
    return OK;
}

static err parse_rules(struct emulate_request *q, struct rd *r)
{
    q->rules.p = rd_var(r, RULES_NAME - 1, &q->rules.n);
    if (!q->rules.p)
        FAIL(E_FORMAT, "emulation request: no rule set's name, or one that is too long");
    return OK;
}

err emulate_request_parse(struct emulate_request **out, const uint8_t *p, size_t n)
{
    *out = NULL;
    if (n > EMULATE_REQUEST_MAX)
        FAIL(E_LIMIT, "emulation request of %zu bytes", n);
    EMULATE_REQUEST q = calloc(1, sizeof *q);
    if (!q)
        FAIL(E_MEMORY, "no memory for an emulation request");
    struct rd r = rd_of(p, n);
    TRY(parse_tx(q, &r));
    TRY(parse_spent(q, &r));
    TRY(parse_backups(q, &r));
    TRY(parse_rules(q, &r));
    TRY(rd_end(&r, "emulation request"));
    *out = q;
    q = NULL;
    return OK;
}

void emulate_request_free(struct emulate_request **q)
{
    if (!*q)
        return;
    tx_free(&(*q)->tx);
    free((*q)->spent);
    free((*q)->backup);
    free(*q);
    *q = NULL;
}

void emulate_write_tx(struct wr *w, const struct tx *tx)
{
    size_t n = tx_size(tx, true);
    if (n > EMULATE_REQUEST_MAX) {
        w->full = true;
        return;
    }
    wr_u32(w, (uint32_t)n);
    tx_write(w, tx, true);
}

void emulate_write_count(struct wr *w, uint32_t count)
{
    wr_u32(w, count);
}

void emulate_write_output(struct wr *w, uint64_t value, const uint8_t *script, size_t n)
{
    wr_u64(w, value);
    wr_var(w, script, n);
}

void emulate_write_backup(struct wr *w, uint32_t index, const uint8_t root[static 32])
{
    wr_u32(w, index);
    wr_bytes(w, root, 32);
}

void emulate_write_rules(struct wr *w, const char *name, size_t n)
{
    wr_var(w, name, n);
}

uint32_t emulate_witness_write(struct wr *w, const uint8_t sig[static 64], const struct span *annex)
{
    tx_item_write(w, sig, 64);
    if (annex->n == 0)
        return 1;
    tx_item_write(w, annex->p, annex->n);
    return 2;
}

const char *emulate_kind_text(enum emulate_kind k)
{
    static const char *const texts[] = {
        [EMULATE_INPUT]      = "emulated",
        [SKIP_NOT_TAPROOT]   = "not a taproot output",
        [SKIP_NO_WITNESS]    = "no witness",
        [SKIP_KEY_PATH]      = "key path",
        [SKIP_CONTROL_SHORT] = "control block too short",
        [SKIP_LEAF_VERSION]  = "no leaf version",
        [SKIP_ON_CHAIN]      = "script is on chain",
    };
    return (size_t)k < sizeof texts / sizeof *texts ? texts[k] : "?";
}
