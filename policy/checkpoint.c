#include "policy/checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool decimal_read(uint64_t *out, const char *p, size_t n)
{
    *out = 0;
    if (n == 0 || n > 20 || (p[0] == '0' && n > 1)) return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned digit = (unsigned)((unsigned char)p[i]) - '0';
        if (digit > 9 || *out > (UINT64_MAX - digit) / 10) return false;
        *out = *out * 10 + digit;
    }
    return true;
}

/* The next line, without its newline. NULL: there is none, or it is empty. */
static const char *line(const char **p, size_t *left, size_t *n)
{
    const char *at = *p, *end = memchr(at, '\n', *left);
    if (!end || end == at) return NULL;
    *n = (size_t)(end - at);
    *left -= *n + 1;
    *p = end + 1;
    return at;
}

err checkpoint_parse(struct checkpoint *out, const char *p, size_t n)
{
    size_t len = 0, got = 0;
    memset(out, 0, sizeof *out);
    const char *at = line(&p, &n, &len);
    if (!at || memchr(at, '\0', len)) FAIL(E_FORMAT, "checkpoint: no origin");
    if (len > CHECKPOINT_ORIGIN) FAIL(E_LIMIT, "checkpoint: an origin of %zu bytes", len);
    memcpy(out->origin, at, len);
    at = line(&p, &n, &len);
    if (!at || !decimal_read(&out->size, at, len)) FAIL(E_FORMAT, "checkpoint: no size");
    if (out->size > TLOG_SIZE_MAX) FAIL(E_LIMIT, "checkpoint: a size of %" PRIu64, out->size);
    at = line(&p, &n, &len);
    if (!at || base64_to(out->root, sizeof out->root, &got, at, len).code || got != sizeof out->root)
        FAIL(E_FORMAT, "checkpoint: no root hash");
    while (n > 0)
        if (!line(&p, &n, &len)) FAIL(E_FORMAT, "checkpoint: an empty extension line");
    return OK;
}

void checkpoint_write(struct wr *w, const struct checkpoint *c)
{
    char size[21], root[45];
    snprintf(size, sizeof size, "%" PRIu64, c->size);
    base64_from(root, c->root, sizeof c->root);
    wr_text(w, c->origin);
    wr_text(w, "\n");
    wr_text(w, size);
    wr_text(w, "\n");
    wr_text(w, root);
    wr_text(w, "\n");
}
