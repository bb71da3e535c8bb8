/* anchor_read.c - see anchor_read.h. */
#include "parent/anchor_read.h"

#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "policy/checkpoint.h"
#include "policy/cosign.h"

const char *anchor_text(enum anchor_word w)
{
    static const char *const words[ANCHOR_WORDS] = {
        [ANCHOR_UNASKED] = "not asked", [ANCHOR_COSIGNED] = "cosigned", [ANCHOR_AHEAD] = "ahead", [ANCHOR_PARTED] = "parted",
        [ANCHOR_BEHIND] = "behind", [ANCHOR_UNKNOWN] = "log unknown", [ANCHOR_UNSIGNED] = "key unknown", [ANCHOR_UNPROVED] = "unproved",
        [ANCHOR_REFUSED] = "refused", [ANCHOR_FAILING] = "failing", [ANCHOR_AWAY] = "away", [ANCHOR_LATE] = "late",
        [ANCHOR_STRANGER] = "bad certificate", [ANCHOR_NOWHERE] = "bad address",
        [ANCHOR_ODD] = "bad answer",
    };
    MUST(w < ANCHOR_WORDS);
    return words[w];
}

bool anchor_passing(enum anchor_word w)
{
    return w == ANCHOR_FAILING || w == ANCHOR_AWAY || w == ANCHOR_LATE;
}

/* The cosignature among the lines that came. */
static err read_lines(struct anchor_verdict *out, const struct anchor_heard *h, const struct anchor_asked *a)
{
    BYTES bytes = NULL;
    struct note n;
    uint64_t time = 0;
    out->word = ANCHOR_ODD;
    TRY(mem_new(&bytes, a->text_len + 1 + h->len));
    struct wr w = wr_of(bytes, a->text_len + 1 + h->len);
    wr_bytes(&w, a->text, a->text_len);
    wr_text(&w, "\n");
    wr_bytes(&w, h->body, h->len);
    if (note_parse(&n, (const char *)bytes, w.len).code || n.text_len != a->text_len) return OK;
    err e = cosign_check(&time, &n, a->key);
    if (e.code == E_ABSENT || e.code == E_AUTH) return OK;
    TRY(e);
    for (size_t i = 0; i < n.count; i++) {
        struct rd r = rd_of(n.signatures[i].bytes, sizeof n.signatures[i].bytes);
        /* Several lines of one key verify each; the newest counts. */
        if (!note_key_is(a->key, &n.signatures[i]) || rd_u64be(&r) != time) continue;
        out->word = ANCHOR_COSIGNED;
        out->cosignature = (struct anchor_cosignature){ .key_id = a->key->id, .time = time };
        rd_copy(&r, out->cosignature.signature, sizeof out->cosignature.signature);
    }
    return OK;
}

/* A 409 tells where the witness stands. */
static void read_size(struct anchor_verdict *out, const struct anchor_heard *h, const struct anchor_asked *a)
{
    out->word = ANCHOR_ODD;
    /* Any proxy can say 409; the type tells that a witness did. */
    if (strcmp(h->type, "text/x.tlog.size") != 0 || h->len < 2 || h->body[h->len - 1] != '\n') return;
    if (!decimal_read(&out->told, h->body, h->len - 1)) return;
    if (out->told > a->size) out->word = ANCHOR_AHEAD;
    else if (out->told != a->old) out->word = ANCHOR_BEHIND;
    else if (a->old == a->size) out->word = ANCHOR_PARTED;
}

err anchor_read(struct anchor_verdict *out, const struct anchor_heard *heard, const struct anchor_asked *asked)
{
    *out = (struct anchor_verdict){ .word = ANCHOR_REFUSED };
    switch (heard->status) {
    case 200: return read_lines(out, heard, asked);
    case 403: out->word = ANCHOR_UNSIGNED; break;
    case 404: out->word = ANCHOR_UNKNOWN; break;
    case 409: read_size(out, heard, asked); break;
    case 422: out->word = ANCHOR_UNPROVED; break;
    default:
        if (heard->status == 429 || heard->status >= 500) out->word = ANCHOR_FAILING;
    }
    return OK;
}
