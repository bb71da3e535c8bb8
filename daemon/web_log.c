/* web_log.c - GET /log/checkpoint: disk's words, handed on. */
#include <string.h>

#include "core/mem.h"
#include "daemon/web.h"

err web_take_log(struct web *w, const struct msg *m)
{
    struct rd r = rd_of(m->body, m->len);
    BYTES copy = NULL;
    size_t n = 0;
    struct wire_log l;
    wire_get_log(&r, &l);
    const uint8_t *note = rd_var(&r, WIRE_LOG_MOST, &n);
    TRY(rd_end(&r, "DISK_LOG"));
    if (n) {
        TRY(mem_new(&copy, n));
        memcpy(copy, note, n);
        mem_free_bytes(&w->checkpoint);
        w->checkpoint = take_bytes(&copy);
        w->checkpoint_len = n;
    }
    w->log = l;
    return OK;
}

void web_run_checkpoint(struct web *w, struct web_request *r)
{
    BYTES body = NULL;
    if (!w->checkpoint_len) {
        web_answer_error(r, 404, w->log.size ? "No witness has cosigned a checkpoint of this start yet." : "There is no log yet.");
        return;
    }
    if (mem_new(&body, w->checkpoint_len).code) {
        web_answer_error(r, 500, "There is no memory for this answer.");
        return;
    }
    memcpy(body, w->checkpoint, w->checkpoint_len);
    web_answer_bytes(r, 200, "text/plain; charset=utf-8", take_bytes(&body), w->checkpoint_len);
}
