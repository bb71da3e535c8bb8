/* web_disk.c - POST /seal, /backup/verify and /disk/grow: what the role disk is asked. */
#include <jansson.h>
#include <stdio.h>

#include "core/mem.h"
#include "daemon/web.h"
#include "daemon/web_json.h"
#include "daemon/web_read.h"
#include "daemon/web_text.h"

/* Seconds until a client hears 503: a seal waits for the parent. */
enum { SEAL_SECONDS = 150, GRAIN = 64 << 10 };

static bool mounted(const struct web *w) { return w->has_disk && w->disk.mounted; }

static err on_sealed(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    struct wire_disk now;
    uint8_t *body;
    wire_get_disk(&in, &now);
    TRY(rd_end(&in, "DISK_SEALED"));
    w->disk = now;
    w->has_disk = true;
    size_t n = web_disk_body(&body, &now);
    web_answer_json(r, body, n);
    return OK;
}

void web_run_seal(struct web *w, struct web_request *r)
{
    if (!mounted(w)) web_answer_error(r, 409, "There is no disk to seal yet.");
    else web_ask(w, r, LANE_DISK, DISK_SEAL, DISK_SEALED, SEAL_SECONDS, on_sealed);
}

static err on_verified(struct web *w, struct web_request *r, const struct msg *m)
{
    struct rd in = rd_of(m->body, m->len);
    uint8_t *body;
    (void)w;
    const uint8_t code = rd_u8(&in);
    const uint64_t generation = rd_u64(&in), bytes = rd_u64(&in);
    TRY(rd_end(&in, "DISK_VERIFIED"));
    if (code >= E_CODES) FAIL(E_FORMAT, "a verdict of no kind");
    size_t n = web_backup_body(&body, code == E_OK ? NULL : err_text((enum err_code)code), generation, bytes);
    web_answer_json(r, body, n);
    return OK;
}

void web_run_backup_verify(struct web *w, struct web_request *r)
{
    if (!mounted(w)) web_answer_error(r, 409, "There is no disk to verify yet.");
    else web_ask(w, r, LANE_DISK, DISK_VERIFY, DISK_VERIFIED, SEAL_SECONDS, on_verified);
}

bool web_read_grow(uint64_t *size, struct web_problem *why, const void *body, size_t n)
{
    JSON json_t *root = NULL;
    int64_t value = 0;
    bool good = web_parse(&root, why, body, n) && web_object(root, "body", why)
             && web_integer(root, "size", GRAIN, INT64_MAX, &value, why);
    if (good && value % GRAIN != 0) good = web_misfit(why, "size", "not a multiple of 65536");
    if (!good) web_told(why);
    *size = (uint64_t)value;
    return good;
}

/* Why not, or NULL. Out: *status. */
static const char *refusal(int *status, char room[static 160], const struct web *w, uint64_t size)
{
    const uint64_t most = w->env->config.disk_size_max, now = w->disk.image_size;
    if (size > most) {
        *status = 403;
        snprintf(room, 160, "The measured configuration lets the disk grow to %llu bytes ([disk] size_max), and no further.", (unsigned long long)most);
        return room;
    }
    if (size >= now) return NULL;
    *status = 409;
    snprintf(room, 160, "The disk has %llu bytes already, and does not shrink.", (unsigned long long)now);
    return room;
}

void web_run_grow(struct web *w, struct web_request *r)
{
    struct web_problem why;
    uint64_t size = 0;
    int status = 0;
    char room[160];
    BYTES message = NULL;
    if (!web_read_grow(&size, &why, r->body, r->len)) {
        web_answer_error(r, why.status, why.text);
        return;
    }
    if (!mounted(w)) {
        web_answer_error(r, 409, "There is no disk yet.");
        return;
    }
    const char *refused = refusal(&status, room, w, size);
    if (refused) {
        web_answer_error(r, status, refused);
        return;
    }
    if (mem_new(&message, 8).code) {
        web_answer_error(r, 500, "There is no memory for this request.");
        return;
    }
    struct wr out = wr_of(message, 8);
    wr_u64(&out, size);
    if (web_request_message(r, take_bytes(&message), out.len))
        web_ask(w, r, LANE_DISK, DISK_GROW, DISK_SEALED, SEAL_SECONDS, on_sealed);
    else web_answer_error(r, 503, "There is no room for this request now.");
}
