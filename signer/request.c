#include "signer/request.h"
#include <string.h>

void sign_request_write(struct wr *w, const struct sign_request *q)
{
    static const uint8_t none[32];
    uint16_t len = q->sigmsg_len <= SIGN_MSG_MAX ? q->sigmsg_len : SIGN_MSG_MAX;
    wr_u64(w, q->index);
    wr_bytes(w, q->output_key, 32);
    wr_u8(w, (uint8_t)q->kind);
    wr_bytes(w, q->kind == CHILD_OF_OUTPUT ? q->emulated_key : q->merkle_root, 32);
    wr_bytes(w, q->kind == CHILD_OF_OUTPUT ? q->rules : none, 32);
    wr_u8(w, q->has_backup);
    wr_bytes(w, q->has_backup ? q->backup_root : none, 32);
    wr_u16(w, len);
    wr_bytes(w, q->sigmsg, len);
    for (size_t i = len; i < SIGN_MSG_MAX; i++)
        wr_u8(w, 0);
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t or = 0;
    for (size_t i = 0; i < n; i++)
        or |= p[i];
    return or == 0;
}

err sign_request_read(struct sign_request *q, const void *p, size_t n)
{
    struct rd r = rd_of(p, n);
    *q = (struct sign_request){ .index = rd_u64(&r) };
    rd_copy(&r, q->output_key, 32);
    const uint8_t kind = rd_u8(&r);
    q->kind = kind == CHILD_OF_OUTPUT ? CHILD_OF_OUTPUT : CHILD_OF_ROOT;
    rd_copy(&r, q->kind == CHILD_OF_OUTPUT ? q->emulated_key : q->merkle_root, 32);
    rd_copy(&r, q->rules, 32);
    uint8_t flag = rd_u8(&r);
    rd_copy(&r, q->backup_root, 32);
    q->sigmsg_len = rd_u16(&r);
    rd_copy(&r, q->sigmsg, SIGN_MSG_MAX);
    TRY(rd_end(&r, "signing request"));
    /* One meaning, one encoding: nothing rides along in the unused bytes. */
    if (kind > CHILD_OF_OUTPUT || (kind == CHILD_OF_ROOT && !all_zero(q->rules, 32)))
        FAIL(E_FORMAT, "signing request: kind of child %u", kind);
    if (flag > 1 || (!flag && !all_zero(q->backup_root, 32)))
        FAIL(E_FORMAT, "signing request: backup flag %u", flag);
    if (q->sigmsg_len > SIGN_MSG_MAX || !all_zero(q->sigmsg + q->sigmsg_len, (size_t)SIGN_MSG_MAX - q->sigmsg_len))
        FAIL(E_FORMAT, "signing request: message of %u bytes", q->sigmsg_len);
    q->has_backup = flag;
    return OK;
}
